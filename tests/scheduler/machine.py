"""Every verb in any order, as hypothesis likes it; what must hold is checked after each one."""

import json
import math
import statistics
from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scheduler import keys, views
from scheduler.connection import Client
from scheduler.states import FINISHED, StageState
from scheduler.store import Lease, Meter, Store
from scheduler.submission import submit
from scheduler.tick import restage, spread, take_back, wake
from sweeps.plan import Plan, Run, Stage
from tests.scheduler.night import LEASE, PATIENCE, Night
from tests.scheduler.plans import evaluate, plan, submission, train
from tests.support import FakeClock

STAGES = [train("a"), train("b", "train-a"), train("c", cost=700)]
EVALUATIONS = [evaluate(stage.id[6:], stage.id, cost=90) for stage in STAGES]
ALL: dict[str, Stage] = {stage.id: stage for stage in (*STAGES, *EVALUATIONS)}
LIMITS: dict[str, int | None] = {"poor": 1_950, "rich": 9_000, "free": None}
SWEEPS = st.sampled_from(sorted(LIMITS))
SOME_STAGE = st.sampled_from(sorted(ALL))  # of all, for what may be asked in vain
SHARE = st.sampled_from([0.0, 0.3, 1.0])  # of what was held, that is used


def question(sweep: str) -> Plan:
    """`poor` wants a part of what the others want; the runs of a cell are its seeds."""
    wanted = STAGES[:2] if sweep == "poor" else STAGES
    names = [stage.id[6:] for stage in wanted]
    runs = [Run({"data": "x"}, seed, f"train-{name}", {"nll": f"evaluate-{name}"}) for seed, name in enumerate(names)]
    return plan(sweep, [*wanted, *(ALL[f"evaluate-{name}"] for name in names)], runs)


