"""Kill the workers of this machine that are stopped for ever, so that the supervisor starts others.

It reads the workers' reports in Redis and kills child processes. While Redis does not answer or takes no writes, no
worker could report, so silence proves nothing and no worker is killed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scheduler.processes.supervisor import START_SECONDS, Child, Say
from scheduler.state.connection import Client, RedisError
from scheduler.state.workers import find_silent_workers, name_process
from sweeps.formatting import format_duration

LOOK_AT_REPORTS_EVERY = 5.0  # seconds; a short patience shortens it


@dataclass(frozen=True)
class ObservedWorker:
    """What was seen of one worker process up to now."""

    pid: int
    seconds: float = 0.0  # since its last report, as far as it could have reported
    reported: bool = False  # at any time

    def observe(self, pid: int, passed: float, *, is_silent: bool) -> "ObservedWorker":
        """Add one look; `passed` is the time since the look before."""
        before = self if self.pid == pid else ObservedWorker(pid)
        if not is_silent:
            return replace(before, seconds=0.0, reported=True)
        return replace(before, seconds=before.seconds + passed)

    def is_frozen(self, patience: float) -> bool:
        """Was it silent for longer than the patience? One that never reported may still be starting."""
        return self.seconds > patience + (0.0 if self.reported else START_SECONDS)


class FrozenWorkers:
    """Looks at the reports of the workers among `children`."""

    def __init__(
        self,
        client: Client,
        children: Sequence[Child],
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._children = [child for child in children if child.name.startswith("worker")]
        self._patience = patience
        self._pause = min(LOOK_AT_REPORTS_EVERY, patience / 4)
        self._clock = clock
        self._looked_at = clock()
        self._observed: dict[str, ObservedWorker] = {}

    def look_after(self, say: Say) -> None:
        """Look if it is time. Kill the workers that are frozen, and report it."""
        passed = self._clock() - self._looked_at
        if passed < self._pause:
            return
        self._looked_at += passed
        running = {child.name: child.process.pid for child in self._children if child.process is not None}
        try:
            silent = find_silent_workers(self._client, [name_process(pid) for pid in running.values()])
        except RedisError:
            self._observed.clear()
            return
        # A longer time than the pause was a sleep of ours, or of the whole machine: it proves no silence.
        passed = min(passed, 2 * self._pause)
        nothing = ObservedWorker(0)
        self._observed = {
            name: self._observed.get(name, nothing).observe(pid, passed, is_silent=name_process(pid) in silent)
            for name, pid in running.items()
        }
        for child in self._children:
            observed = self._observed.get(child.name, nothing)
            if observed.is_frozen(self._patience):
                silence = format_duration(observed.seconds)
                say(f"{child.name} sent no report for {silence} although Redis answers; killing it (SWEEP_FROZEN)")
                child.kill()
