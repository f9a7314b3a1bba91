"""How often jobs are looked at, and how long things may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Times, all in seconds.

    Attributes:
        list_seconds: After how long the platform is asked for the jobs again while they change.
        most_list_seconds: After how long it is asked while nothing changes.
        files_seconds: How often it is looked whether jobs have said something.
        job_seconds: How often a job looks for orders, and writes what it has to say.
        idle_seconds: After how long without a trial a job of a pool ends.
        logs_seconds: How often the logs of running trials are copied.
        settle_seconds: How long after the end of a job its last words may take to arrive.
        claim_seconds: How long after the first call jobs of an earlier manager may be asked for; they are
            stopped then.
        unseen_seconds: How long a job that was taken may be missing in the list at first.
        insist_seconds: How long beyond its graces a canceled trial may run until its job is stopped.
        cancel_seconds: How long a platform that is away has to come back until a canceled trial counts as
            ended, though its job could not be stopped.
        close_seconds: How long jobs without a trial may take to end when the host is let go.
        retry_seconds: After how long the platform is first asked again when it did not answer.
        most_retry_seconds: After how long it is asked again at most.
        call_seconds: How long a call may take.
        start_tries: How often it is asked at the start.
    """

    list_seconds: float = 5.0
    most_list_seconds: float = 30.0
    files_seconds: float = 1.0
    job_seconds: float = 1.0
    idle_seconds: float = 120.0
    logs_seconds: float = 5.0
    settle_seconds: float = 20.0
    claim_seconds: float = 30.0
    unseen_seconds: float = 300.0
    insist_seconds: float = 60.0
    cancel_seconds: float = 10.0
    close_seconds: float = 30.0
    retry_seconds: float = 1.0
    most_retry_seconds: float = 60.0
    call_seconds: float = 300.0
    start_tries: int = 4
