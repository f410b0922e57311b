"""What is left to do at the service once attempts have ended: what to ask there, and to note what it said.

Nothing here talks to the service. Each verb acts only where the truth calls for it, so that two who do the same work
at the same time do no harm.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from scheduler.state import keys
from scheduler.state.store import Store
from sweeps.cost import Usage

DUTY = keys.HOUSEKEEPER.removeprefix(keys.PREFIX)


@dataclass(frozen=True)
class UnreconciledAttempt:
    """An attempt that ended in a way that leaves open what it cost."""

    name: str  # stage|number
    opener: str  # the attempt that opened the session in which it worked: itself, or the one it was adopted from
    model: str
    in_use: bool = False  # another attempt goes on in that session
    over: datetime | None = None  # since when its sessions are known to be over
    began: datetime | None = None  # when the first of them was opened; None if there was none
    sessions: tuple[str, ...] = ()


@dataclass(frozen=True)
class DiscardedCheckpoint:
    """A checkpoint that is in no list any more."""

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
    seconds: int  # that they are to live from now on
    paths: tuple[str, ...]


class Reconciliation:
    """The verbs of whoever keeps house."""

    def __init__(self, store: Store) -> None:
        self._scripts = store.scripts
        self._client = store.client

    def take_duty(self, who: str, seconds: float) -> bool:
        """Take or keep the duty for so long; 0 gives it up. One at a time has it, merely to save double work."""
        return bool(self._scripts.run("take_duty", who, round(seconds * 1000), DUTY))

    def read_unreconciled(self, most: int) -> list[UnreconciledAttempt]:
        """Those that it is time to look at."""
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
        """Its sessions are over, and left these checkpoints; in `lag` seconds what the service counted is final.

        Returns how many of the checkpoints no list knows: they are discarded.
        """
        moment = "" if began is None else round(began.timestamp() * 1000)
        return int(
            self._scripts.run(
                "record_session_end", attempt.name, moment, round(lag * 1000), " ".join(sessions), *paths
            ),
        )

    def reconcile(self, attempt: UnreconciledAttempt, usage: Usage) -> bool:
        """Book what the service counted in the attempt's session. False if that has been done."""
        return bool(self._scripts.run("reconcile_cost", attempt.name, json.dumps(usage.document())))

    def abandon(self, attempt: UnreconciledAttempt) -> bool:
        """Look no more for what it cost: what was feared stays booked. False if there is no such attempt any more."""
        return bool(self._scripts.run("abandon_reconciliation", attempt.name))

    def read_recent_sweeps(self, since: datetime) -> dict[str, list[str]]:
        """The sweeps that were submitted since then, and the models of each."""
        there = self._client.zrange(keys.SWEEPS, 0, -1, withscores=True)
        names = [name for name, submitted in there if submitted >= since.timestamp() * 1000]
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            pipe.hmget(keys.sweep(name), ["models"])
        return {name: (models or "").split() for name, (models,) in zip(names, pipe.execute(), strict=True)}

    def record_billed(self, sweep: str, service: str, tokens: int, micro_usd: int | None) -> bool:
        """What a service says that it bills for a sweep, in all. False where there is no such sweep."""
        return bool(self._scripts.run("record_billed", sweep, service, tokens, "" if micro_usd is None else micro_usd))

    def read_discarded(self, most: int) -> list[DiscardedCheckpoint]:
        """Checkpoints to delete."""
        return [DiscardedCheckpoint(name) for name in self._scripts.run("read_due", keys.DISCARDED, most)]

    def is_discarded(self, checkpoint: DiscardedCheckpoint) -> bool:
        """Still? A name that was written over comes back into its stage's list."""
        return self._client.zscore(keys.DISCARDED, checkpoint.name) is not None

    def forget_discarded(self, checkpoint: DiscardedCheckpoint) -> None:
        """The service has it no more."""
        self._client.zrem(keys.DISCARDED, checkpoint.name)

    def read_needed(self, most: int) -> list[NeededCheckpoints]:
        """Checkpoints whose life is to be extended; those at half their life that nobody needs are forgotten."""
        return [
            NeededCheckpoints(stage, model, int(seconds), tuple(paths))
            for stage, model, seconds, *paths in self._scripts.run("read_due_checkpoints", most)
        ]

    def postpone(self, key: str, name: str, seconds: float) -> None:
        """Look at an entry of UNRECONCILED, DISCARDED or EXPIRING again only after so many seconds."""
        self._scripts.run("postpone", key, round(seconds * 1000), name)


def _read_attempt(row: Sequence[str]) -> UnreconciledAttempt:
    name, opener, model, in_use, over, began, sessions = row
    return UnreconciledAttempt(
        name, opener, model, in_use == "1", _moment(over), _moment(began), tuple(sessions.split())
    )


def _moment(milliseconds: str) -> datetime | None:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None
