"""A night in the hands of a test: every verb in its place, and time passes only when the test says so."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from scheduler.engine.capacity import Bounds
from scheduler.engine.dispatch import QUEUE, Nudges
from scheduler.engine.spread import spread_changes, walk_sweeps
from scheduler.engine.tick import Ticked, TickLimits, take_back, tick, wake_stages
from scheduler.state import keys
from scheduler.state.commands import Word
from scheduler.state.scripts import build_script
from scheduler.state.states import StageState
from scheduler.state.store import Hold, Lease, Meter, Opening, Renewal, Store
from scheduler.state.submission import Submitted, submit
from sweeps.cost import Usage
from sweeps.planning.plan import Plan
from sweeps.stage import Json
from tests.scheduler.plans import COST, MODEL, submission
from tests.support import FakeClock

LEASE = 60.0
PATIENCE = 20.0
STALL = 1800.0


def limits(slots: int, stall: float = STALL) -> TickLimits:
    """So many slots and no search."""
    return TickLimits(Bounds(floor=slots, ceiling=slots, start=slots), stall)


def checkpoint(step: int, cost: int = 0, run: str = "run") -> dict[str, Json]:
    """What a worker writes of a checkpoint, as far as the verbs read it."""
    return {"path": f"{run}/step-{step}", "model": MODEL, "step": step, "micro_usd": cost}


def read_everything(client: Any) -> dict[str, Any]:
    """Each key with what it holds. `Any`: our protocol of a client lists only the commands that our own code sends."""
    return {key: _content(client, key) for key in client.scan_iter()}


class Night:
    """The scheduler's steps and a worker's, one at a time."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock

    def submit(self, plan: Plan, **options: Any) -> Submitted:
        """Submit, and let everything be spread."""
        submitted = submit(self.store, submission(plan, **options))
        self.spread()
        return submitted

    def spread(self) -> None:
        """All that a tick does but dispatching, until there is nothing left to do."""
        for _ in range(1000):
            if (
                not take_back(self.store, stall=STALL)
                + walk_sweeps(self.store)
                + wake_stages(self.store)
                + spread_changes(self.store)
            ):
                return
        raise AssertionError("the tick never comes to rest")

    def start(self, stage: str, sweep: str, worker: str = "w1") -> Lease:
        """Dispatch and claim. Fails where either is refused."""
        sent = self.store.dispatch(stage, sweep=sweep, patience=PATIENCE)
        assert sent.attempt, f"{stage}: {sent.refused}"
        lease = self.store.claim(stage, attempt=sent.attempt, worker=worker, lease=LEASE)
        assert lease is not None, f"{stage}: the claim was refused"
        return lease

    def succeed(self, lease: Lease, metrics: Mapping[str, float] | None = None, *, cost: int = COST) -> bool:
        document = json.dumps({"metrics": dict(metrics or {})})
        done = self.store.settle(
            lease, Meter(cost, cost), StageState.SUCCEEDED, cost="exact", result=document, cause=""
        )
        self.close(lease)
        return done

    def close(self, lease: Lease) -> None:
        """The client is closed, and its slot free."""
        row = self.store.client.hmget(keys.stage(lease.stage), ["lane", "attempt"])
        self.store.free_slot(str(row[0]), f"{lease.stage}|{row[1]}")

    def fail(self, lease: Lease, cause: str = "bad data") -> bool:
        return self.store.settle(lease, Meter(0, 0), StageState.FAILED, cost="exact", cause=cause)

    def do(self, stage: str, sweep: str, metrics: Mapping[str, float] | None = None, *, cost: int = COST) -> None:
        """One stage from ready to succeeded, and everything spread."""
        assert self.succeed(self.start(stage, sweep), metrics, cost=cost)
        self.spread()

    def commit(self, lease: Lease, step: int, cost: int = 0) -> bool:
        """Record the checkpoint of a step, which an attempt that began at the base has reached at this cost."""
        return self.store.commit_checkpoint(lease, Meter(cost, cost), checkpoint(step, cost))

    def continue_on_client(
        self, stage: str, sweep: str, *, opened_by: str = "train-a|1", used: int = COST
    ) -> Lease | None:
        """Go on with a child in the session of an attempt that has used so many tokens there."""
        opening = Opening(opened_by, Usage(training=used))
        return self.store.continue_on_client(stage, sweep=sweep, worker="w1", lease=LEASE, opening=opening)

    def renew(self, *leases: Lease, quiet: float = 0) -> list[Hold]:
        return self.store.renew([Renewal(lease, quiet) for lease in leases], lease=LEASE)

    def tell(self, verb: str, *arguments: Word) -> Any:
        """One verb by its name, and everything spread."""
        answer = self.store.scripts.run(verb, *arguments)
        self.spread()
        return answer

    def run_lua(self, body: str, *arguments: Word) -> Any:
        """A verb of the test's own."""
        verb = self.store.client.register_script(build_script("a_test", body))
        return verb(args=[keys.PREFIX, self.clock(), *arguments])

    def steps(self, stage: str) -> list[int]:
        """The steps of the checkpoints that a stage has, the oldest first."""
        return [json.loads(text)["step"] for text in self.store.client.lrange(keys.checkpoints(stage), 0, -1)]

    def discarded(self) -> set[str]:
        """The paths of what nobody needs any more."""
        return {member.partition("|")[2] for member in self.store.client.zrange(keys.DISCARDED, 0, -1)}

    def state(self, stage: str) -> str:
        return self.store.client.hget(keys.stage(stage), "state") or "unknown"

    def sweep_state(self, sweep: str) -> str:
        return self.store.client.hget(keys.sweep(sweep), "state") or "unknown"

    def money(self, sweep: str) -> tuple[int, int, int]:
        """Micro-dollars spent, reserved and unreconciled."""
        spent, reserved, unreconciled = self.store.client.hmget(
            keys.sweep(sweep), ["spent", "reserved", "unreconciled"]
        )
        return int(spent or 0), int(reserved or 0), int(unreconciled or 0)

    def snapshot(self) -> dict[str, Any]:
        """All that is stored, to say that nothing changed."""
        return read_everything(self.store.client)


