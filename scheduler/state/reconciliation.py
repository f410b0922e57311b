"""The verbs of housekeeping: which attempts to reconcile, which checkpoints to delete or extend, and the answers.

Nothing here talks to the service. Each verb acts only where the state requires it, so two processes that do the same
work at the same time do no harm.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler.services import SERVICES
from scheduler.state import keys
from scheduler.state.milliseconds import count_milliseconds, read_moment, write_moment
from scheduler.state.states import ENDED_SWEEPS
from scheduler.state.store import Store
from sweeps.cost import Usage

DUTY = keys.HOUSEKEEPER.removeprefix(keys.PREFIX)


@dataclass(frozen=True)
class UnreconciledAttempt:
    """An attempt that ended without a known exact cost."""

    name: str  # stage|number
    opener: str  # the attempt that opened its session: itself, or the one whose client it continued on
    model: str
    in_use: bool = False  # another attempt uses that session now
    over: datetime | None = None  # when its sessions were found to be over
    began: datetime | None = None  # when the first session was opened; None if there was none
    sessions: tuple[str, ...] = ()


@dataclass(frozen=True)
class DiscardedCheckpoint:
    """A checkpoint that no list names any more."""

    name: str  # model|path

    @property
    def model(self) -> str:
        return self.name.partition("|")[0]

    @property
    def path(self) -> str:
        return self.name.partition("|")[2]


@dataclass(frozen=True)
class NeededCheckpoints:
    """Checkpoints that must not expire yet."""

    name: str  # the stage
    model: str
    seconds: int  # that they must live from now on
    paths: tuple[str, ...]


@dataclass(frozen=True)
class RecentSweep:
    """A sweep whose use the service may still count. `ended` and `billed`: milliseconds since 1970."""

    models: tuple[str, ...]
    ended: int | None  # None while it goes on
    billed: Mapping[str, int]  # by service: when its count was last recorded

    def is_uncounted(self, service: str) -> bool:
        """Say whether it ended after the last record of what the service counts."""
        return self.ended is not None and self.billed.get(service, 0) < self.ended


def _read_recent(row: Sequence[str | None]) -> RecentSweep:
    models, state, since, *billed = row
    ended = int(since) if since and state in ENDED_SWEEPS else None
    known = {service: int(at) for service, at in zip(SERVICES, billed, strict=True) if at}
    return RecentSweep(tuple((models or "").split()), ended, known)


class Reconciliation:
    """The verbs of the worker that does the housekeeping."""

    def __init__(self, store: Store) -> None:
        self._scripts = store.scripts
        self._client = store.client

    def take_duty(self, who: str, seconds: float, duty: str = DUTY) -> bool:
        """Take or keep a duty for some seconds; 0 gives it up. One worker at a time has it, to save double work."""
        return bool(self._scripts.run("take_duty", who, count_milliseconds(seconds), duty))

    def read_unreconciled(self, most: int) -> list[UnreconciledAttempt]:
        """Read the unreconciled attempts that are due."""
        return [_read_attempt(row) for row in self._scripts.run("read_unreconciled", most)]

    def record_session_end(
        self,
        attempt: UnreconciledAttempt,
        *,
        began: datetime | None,
        lag: float,
        sessions: Sequence[str],
        paths: Sequence[str],
    ) -> int:
        """Record that its sessions are over and left these checkpoints. In `lag` seconds the service's count is final.

        Returns how many of the checkpoints no list knows: they are discarded.
        """
        moment = "" if began is None else write_moment(began)
        return int(
            self._scripts.run(
                "record_session_end", attempt.name, moment, count_milliseconds(lag), " ".join(sessions), *paths
            ),
        )

    def reconcile(self, attempt: UnreconciledAttempt, usage: Usage) -> bool:
        """Book what the service counted in the attempt's session. Return False if that was done before."""
        return bool(self._scripts.run("reconcile_cost", attempt.name, json.dumps(usage.document())))

    def abandon(self, attempt: UnreconciledAttempt) -> bool:
        """Stop looking for its cost; its unreconciled amount stays booked. Return False if it is not unreconciled."""
        return bool(self._scripts.run("abandon_reconciliation", attempt.name))

    def read_recent_sweeps(self, since: datetime) -> dict[str, RecentSweep]:
        """Read the sweeps that were submitted since then."""
        there = self._client.zrange(keys.SWEEPS, 0, -1, withscores=True)
        names = [name for name, submitted in there if submitted >= write_moment(since)]
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            pipe.hmget(
                keys.sweep(name), ["models", "state", "since", *(f"billed_at:{service}" for service in SERVICES)]
            )
        return {name: _read_recent(row) for name, row in zip(names, pipe.execute(), strict=True)}

    def record_billed(self, sweep: str, service: str, tokens: int, micro_usd: int | None) -> bool:
        """Record what a service bills for a sweep in total. Return False if there is no such sweep."""
        return bool(self._scripts.run("record_billed", sweep, service, tokens, "" if micro_usd is None else micro_usd))

    def read_discarded(self, most: int) -> list[DiscardedCheckpoint]:
        """Read the checkpoints to delete."""
        return [DiscardedCheckpoint(name) for name in self._scripts.run("read_due", keys.DISCARDED, most)]

    def is_discarded(self, checkpoint: DiscardedCheckpoint) -> bool:
        """Is it still discarded? A path that was overwritten is back in the list of its stage."""
        return self._client.zscore(keys.DISCARDED, checkpoint.name) is not None

    def forget_discarded(self, checkpoint: DiscardedCheckpoint) -> None:
        """Forget a checkpoint that the service has deleted."""
        self._client.zrem(keys.DISCARDED, checkpoint.name)

    def read_needed(self, most: int) -> list[NeededCheckpoints]:
        """Read the checkpoints whose life must be extended. Let the others expire."""
        return [
            NeededCheckpoints(stage, model, int(seconds), tuple(paths))
            for stage, model, seconds, *paths in self._scripts.run("read_due_checkpoints", most)
        ]

    def postpone(self, key: str, name: str, seconds: float) -> None:
        """Make an entry of UNRECONCILED, DISCARDED or EXPIRING due only after some seconds."""
        self._scripts.run("postpone", key, count_milliseconds(seconds), name)


def _read_attempt(row: Sequence[str]) -> UnreconciledAttempt:
    name, opener, model, in_use, over, began, sessions = row
    over_at, began_at = (read_moment(text) if text else None for text in (over, began))
    return UnreconciledAttempt(name, opener, model, in_use == "1", over_at, began_at, tuple(sessions.split()))
