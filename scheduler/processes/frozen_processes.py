"""Kill the processes of this machine that are stopped for ever, so that the supervisor starts others.

Workers and the scheduler report to Redis; the offline service and Flower answer requests. While Redis does not answer
or takes no writes, nothing could report, so silence proves nothing and no reporting process is killed.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import httpx

from scheduler.processes.supervisor import START_SECONDS, Child, Say
from scheduler.state import keys
from scheduler.state.connection import Client, RedisError
from scheduler.state.workers import find_missing_reports
from sweeps.formatting import format_duration

LOOK_EVERY = 5.0  # seconds between two looks; a short patience shortens it
ANSWER_SECONDS = 2.0  # for an answer, while nothing else is supervised


@dataclass(frozen=True)
class ObservedProcess:
    """What was seen of one process up to now."""

    process: str
    seconds: float = 0.0  # since its last sign of life, as far as it could have given one
    seen: bool = False  # at any time

    def observe(self, process: str, passed: float, *, is_silent: bool) -> "ObservedProcess":
        """Add one look; `passed` is the time since the look before."""
        before = self if self.process == process else ObservedProcess(process)
        if not is_silent:
            return replace(before, seconds=0.0, seen=True)
        return replace(before, seconds=before.seconds + passed)

    def is_frozen(self, patience: float) -> bool:
        """Was it silent for longer than the patience? One that was never seen may still be starting."""
        return self.seconds > patience + (0.0 if self.seen else START_SECONDS)


NOTHING = ObservedProcess("")


class FrozenProcesses:
    """Looks for signs of life of `children`: an answer of those that have an address, a report of the others."""

    def __init__(
        self,
        client: Client,
        children: Sequence[Child],
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._children = children
        self._urls = {child.name: child.url for child in children if child.url}
        self._patience = patience
        self._pause = min(LOOK_EVERY, patience / 4)
        self._clock = clock
        self._looked_at = clock()
        self._observed: dict[str, ObservedProcess] = {}

    def look_after(self, say: Say) -> None:
        """Look if it is time. Kill the processes that are frozen, and report it."""
        passed = self._clock() - self._looked_at
        if passed < self._pause:
            return
        self._looked_at += passed
        # A longer time than the pause was a sleep of ours, or of the whole machine: it proves no silence.
        passed = min(passed, 2 * self._pause)
        running = {child.name: child.process_name for child in self._children if child.process is not None}
        self._observed = {
            name: self._observed.get(name, NOTHING).observe(running[name], passed, is_silent=silent)
            for name, silent in self._find_silence(running).items()
        }
        for child in self._children:
            observed = self._observed.get(child.name, NOTHING)
            if observed.is_frozen(self._patience):
                silence = format_duration(observed.seconds)
                proof = "did not answer" if child.name in self._urls else "sent no report although Redis answers"
                say(f"{child.name} {proof} for {silence}; killing it (SWEEP_FROZEN)")
                child.kill()

    def _find_silence(self, running: Mapping[str, str]) -> dict[str, bool]:
        """Return for each process whether it is silent; leave out those of which nothing can be known."""
        silence = {name: not _is_alive(self._urls[name]) for name in running if name in self._urls}
        reports = {name: _name_report(name, process) for name, process in running.items() if name not in self._urls}
        try:
            missing = find_missing_reports(self._client, list(reports.values()))
        except RedisError:
            return silence
        return silence | {name: report in missing for name, report in reports.items()}


def _name_report(name: str, process: str) -> str:
    """Name the key that exists while the process reports."""
    return keys.scheduler(process) if name == "scheduler" else keys.worker(process)


def _is_alive(url: str) -> bool:
    """Does the process answer anything? A rehearsed error or a dropped connection is an answer, too."""
    try:
        httpx.get(url, timeout=ANSWER_SECONDS, trust_env=False, verify=False)  # noqa: S501 - no TLS here
    except (httpx.TimeoutException, httpx.ConnectError):
        return False
    except httpx.HTTPError:
        return True
    return True