class Fleet:
    """Workers that report free threads, and the post office between them and the tick, which is the real broker."""

    def __init__(self, night: Night, url: str, *, threads: int = 100) -> None:
        self.night = night
        self.nudges = Nudges(url)
        self._threads = threads

    def tick(self, limit: TickLimits | None = None, *, slots: int = 8) -> Ticked:
        self.night.store.report_worker("w1", threads=self._threads, busy=0, ttl=60)
        return tick(self.night.store, self.nudges, limit or limits(slots))

    @staticmethod
    def searching(ceiling: int = 500, start: int = 4) -> TickLimits:
        """Nobody has said how many slots there are."""
        return TickLimits(Bounds(floor=1, ceiling=ceiling, start=start), STALL)

    def received(self) -> list[tuple[str, int]]:
        """Take every nudge that lies at the broker, in the order in which they were sent."""
        client: Any = self.night.store.client
        messages = []
        while message := client.rpop(f"{keys.BROKER}{QUEUE}"):
            (stage, attempt), _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
            messages.append((stage, attempt))
        return messages

    def claim_all(self) -> list[Lease]:
        leases = [
            self.night.store.claim(stage, attempt=attempt, worker="w1", lease=LEASE)
            for stage, attempt in self.received()
        ]
        return [lease for lease in leases if lease is not None]


def _content(client: Any, key: str) -> Any:
    read = {
        "hash": client.hgetall,
        "set": client.smembers,
        "string": client.get,
        "stream": client.xrange,
        "list": lambda name: client.lrange(name, 0, -1),
        "zset": lambda name: client.zrange(name, 0, -1, withscores=True),
    }
    return read[client.type(key)](key)