class Books(RuleBasedStateMachine):
    """The verbs, and the books that must agree whatever was done."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        client.flushall()
        self.clock = FakeClock()
        self.night = Night(Store(client, self.clock), self.clock)
        self.store = self.night.store
        self.client: Any = client
        self.nudges: list[tuple[str, int]] = []
        self.leases: dict[Lease, int] = {}  # -> the micro-dollars that were held for it
        self.submitted: set[str] = set()

    @initialize(sweeps=st.sets(SWEEPS, min_size=1))
    def begin(self, sweeps: set[str]) -> None:
        for sweep in sorted(sweeps):
            self.submit(sweep)
        self.night.spread()

    @rule(sweep=SWEEPS)
    def submit(self, sweep: str) -> None:
        submit(self.store, submission(question(sweep), limit=LIMITS[sweep], slots=2 if sweep == "free" else None))
        self.submitted.add(sweep)

    @rule(data=st.data(), claimed=st.booleans())
    def start(self, data: st.DataObject, claimed: bool) -> None:
        stage = data.draw(st.sampled_from(sorted(ALL) if not (ready := self._ready()) else ready))
        sweep = data.draw(st.sampled_from(sorted(self.client.smembers(keys.subscribers(stage))) or ["rich"]))
        sent = self.store.dispatch(stage, sweep=sweep, patience=PATIENCE)
        if sent.attempt:
            self.nudges.append((stage, sent.attempt))
        if sent.attempt and claimed:
            self._take(self.store.claim(stage, attempt=sent.attempt, worker="w", lease=LEASE))

    @rule(sweep=SWEEPS, share=SHARE)
    def a_quiet_hour(self, sweep: str, share: float) -> None:
        """All that is ready and can be paid for is done."""
        for stage in self._ready():
            if sent := self.store.dispatch(stage, sweep=sweep, patience=PATIENCE).attempt:
                self._take(lease := self.store.claim(stage, attempt=sent, worker="w", lease=LEASE))
                assert lease is not None
                self._succeed(lease, share)
        self.come_to_rest()

    def _ready(self) -> list[str]:
        return sorted(self.client.zrange(keys.state(StageState.READY), 0, -1))

    @precondition(lambda self: self.nudges)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        stage, attempt = data.draw(st.sampled_from(self.nudges))  # it stays: messages are doubled and late
        self._take(self.store.claim(stage, attempt=attempt, worker="w", lease=LEASE))

    @rule(stage=SOME_STAGE, sweep=SWEEPS)
    def adopt(self, stage: str, sweep: str) -> None:
        self._take(self.store.adopt(stage, sweep=sweep, worker="w", lease=LEASE))

    def _take(self, lease: Lease | None) -> None:
        if lease is not None:
            self.leases[lease] = int(self.client.hget(keys.stage(lease.stage), "reserved"))

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), share=SHARE, what=st.sampled_from(["progress", "checkpoint", "give back", "renew"]))
    def write(self, data: st.DataObject, share: float, what: str) -> None:
        lease = data.draw(self._a_lease())
        held, used = self._held(lease), self._meter(lease, share)
        match what:
            case "progress":
                done = self.store.report_progress(lease, used, {"step": 1})
            case "checkpoint":
                paid = sum(each.micro_usd for each in views.stage_views(self.store, [lease.stage]))
                done = self.store.commit_checkpoint(lease, used, {"path": "p"}, embodied=min(paid, used.micro_usd))
            case "give back":
                done = self.store.give_back(lease, used, delay=10 * share, charged=True, cause="")
            case _:
                done = self.store.renew([lease], lease=LEASE) != ["lost"]
        assert done == held

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), share=SHARE, end=st.sampled_from([*sorted(FINISHED - {StageState.SKIPPED})]))
    def settle(self, data: st.DataObject, share: float, end: StageState) -> None:
        lease = data.draw(self._a_lease())
        held = self._held(lease)
        assert self._settle(lease, share, end) == held

    def _succeed(self, lease: Lease, share: float) -> None:
        assert self._settle(lease, share, StageState.SUCCEEDED)

    def _settle(self, lease: Lease, share: float, end: StageState) -> bool:
        nll = round(math.sin(len(self.leases) + share), 3)
        result = json.dumps({"metrics": {"nll": nll, "bits": nll * 1.5}})
        return self.store.settle(lease, self._meter(lease, share), end, result=result)

    def _a_lease(self) -> st.SearchStrategy[Lease]:
        """One that is held, more often than not."""
        held = [lease for lease in self.leases if self._held(lease)]
        return st.sampled_from([*held, *held, *self.leases])

    def _held(self, lease: Lease) -> bool:
        row = self.client.hmget(keys.stage(lease.stage), "state", "fence")
        until = self.client.zscore(keys.state("running"), lease.stage)
        return bool(row == ["running", lease.fence] and until > self.clock())

    def _meter(self, lease: Lease, share: float) -> Meter:
        used = round(self.leases[lease] * share)
        return Meter(used, used)

    @rule(seconds=st.sampled_from([5.0, PATIENCE, LEASE]), noticed=st.booleans())
    def time_passes(self, seconds: float, noticed: bool) -> None:
        self.clock.pass_seconds(seconds)
        if noticed:
            self.come_to_rest()

    @rule(sweep=SWEEPS, verb=st.sampled_from(["cancel_sweep", "retry_sweep"]))
    def change_of_mind(self, sweep: str, verb: str) -> None:
        self.store.scripts.run(verb, sweep)

    @rule(step=st.sampled_from([take_back, restage, wake, spread]))
    def one_step_of_a_tick(self, step: Any) -> None:
        step(self.store)

    @rule()
    def come_to_rest(self) -> None:
        self.night.spread()
        self.check_what_is_spread()

    @invariant()
    def the_books_agree(self) -> None:
        rows, indices, books = self._read()
        for state, there in indices.items():
            assert sorted(there) == sorted(stage for stage, row in rows.items() if row["state"] == state)
        for sweep, book in books.items():
            under_way = [row for row in rows.values() if self._under_way(row, sweep)]
            assert book["inflight"] == len(under_way)
            assert book["reserved"] == sum(int(row["reserved"]) for row in under_way)
            assert min(book.values()) >= 0
            limit = LIMITS[sweep]
            assert limit is None or book["spent"] + book["reserved"] + book["doubtful"] <= limit
        assert self._total(rows, "micro_usd") == sum(book["spent"] for book in books.values())
        assert self._total(rows, "doubtful") == sum(book["doubtful"] for book in books.values())

    def _read(self) -> tuple[dict[str, dict[str, str]], dict[str, list[str]], dict[str, dict[str, int]]]:
        """The stages, the indices of states and the books of the sweeps, as they are at one moment."""
        pipe, fields = self.client.pipeline(), ["spent", "reserved", "doubtful", "inflight"]
        for stage in ALL:
            pipe.hgetall(keys.stage(stage))
        for state in StageState:
            pipe.zrange(keys.state(state), 0, -1)
        for sweep in LIMITS:
            pipe.hmget(keys.sweep(sweep), fields)
        answers = iter(pipe.execute())
        rows = {stage: next(answers) for stage in ALL}
        indices = {str(state): next(answers) for state in StageState}
        books = {
            sweep: dict(zip(fields, (int(value or 0) for value in next(answers)), strict=True)) for sweep in LIMITS
        }
        return {stage: row for stage, row in rows.items() if row}, indices, books

    def check_what_is_spread(self) -> None:
        states = {stage: row["state"] for stage, row in self._read()[0].items()}
        live = self.client.smembers(keys.LIVE)
        for sweep in self.submitted:
            wanted = [stage.id for stage in question(sweep).stages]
            view = views.sweep(self.store, sweep)
            assert view.counts == Counter(states[stage] for stage in wanted)
            assert self._aggregates(sweep) == self._recomputed(sweep)
            if sweep in live:
                assert any(states[stage] not in FINISHED for stage in wanted), "a live sweep has something left to do"
                assert not {states[stage] for stage in wanted} & {"cancelled"}
        for stage, state in states.items():
            assert state != "waiting" or any(states[parent] != "succeeded" for parent in ALL[stage].parents)
            if not self.client.sinter(keys.subscribers(stage), keys.LIVE):
                assert state in FINISHED or self.client.hget(keys.stage(stage), "stop") == "1"
        assert self.client.zcard(keys.CHANGED) == 0

    def _aggregates(self, sweep: str) -> dict[str, Any]:
        (cell,) = views.cells(self.store, sweep)
        metrics: dict[str, Any] = cell["metrics"]
        return metrics

    def _recomputed(self, sweep: str) -> dict[str, Any]:
        values: dict[str, list[float]] = {}
        for run in views.results(self.store, sweep):
            for metric, value in run.metrics.items():
                values.setdefault(metric, []).append(value)
        return {metric: _Close(seen) for metric, seen in values.items()}

    @staticmethod
    def _under_way(row: dict[str, str], sweep: str) -> bool:
        return row["state"] in ("dispatched", "running") and row["payer"] == sweep

    @staticmethod
    def _total(rows: dict[str, dict[str, str]], field: str) -> int:
        return sum(int(row.get(field, 0)) for row in rows.values())


class _Close:
    """Equal to the aggregate of these values, whichever way round they were added up."""

    def __init__(self, values: list[float]) -> None:
        self._values = values

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, dict)
        variance = statistics.variance(self._values) if len(self._values) > 1 else None
        same_spread = other["variance"] == variance or math.isclose(other["variance"], variance or 0.0, abs_tol=1e-9)
        return (
            other["count"] == len(self._values)
            and math.isclose(other["mean"], statistics.fmean(self._values), rel_tol=1e-12, abs_tol=1e-12)
            and same_spread
        )

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"moments of {self._values}"
