"""Which trial is the best of all at a step."""

from __future__ import annotations


class StepLeaders:
    """Knows the best value that a trial, and that any other trial, had by each step.

    Values are the larger the better. Two are kept for a step, however many trials there are.
    """

    def __init__(self) -> None:
        self._leaders: list[list[tuple[float, str]]] = []

    def note(self, step: int, trial_id: str, value: float) -> None:
        """Takes note of a value, better than those before, that a trial had at a step, from 0."""
        while len(self._leaders) <= step:
            self._leaders.append([])
        leaders = {trial: best for best, trial in self._leaders[step]}
        leaders[trial_id] = max(value, leaders.get(trial_id, value))
        ranked = sorted(((best, trial) for trial, best in leaders.items()), reverse=True)
        self._leaders[step] = ranked[:2]

    def is_best(self, step: int, trial_id: str, value: float | None) -> bool:
        """Whether no other trial had a better value by a step. Without a value it is not the best."""
        if value is None:
            return False
        others = (
            best for leaders in self._leaders[: step + 1] for best, trial in leaders if trial != trial_id
        )
        return all(value >= best for best in others)
