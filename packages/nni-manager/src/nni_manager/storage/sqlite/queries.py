"""The statements that read. Their parameters have names."""

from __future__ import annotations

from collections.abc import Collection

from nni_manager.engine.statuses import MetricKind, TrialStatus
from nni_manager.storage.sqlite.rows import SELECT_EXPERIMENT, SELECT_METRICS, SELECT_NOTES, SELECT_TRIALS

REVISION = "SELECT revision FROM state"
COMMITTED_AT = "SELECT committed_at FROM state"
EXPERIMENT = SELECT_EXPERIMENT
EXPERIMENT_REVISION = "SELECT ifnull(max(revision), 0) FROM experiment"

TRIAL = f"{SELECT_TRIALS} WHERE t.trial_id = :trial_id"
TRIAL_OF_REQUEST = (
    f"{SELECT_TRIALS} WHERE t.create_request_id = :request_id AND t.create_request_id <> '' "
    "ORDER BY t.sequence_number LIMIT 1"
)
TUNER_NOTES = f"{SELECT_NOTES} WHERE n.row > :after ORDER BY n.row LIMIT :limit"
TRIAL_COUNTS = "SELECT status, trials FROM trial_counts WHERE trials > 0"


def _changed_after(select: str, table: str, revision: str, place: str) -> str:
    """Returns a statement for a page that ends with the whole revision of the row after `skipped` others.

    Its parameters are `revision` and `skipped`.
    """
    return f"""{select} WHERE {revision} > :revision AND {revision} <= ifnull(
        (SELECT revision FROM {table} WHERE revision > :revision ORDER BY revision LIMIT 1 OFFSET :skipped),
        9223372036854775807)
    ORDER BY {revision}, {place}"""


TRIALS_CHANGED_AFTER = _changed_after(SELECT_TRIALS, "trials", "t.revision", "t.sequence_number")
METRICS_CHANGED_AFTER = _changed_after(SELECT_METRICS, "metrics", "m.revision", "m.row")

REPORT_POSITION = """
SELECT ifnull(r.intermediate_count, 0), ifnull(r.final_count, 0), ifnull(f.end_offset, 0),
    p.reporter, p.highest_number
FROM (SELECT :trial_id AS trial_id, :attempt AS attempt) AS wanted
LEFT JOIN trial_results AS r ON r.trial_id = wanted.trial_id AND r.attempt = wanted.attempt
LEFT JOIN report_files AS f ON f.trial_id = wanted.trial_id AND f.attempt = wanted.attempt
LEFT JOIN reporters AS p ON p.trial_id = wanted.trial_id AND p.attempt = wanted.attempt"""


INTERMEDIATES_AT = """SELECT m.trial_id, m.value FROM metrics AS m
JOIN trials AS t ON t.trial_id = m.trial_id AND t.attempt = m.attempt
WHERE m.kind = 'INTERMEDIATE' AND m.metric_index = :index ORDER BY m.row"""

LAST_METRIC = "SELECT coalesce(max(row), 0) FROM metrics"

INTERMEDIATE_KEYS = """SELECT DISTINCT e.key
FROM metric_entries AS e JOIN metrics AS m ON m.row = e.metric_row
WHERE e.metric_row > :after AND e.metric_row <= :last AND m.kind = 'INTERMEDIATE'"""

# One row for a trial: as many rows as results would take several times as long to fetch. CROSS JOIN has
# SQLite find each trial once, not once for each result.
_INTERMEDIATES_OF = """SELECT t.trial_id, group_concat(m.metric_index), group_concat(m.value)
FROM trials AS t CROSS JOIN metrics AS m ON m.trial_id = t.trial_id AND m.attempt = t.attempt
WHERE m.kind = 'INTERMEDIATE' AND t.trial_id IN (%s) GROUP BY t.trial_id"""


def trials_of(count: int) -> str:
    """Returns the statement for so many trials by their ids."""
    return f"{SELECT_TRIALS} WHERE t.trial_id IN ({placeholders(count)})"


def intermediates_of(count: int) -> str:
    """Returns the statement for the intermediate results of so many trials."""
    return _INTERMEDIATES_OF % placeholders(count)


def placeholders(count: int) -> str:
    """Returns the names of so many parameters: :id0, :id1 and so on."""
    return ", ".join(f":id{place}" for place in range(count))


def trials(statuses: Collection[TrialStatus]) -> str:
    """Returns the statement for a page of trials; its parameters are `after` and `limit`."""
    if not statuses:
        return f"{SELECT_TRIALS} WHERE t.sequence_number > :after ORDER BY t.sequence_number LIMIT :limit"
    # Each status is read in order from its own index: a few running trials are found among many ended.
    pages = " UNION ALL ".join(
        f"""SELECT * FROM (SELECT sequence_number FROM trials
        WHERE status = '{TrialStatus(status).value}' AND sequence_number > :after
        ORDER BY sequence_number LIMIT :limit)"""
        for status in TrialStatus
        if status in statuses
    )
    return f"{SELECT_TRIALS} WHERE t.sequence_number IN ({pages}) ORDER BY t.sequence_number LIMIT :limit"


def best_trial(optimize_mode: str) -> str:
    """Returns the statement for the best trial; it has no parameters."""
    best = "max" if optimize_mode == "maximize" else "min"
    candidates = "FROM main.trials INDEXED BY trials_by_objective WHERE status = 'SUCCEEDED'"
    return f"""{SELECT_TRIALS} WHERE t.sequence_number = (
        SELECT min(sequence_number) {candidates} AND objective = (
            SELECT {best}(objective) {candidates} AND objective IS NOT NULL))"""


def metrics(kind: MetricKind | None, of_one_trial: bool) -> str:
    """Returns the statement for a page of results.

    Its parameters are `after`, `limit`, and `trial_id` if it is of one trial.
    """
    of_trial = "trial_id = :trial_id AND" if of_one_trial else ""
    of_kind = "" if kind is None else f"kind = '{kind.value}' AND"
    return f"{SELECT_METRICS} WHERE {of_trial} {of_kind} row > :after ORDER BY row LIMIT :limit"
