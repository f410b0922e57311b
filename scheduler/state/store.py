"""The verbs that workers and schedulers call on stages. Each change is one Lua verb; nothing reads and then writes."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from scheduler.state import keys
from scheduler.state.connection import Client
from scheduler.state.keeping.packing import pack_points, pack_result, unpack, unpack_result
from scheduler.state.milliseconds import count_milliseconds, read_moment
from scheduler.state.scripts import Clock, Scripts
from scheduler.state.states import StageState
from sweeps.cost import Rates, Usage
from sweeps.stage import Json

Hold = Literal["held", "stop", "yield", "park", "lost"]
Cost = Literal["exact", "at most", "unknown"]
"""How well the cost of an attempt is known: to the token; at most what was metered; or not at all."""
FAILED = "failed:"  # prefix of the fields that count failures of a kind, in the hash of a stage
RETRAININGS = 2  # how often a parent whose checkpoint is gone may be trained again
CURVE_POINTS = 240  # of the curve of a running training; the artefact store has the whole one
KEPT_POINTS = 48  # of that of one that succeeded


class Lease(NamedTuple):
    """The right to work on a stage."""

    stage: str
    fence: str


class Renewal(NamedTuple):
    """What the holder of a lease reports with each renewal."""

    lease: Lease
    quiet: float  # seconds since its attempt made progress or was told to wait
    heard: float | None = None  # seconds since the service did something for it; None: not yet
    troubled: bool = False  # errors of the service stop its progress


class Meter(NamedTuple):
    """What one attempt has used so far, in total."""

    tokens: int
    micro_usd: int


class Dispatched(NamedTuple):
    """The answer to a dispatch: the number of the attempt, or 0 and the closed gate."""

    attempt: int
    refused: str


@dataclass(frozen=True)
class Assignment:
    """Everything that a worker needs to know about the stage that it holds."""

    stage: str
    kind: str
    label: str
    recipe: Mapping[str, Json]
    execution: Mapping[str, Json]
    attempt: int
    failures: Mapping[str, int]  # by kind, since it last made progress
    fence: str  # of the lease that holds it; empty if none does
    payer: str
    lane: str
    slot: str  # the attempt that opened its client: stage|number
    rates: Rates
    reserved: int  # micro-dollars that the attempt may use
    checkpoint: Mapping[str, Json] | None  # the newest one


@dataclass(frozen=True)
class Opening:
    """The Tinker session of an attempt: the attempt that opened it, and what was used in it before."""

    attempt: str  # stage|number
    usage: Usage


class Store:
    """The state in Redis."""

    def __init__(self, client: Client, clock: Clock | None = None) -> None:
        self.client = client
        self.scripts = Scripts(client, clock)

    def read_now(self) -> datetime:
        """Read the time by the server's clock, which all processes use."""
        return read_moment(self.scripts.read_time())

    def free_slot(self, lane: str, slot: str) -> None:
        """Free the slot of a client that is closed."""
        self.scripts.run("free_slot", lane, slot)

    def take_canary(self, service: str, name: str, *, tokens: int, patience: float, pace: float) -> str:
        """Take the duty of trying a service with `tokens` tokens, within `patience` seconds.

        Return the model to try, or "" if no try is due or the day's budget has no room.
        """
        times = count_milliseconds(patience), count_milliseconds(pace)
        return str(self.scripts.run("take_canary", service, name, *times, tokens))

    def record_canary_result(self, service: str, name: str, word: str, cause: str, *, tries: int) -> str:
        """Record what the try of this name found: `healthy`, `down`, `stopped` or `unsure`. Return the breaker's state.

        The service is down once `tries` tries in a row have found it down.
        """
        return str(self.scripts.run("record_canary_result", service, name, word, cause, tries))

    def stop_service(self, service: str, cause: str) -> bool:
        """Stop all spending at a service until a person acts. Return False if it was stopped already."""
        return bool(self.scripts.run("stop_service", service, cause))

    def report_signal(self, lease: Lease, state: str, *, ago: float) -> bool:
        """Record what the service has told the attempt's client for `ago` seconds."""
        return bool(self.scripts.run("report_signal", *lease, state, count_milliseconds(ago)))

    def dispatch(self, stage: str, *, sweep: str, patience: float) -> Dispatched:
        """Admit a ready stage at a sweep's cost; a claim must follow within `patience` seconds."""
        attempt, refused = self.scripts.run("dispatch_stage", stage, sweep, count_milliseconds(patience))
        return Dispatched(int(attempt), refused)

    def claim(self, stage: str, *, attempt: int, worker: str, lease: float) -> Lease | None:
        """Take the lease of a dispatched stage for `lease` seconds. Return None if the message is outdated."""
        fence = self.scripts.run("claim_stage", stage, attempt, worker, count_milliseconds(lease), _name_call())
        return Lease(stage, fence) if fence else None

    def continue_on_client(
        self, stage: str, *, sweep: str, worker: str, lease: float, opening: Opening
    ) -> Lease | None:
        """Take the lease of a child of the stage that just succeeded. Return None if a gate is closed."""
        call = (stage, sweep, worker, count_milliseconds(lease), _name_call())
        fence = self.scripts.run("continue_on_client", *call, opening.attempt, compact(opening.usage.document()))
        return Lease(stage, fence) if fence else None

    def renew(self, renewals: Sequence[Renewal], *, lease: float) -> list[Hold]:
        """Renew all leases of a worker in one call. Return what is wanted of each attempt."""
        if not renewals:
            return []
        flat = [word for renewal in renewals for word in _flatten(renewal)]
        answers: list[Hold] = self.scripts.run("renew_leases", count_milliseconds(lease), *flat)
        return answers

    def reserve_more(self, lease: Lease, meter: Meter, needed: int) -> str:
        """Reserve `needed` micro-dollars for the next step. Return "held", "lost" or the closed gate."""
        answer: str = self.scripts.run("reserve_more", *lease, *meter, needed)
        return answer

    def report_progress(
        self,
        lease: Lease,
        meter: Meter,
        progress: Mapping[str, Json],
        curve: Sequence[Mapping[str, Json]] = (),
    ) -> bool:
        """Book what was used so far and record the progress. Return False without the lease."""
        document = json.dumps(dict(progress))
        points = pack_points(curve) if curve else ""
        return bool(self.scripts.run("report_progress", *lease, *meter, document, points))

    def commit_checkpoint(self, lease: Lease, meter: Meter, checkpoint: Mapping[str, Json]) -> bool:
        """Record a checkpoint that the service confirmed. Its `micro_usd` is the total cost up to it."""
        return bool(self.scripts.run("commit_checkpoint", *lease, *meter, compact(checkpoint)))

    def log_event(self, lease: Lease, line: str) -> bool:
        """Write a line about the attempt to the event log."""
        return bool(self.scripts.run("log_event", *lease, line))

    def forget_checkpoint(self, lease: Lease, path: str, *, gone: str = "") -> bool:
        """Forget a checkpoint that is gone. The next attempt continues from the one before and reserves that cost.

        `gone` is the path that the service no longer has, if that is not the checkpoint's own.
        """
        return bool(self.scripts.run("forget_checkpoint", *lease, path, gone or path))

    def retrain_parent(self, lease: Lease, meter: Meter, parent: str, path: str) -> bool:
        """Let the stage wait until its parent, whose checkpoint is gone, has been trained again."""
        return bool(self.scripts.run("retrain_parent", *lease, *meter, parent, path, RETRAININGS))

    def settle(
        self,
        lease: Lease,
        meter: Meter,
        state: StageState,
        *,
        cost: Cost,
        lost: Sequence[Json] = (),
        **fields: str | int,
    ) -> bool:
        """End the stage with its `result`, or with the `cause` why there is none, and what it `lost` in user code.

        Return False without the lease: the result of a late worker does not count.
        """
        if lost:
            fields["lost"] = json.dumps([*lost])
        if "result" in fields:
            fields |= pack_result(str(fields["result"]))
        flat = [word for pair in fields.items() for word in pair]
        return bool(self.scripts.run("settle_stage", *lease, state, *meter, cost, *flat))

    def give_back(self, lease: Lease, meter: Meter, *, delay: float, failure: str, cost: Cost, cause: str) -> bool:
        """Give the stage to a later attempt, in `delay` seconds at the earliest. `failure` is the kind to count."""
        return bool(
            self.scripts.run("give_back_stage", *lease, *meter, count_milliseconds(delay), failure, cost, cause),
        )

    def read_fleet_name(self) -> str:
        """Return the name of this installation, and make it the first time."""
        self.client.set(keys.FLEET, uuid.uuid4().hex, nx=True)
        return self.client.get(keys.FLEET) or ""

    def read_assignment(self, stage: str) -> Assignment:
        """Read what the holder of the stage must do. Nobody holds it any more if a failover lost the claim."""
        pipe = self.client.pipeline(transaction=False)
        pipe.hgetall(keys.stage(stage))
        pipe.lrange(keys.checkpoints(stage), -1, -1)
        row, checkpoints = pipe.execute()
        return Assignment(
            stage=stage,
            kind=row["kind"],
            label=row["label"],
            recipe=unpack(row["recipe"]),
            execution=unpack(row["execution"]),
            attempt=int(row["attempt"]),
            failures={
                field.removeprefix(FAILED): int(count) for field, count in row.items() if field.startswith(FAILED)
            },
            fence=row.get("fence", ""),
            payer=row.get("payer", ""),
            lane=row["lane"],
            slot=row.get("slot", ""),
            rates=Rates.read(json.loads(row["rates"] or "{}")),
            reserved=int(row.get("reserved", 0)) + int(row.get("metered", 0)),
            checkpoint=json.loads(checkpoints[0]) if checkpoints else None,
        )

    def read_checkpoint(self, stage: str) -> Mapping[str, Json] | None:
        """Return the last checkpoint of a parent, where its child starts. None while the parent is trained again."""
        pipe = self.client.pipeline()
        pipe.hget(keys.stage(stage), "state")
        pipe.lrange(keys.checkpoints(stage), -1, -1)
        state, texts = pipe.execute()
        return json.loads(texts[0]) if texts and state == StageState.SUCCEEDED else None

    def read_result(self, stage: str) -> Mapping[str, Json] | None:
        """Return the result of a stage. None while it is done again."""
        state, metrics, rest = self.client.hmget(keys.stage(stage), ["state", "metrics", "result"])
        return unpack_result(metrics, rest) if rest and state == StageState.SUCCEEDED else None

    def list_evaluations(self, stage: str) -> list[str]:
        """Return the evaluate children of a stage, in a stable order."""
        return sorted(child for child in self.client.smembers(keys.children(stage)) if child.startswith("evaluate-"))

    def report_worker(self, name: str, *, threads: int, busy: int, ttl: float, **fields: str | int) -> bool:
        """Report that a worker is alive and has this many threads. After `ttl` seconds of silence it is forgotten.

        Return whether it is asked to take nothing new.
        """
        key = keys.worker(name)
        pipe = self.client.pipeline()
        pipe.hset(key, mapping={"threads": threads, "busy": busy, **fields})
        pipe.pexpire(key, count_milliseconds(ttl))
        pipe.sadd(keys.WORKERS, name)
        pipe.sismember(keys.DRAINING, name)
        return bool(pipe.execute()[-1])

    def forget_worker(self, name: str) -> None:
        """Forget a worker that leaves, so that it gets no more nudges."""
        pipe = self.client.pipeline()
        pipe.delete(keys.worker(name))
        pipe.srem(keys.WORKERS, name)
        pipe.srem(keys.DRAINING, name)
        pipe.execute()


def _flatten(renewal: Renewal) -> tuple[str | int, ...]:
    heard = -1 if renewal.heard is None else count_milliseconds(renewal.heard)
    return (*renewal.lease, count_milliseconds(renewal.quiet), heard, int(renewal.troubled))


def _name_call() -> str:
    """Name one call, so that the same call sent again after a lost answer gets the same lease."""
    return uuid.uuid4().hex


def compact(document: Mapping[str, Json]) -> str:
    """Write compact JSON, without spaces."""
    return json.dumps(dict(document), separators=(",", ":"))
