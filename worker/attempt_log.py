"""Log when an attempt begins and how it ends, and let each line of its thread name it."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from scheduler.processes.json_log import name_subject
from worker.attempt import Attempt
from worker.outcome import Outcome, summarise

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate[Attempt, P], tuple[Outcome, T]]

log = logging.getLogger(__name__)


def log_attempt(run: Work[P, T]) -> Work[P, T]:
    """Decorate a function that does the work of an attempt and returns its outcome first."""

    @wraps(run)
    def run_with_log(this: Attempt, /, *arguments: P.args, **options: P.kwargs) -> tuple[Outcome, T]:
        work = this.work
        with name_subject(sweep=work.payer, stage=work.stage, attempt=work.attempt):
            log.info("attempt %d of %s begins", work.attempt, work.label)
            outcome, rest = run(this, *arguments, **options)
            end = type(outcome).__name__.lower()
            log.info("attempt %d of %s %s: %s", work.attempt, work.label, end, summarise(outcome))
        return outcome, rest

    return run_with_log
