"""The statements that read. Parameters are numbered in the order in which they are given."""

from __future__ import annotations

from collections.abc import Collection

from nni_manager.engine.statuses import MetricKind, TrialStatus
from nni_manager.storage.sqlite.rows import SELECT_EXPERIMENT, SELECT_METRICS, SELECT_TRIALS

REVISION = "SELECT revision FROM state"
EXPERIMENT = SELECT_EXPERIMENT
EXPERIMENT_REVISION = "SELECT ifnull(max(revision), 0) FROM experiment"

TRIAL = f"{SELECT_TRIALS} WHERE t.trial_id = ?"
TRIAL_COUNTS = "SELECT status, trials FROM trial_counts WHERE trials > 0"


def _changed_after(select: str, table: str, revision: str, place: str) -> str:
    """Returns a statement for a page that ends with the whole revision of its row `limit`.

    Its parameters are the revision and the limit less one.
    """
    return f"""{select} WHERE {revision} > ?1 AND {revision} <= ifnull(
        (SELECT revision FROM {table} WHERE revision > ?1 ORDER BY revision LIMIT 1 OFFSET ?2),
        9223372036854775807)
    ORDER BY {revision}, {place}"""


TRIALS_CHANGED_AFTER = _changed_after(SELECT_TRIALS, "trials", "t.revision", "t.sequence_number")
METRICS_CHANGED_AFTER = _changed_after(SELECT_METRICS, "metrics", "m.revision", "m.row")

REPORT_POSITION = """
SELECT ifnull(r.intermediate_count, 0), ifnull(r.final_count, 0), ifnull(f.end_offset, 0),
    p.reporter, p.highest_number
FROM (SELECT ?1 AS trial_id, ?2 AS attempt) AS wanted
LEFT JOIN trial_results AS r ON r.trial_id = wanted.trial_id
LEFT JOIN report_files AS f ON f.trial_id = wanted.trial_id AND f.attempt = wanted.attempt
LEFT JOIN reporters AS p ON p.trial_id = wanted.trial_id AND p.attempt = wanted.attempt"""


def trials(statuses: Collection[TrialStatus]) -> str:
    """Returns the statement for a page of trials; its parameters are the number before it and the limit."""
    if not statuses:
        return f"{SELECT_TRIALS} WHERE t.sequence_number > ?1 ORDER BY t.sequence_number LIMIT ?2"
    # Each status is read in order from its own index: a few running trials are found among many ended.
    pages = " UNION ALL ".join(
        f"""SELECT * FROM (SELECT sequence_number FROM trials
        WHERE status = '{TrialStatus(status).value}' AND sequence_number > ?1
        ORDER BY sequence_number LIMIT ?2)"""
        for status in TrialStatus
        if status in statuses
    )
    return f"{SELECT_TRIALS} WHERE t.sequence_number IN ({pages}) ORDER BY t.sequence_number LIMIT ?2"


def best_trial(optimize_mode: str) -> str:
    """Returns the statement for the best trial; it has no parameters."""
    best = "max" if optimize_mode == "maximize" else "min"
    candidates = "FROM trials INDEXED BY trials_by_objective WHERE status = 'SUCCEEDED'"
    return f"""{SELECT_TRIALS} WHERE t.sequence_number = (
        SELECT min(sequence_number) {candidates} AND objective = (
            SELECT {best}(objective) {candidates} AND objective IS NOT NULL))"""


def metrics(kind: MetricKind | None, of_one_trial: bool) -> str:
    """Returns the statement for a page of results.

    Its parameters are the row before it, the limit, and the trial's id if it is of one trial.
    """
    of_trial = "trial_id = ?3 AND" if of_one_trial else ""
    of_kind = "" if kind is None else f"kind = '{kind.value}' AND"
    return f"{SELECT_METRICS} WHERE {of_trial} {of_kind} row > ?1 ORDER BY row LIMIT ?2"
