"""The verbs that a worker and a scheduler call on stages. All of them are Lua; nothing here reads and then writes."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scheduler import keys
from scheduler.connection import Client
from scheduler.scripts import Clock, Scripts
from scheduler.states import StageState
from sweeps.stage import Json

Hold = Literal["held", "stop", "lost"]
CURVE_POINTS = 240  # of the live curve; the whole one is in the artefact store


class Lease(NamedTuple):
    """The right to work on a stage, as the server knows it."""

    stage: str
    fence: str


class Meter(NamedTuple):
    """What one attempt has used so far, in all."""

    tokens: int
    micro_usd: int


class Dispatched(NamedTuple):
    """The answer to a dispatch: the attempt's number, or 0 and why not."""

    attempt: int
    refused: str


@dataclass(frozen=True)
class Assignment:
    """All that a worker needs to know of the stage that it holds."""

    stage: str
    kind: str
    label: str
    recipe: Mapping[str, Json]
    execution: Mapping[str, Json]
    attempt: int
    failures: int
    payer: str
    rate: int  # micro-dollars for a million tokens
    checkpoint: Mapping[str, Json] | None
    checkpoint_micro_usd: int


class Store:
    """Redis, as the rest of the program sees it."""

    def __init__(self, client: Client, clock: Clock | None = None) -> None:
        self.client = client
        self.scripts = Scripts(client, clock)

    def dispatch(self, stage: str, *, sweep: str, patience: float) -> Dispatched:
        """Admit a ready stage at a sweep's cost; a claim must follow within `patience` seconds."""
        attempt, refused = self.scripts.run("dispatch", stage, sweep, _milliseconds(patience))
        return Dispatched(int(attempt), refused)

    def claim(self, stage: str, *, attempt: int, worker: str, lease: float) -> Lease | None:
        """Take the lease of a dispatched stage for `lease` seconds; None for a message that is not the current one."""
        fence = self.scripts.run("claim", stage, attempt, worker, _milliseconds(lease), _call())
        return Lease(stage, fence) if fence else None

    def adopt(self, stage: str, *, sweep: str, worker: str, lease: float) -> Lease | None:
        """Go straight on with a child of a stage that just succeeded; None where a gate is closed."""
        fence = self.scripts.run("adopt", stage, sweep, worker, _milliseconds(lease), _call())
        return Lease(stage, fence) if fence else None

    def renew(self, leases: Sequence[Lease], *, lease: float) -> list[Hold]:
        """Renew every lease of a worker in one call."""
        if not leases:
            return []
        flat = [word for held in leases for word in held]
        answers: list[Hold] = self.scripts.run("renew", _milliseconds(lease), *flat)
        return answers

    def report_progress(
        self,
        lease: Lease,
        meter: Meter,
        progress: Mapping[str, Json],
        curve: Sequence[Mapping[str, Json]] = (),
    ) -> bool:
        """Book what was used so far and show where the attempt is. False without the lease."""
        points = [json.dumps(point) for point in curve]
        document = json.dumps(dict(progress))
        return bool(
            self.scripts.run("report_progress", *lease, *meter, document, CURVE_POINTS, *points),
        )

    def commit_checkpoint(self, lease: Lease, meter: Meter, checkpoint: Mapping[str, Json], *, embodied: int) -> bool:
        """Record a checkpoint that the service confirmed; `embodied` is what it cost to get there, in micro-dollars."""
        document = json.dumps(dict(checkpoint))
        return bool(self.scripts.run("commit_checkpoint", *lease, *meter, embodied, document))

    def forget_checkpoint(self, lease: Lease) -> bool:
        """The checkpoint is no more: the next attempt starts over, and reserves what that costs."""
        return bool(self.scripts.run("forget_checkpoint", *lease))

    def settle(self, lease: Lease, meter: Meter, state: StageState, **fields: str | int) -> bool:
        """End the stage. False without the lease: the result of a late worker does not count."""
        flat = [word for pair in fields.items() for word in pair]
        return bool(self.scripts.run("settle", *lease, state, *meter, *flat))

    def give_back(self, lease: Lease, meter: Meter, *, delay: float, charged: bool, cause: str) -> bool:
        """Leave the stage to a later attempt, at the earliest in `delay` seconds."""
        return bool(
            self.scripts.run("give_back", *lease, *meter, _milliseconds(delay), int(charged), cause),
        )

    def assignment(self, stage: str) -> Assignment:
        """What to do, for the holder of the stage."""
        row = self.client.hgetall(keys.stage(stage))
        checkpoint = row.get("checkpoint")
        return Assignment(
            stage=stage,
            kind=row["kind"],
            label=row["label"],
            recipe=json.loads(row["recipe"]),
            execution=json.loads(row["execution"]),
            attempt=int(row["attempt"]),
            failures=int(row.get("failures", 0)),
            payer=row["payer"],
            rate=int(row["rate"]),
            checkpoint=json.loads(checkpoint) if checkpoint else None,
            checkpoint_micro_usd=int(row.get("checkpoint_micro_usd", 0)),
        )

    def checkpoint_of(self, stage: str) -> Mapping[str, Json] | None:
        """Where a child starts: the last checkpoint of its parent."""
        text = self.client.hget(keys.stage(stage), "checkpoint")
        return json.loads(text) if text else None

    def evaluations_of(self, stage: str) -> list[str]:
        """The evaluate children of a stage, in a stable order."""
        return sorted(child for child in self.client.smembers(keys.children(stage)) if child.startswith("evaluate-"))

    def report_worker(self, name: str, *, threads: int, busy: int, ttl: float, **fields: str | int) -> None:
        """A worker says that it lives and how many threads it has; silence for `ttl` seconds makes it forgotten."""
        key = keys.worker(name)
        pipe = self.client.pipeline()
        pipe.hset(key, mapping={"threads": threads, "busy": busy, **fields})
        pipe.pexpire(key, _milliseconds(ttl))
        pipe.sadd(keys.WORKERS, name)
        pipe.execute()

    def forget_worker(self, name: str) -> None:
        """A worker that leaves says goodbye, so that nothing more is sent to it."""
        pipe = self.client.pipeline()
        pipe.delete(keys.worker(name))
        pipe.srem(keys.WORKERS, name)
        pipe.execute()


def _call() -> str:
    """A name for one call: when its answer is lost and the client sends it again, it is not a second taker."""
    return uuid.uuid4().hex


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
