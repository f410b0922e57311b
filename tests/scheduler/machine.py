"""Every verb in any order, as hypothesis likes it; what must hold (see seen.py) is checked after each one."""

import json
import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scheduler.engine.retry import Fault
from scheduler.engine.spread import spread_changes, walk_sweeps
from scheduler.engine.tick import OVERDUE, take_back, wake_stages
from scheduler.state import keys
from scheduler.state.connection import Client
from scheduler.state.people.actors import Actor
from scheduler.state.people.user_budgets import set_user_budget
from scheduler.state.states import FINISHED, StageState
from scheduler.state.store import Cost, Lease, Meter, Store
from scheduler.state.submission import submit
from sweeps.planning.plan import Plan, Run, Stage
from sweeps.stage import Json
from tests.scheduler import seen as law
from tests.scheduler.night import LEASE, PATIENCE, STALL, Night
from tests.scheduler.plans import MODEL, evaluate, plan, submission, train
from tests.support import FakeClock

STAGES = [train("a"), train("b", "train-a"), train("c", cost=700)]
EVALUATIONS = [evaluate(stage.id[6:], stage.id, cost=90) for stage in STAGES]
ALL: dict[str, Stage] = {stage.id: stage for stage in (*STAGES, *EVALUATIONS)}
SERVICE = "offline"
DAYS = st.sampled_from([None, 1_800, 3_200])  # micro-dollars a day at the service
LIMITS: dict[str, int | None] = {"poor": 1_950, "rich": 9_000, "free": None}
SWEEPS = st.sampled_from(sorted(LIMITS))
SOME_STAGE = st.sampled_from(sorted(ALL))  # of all, for what may be asked in vain
SHARE = st.sampled_from([0.0, 0.3, 1.0])  # of what was held, that is used
COSTS: st.SearchStrategy[Cost] = st.sampled_from(["exact", "at most", "unknown"])
FAULTS = st.sampled_from(["", *sorted(Fault)])
MOODS = st.sampled_from(["cancel_sweep", "retry_sweep", "pause_sweep", "resume_sweep"])
KEPT, LEFT = 2, 1  # checkpoints of an unfinished stage, and of one that has succeeded
EARLIER = 500  # tokens used in a session before an adoption
DAY = 86_400.0
STEPS = [partial(take_back, stall=STALL), walk_sweeps, wake_stages, spread_changes]


def question(sweep: str) -> Plan:
    """`poor` wants a part of what the others want; the runs of a cell are its seeds."""
    wanted = STAGES[:2] if sweep == "poor" else STAGES
    names = [stage.id[6:] for stage in wanted]
    runs = [Run({"data": "x"}, seed, f"train-{name}", {"nll": f"evaluate-{name}"}) for seed, name in enumerate(names)]
    return plan(sweep, [*wanted, *(ALL[f"evaluate-{name}"] for name in names)], runs)


@dataclass(frozen=True)
class Taken:
    """What a lease came with."""

    attempt: str  # stage|number
    held: int  # micro-dollars
    embodied: int  # micro-dollars that its checkpoint had cost


def _waits_for(parent: str) -> str:
    return "ready" if parent == "succeeded" else "waiting"


class Books(RuleBasedStateMachine):
    """The verbs, and the books that must agree whatever was done."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        client.flushall()
        self.clock = FakeClock()
        self.clock.now += 86_400_000 - self.clock.now % 86_400_000 - 12_000  # midnight is near
        self.night = Night(Store(client, self.clock), self.clock)
        self.store = self.night.store
        self.client: Any = client
        self.nudges: list[tuple[str, int]] = []
        self.leases: dict[Lease, Taken] = {}
        self.adopted: set[str] = set()  # attempts that went on in the session of another
        self.booked: dict[str, tuple[str, int]] = {}  # attempt -> who pays, and what has been said of its cost
        self.kept: dict[str, list[str]] = {}  # stage -> paths of its checkpoints, as the law has it
        self.submitted: set[str] = set()
        self.limits = dict(LIMITS)
        self.day_limit: int | None = None
        self.user_limit: int | None = None
        self.days = [self.clock() // 86_400_000]

    @initialize(sweeps=st.sets(SWEEPS, min_size=1), day_limit=DAYS, user_limit=DAYS)
    def begin(self, sweeps: set[str], day_limit: int | None, user_limit: int | None) -> None:
        self.day_limit, self.user_limit = day_limit, user_limit
        set_user_budget(self.store, Actor("ops", "a test"), "ada", {"day": user_limit})
        self.store.scripts.run("set_limits", *(() if day_limit is None else (f"day:{SERVICE}", day_limit)))
        for sweep in sorted(sweeps):
            self.submit(sweep)
        self.night.spread()

    @rule(sweep=SWEEPS)
    def submit(self, sweep: str) -> None:
        slots = 2 if sweep == "free" else None
        submit(self.store, submission(question(sweep), limit=LIMITS[sweep], slots=slots, notify=("HOOK",)))
        self.submitted.add(sweep)

    # Beginning.

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
                assert self._settle(lease, share, StageState.SUCCEEDED, "exact")
        self.come_to_rest()

    def _ready(self) -> list[str]:
        return sorted(self.client.zrange(keys.state(StageState.READY), 0, -1))

    @precondition(lambda self: self.nudges)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        stage, attempt = data.draw(st.sampled_from(self.nudges))  # it stays: messages are doubled and late
        self._take(self.store.claim(stage, attempt=attempt, worker="w", lease=LEASE))

    @rule(data=st.data(), sweep=SWEEPS)
    def adopt(self, data: st.DataObject, sweep: str) -> None:
        """A worker tries only what it has just finished the parent of; in vain, others."""
        likely = [stage for stage in self._ready() if ALL[stage].parents]
        stage = data.draw(st.sampled_from(likely or sorted(ALL)))
        lease = self.night.continue_on_client(stage, sweep, opened_by="train-a|1", used=EARLIER)
        self._take(lease)
        if lease is not None:
            self.adopted.add(self.leases[lease].attempt)

    def _take(self, lease: Lease | None) -> None:
        if lease is None:
            return
        held, attempt, payer = self.client.hmget(keys.stage(lease.stage), "reserved", "attempt", "payer")
        checkpoint = self.store.read_assignment(lease.stage).checkpoint
        name = f"{lease.stage}|{attempt}"
        assert name not in self.booked, "an attempt is taken once"
        self.leases[lease] = Taken(name, int(held), int(str(checkpoint["micro_usd"])) if checkpoint else 0)
        self.booked[name] = (payer, 0)

    # Writing.

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), share=SHARE, quiet=st.sampled_from([None, 0.0, 1.0, OVERDUE * STALL]))
    def report(self, data: st.DataObject, share: float, quiet: float | None) -> None:
        """How far it is, or how long nothing has been heard: where that is too long, the next tick ends it."""
        lease = data.draw(self._a_lease())
        held = self._held(lease)
        if quiet is not None:
            assert self.night.renew(lease, quiet=quiet) == [self._asked(lease) if held else "lost"]
        else:
            assert self._book(lease, share, self.store.report_progress(lease, self._meter(lease, share), {})) == held

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), share=SHARE, needed=st.sampled_from([1, 100, 2_500]), again=st.booleans())
    def reserve_more(self, data: st.DataObject, share: float, needed: int, again: bool) -> None:
        """The estimate was too small: so much is needed for what is next."""
        lease = data.draw(self._a_lease())
        held, used, taken = self._held(lease), self._meter(lease, share), self.leases[lease]
        answer = self.store.reserve_more(lease, used, needed)
        assert (answer == "lost") != self._book(lease, share, answer != "lost") == held
        if answer == "held":
            booked = self.booked[taken.attempt][1]
            self.leases[lease] = replace(taken, held=max(taken.held, booked + needed))
        if again and answer != "lost":
            before = self.night.snapshot()
            assert self.store.reserve_more(lease, used, needed) == answer
            assert self.night.snapshot() == before

    def _asked(self, lease: Lease) -> str:
        is_down = self.client.hget(keys.breaker(SERVICE), "state") in ("open", "stopped")
        return "park" if is_down else law.asked(self._look(), lease.stage)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), share=SHARE, again=st.booleans())
    def commit(self, data: st.DataObject, share: float, again: bool) -> None:
        lease = data.draw(self._a_lease())
        held, used = self._held(lease), self._meter(lease, share)
        path = f"{self.leases[lease].attempt}/{len(self.kept.get(lease.stage, []))}-{used.tokens}-{self.clock()}"
        assert self._commit(lease, share, path) == held
        if again:  # the answer was lost
            assert self._commit(lease, share, path) == held

    def _commit(self, lease: Lease, share: float, path: str) -> bool:
        used = self._meter(lease, share)
        cost = self.leases[lease].embodied + used.micro_usd
        document: dict[str, Json] = {"path": path, "model": MODEL, "step": used.tokens, "micro_usd": cost}
        done = self._book(lease, share, self.store.commit_checkpoint(lease, used, document))
        if done:
            before = self.kept.get(lease.stage, [])
            self.kept[lease.stage] = [*(older for older in before if older != path), path][-KEPT:]
        return done

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), which=st.integers(-1, 1))
    def forget(self, data: st.DataObject, which: int) -> None:
        lease = data.draw(self._a_lease())
        held, kept = self._held(lease), self.kept.get(lease.stage, [])
        path = kept[which] if -len(kept) <= which < len(kept) else "never written"
        assert self.store.forget_checkpoint(lease, path) == held
        if held:
            self.kept[lease.stage] = [entry for entry in kept if entry != path]

    # Ending.

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), share=SHARE, cost=COSTS, failure=FAULTS)
    def give_back(self, data: st.DataObject, share: float, cost: Cost, failure: str) -> None:
        lease = data.draw(self._a_lease())
        held, used = self._held(lease), self._meter(lease, share)
        done = self.store.give_back(lease, used, delay=10 * share, failure=failure, cost=cost, cause="")
        assert self._book(lease, share, done) == held

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), share=SHARE, end=st.sampled_from([*sorted(FINISHED - {StageState.SKIPPED})]), cost=COSTS)
    def settle(self, data: st.DataObject, share: float, end: StageState, cost: Cost) -> None:
        lease = data.draw(self._a_lease())
        held = self._held(lease)
        assert self._settle(lease, share, end, cost) == held

    def _settle(self, lease: Lease, share: float, end: StageState, cost: Cost) -> bool:
        """Where it succeeds, behind a last checkpoint; now and then one that is lost at once."""
        if end is StageState.SUCCEEDED and lease.stage.startswith("train") and share:
            self._commit(lease, share, f"{self.leases[lease].attempt}/last")
        nll = round(math.sin(len(self.leases) + share), 3)
        result = json.dumps({"metrics": {"nll": nll, "bits": nll * 1.5}})
        done = self.store.settle(lease, self._meter(lease, share), end, cost=cost, result=result)
        if done and end is StageState.SUCCEEDED:
            self.kept[lease.stage] = self.kept.get(lease.stage, [])[-LEFT:]
        return self._book(lease, share, done)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), share=SHARE, path=st.sampled_from(["newest", "another", ""]))
    def retrain_parent(self, data: st.DataObject, share: float, path: str) -> None:
        held = [lease for lease in self.leases if ALL[lease.stage].parents and self._held(lease)]
        lease = data.draw(st.sampled_from(held) if held else self._a_lease())
        self._retrain(lease, share, path)

    @rule(sweep=SWEEPS)
    def what_parents_left_is_gone(self, sweep: str) -> None:
        """Every child that is ready finds that it cannot start."""
        for stage in filter(lambda stage: ALL[stage].parents, self._ready()):
            if sent := self.store.dispatch(stage, sweep=sweep, patience=PATIENCE).attempt:
                self._take(lease := self.store.claim(stage, attempt=sent, worker="w", lease=LEASE))
                assert lease is not None
                self._retrain(lease, 0.0, "newest")

    def _retrain(self, lease: Lease, share: float, path: str) -> None:
        if not (parents := ALL[lease.stage].parents):
            return
        held, kept = self._held(lease), self.kept.get(parents[0], [])
        missing = kept[-1] if kept and path == "newest" else path
        before = self.night.state(parents[0])
        bare = before == "succeeded" and (not kept or kept[-1] == missing)
        done = self.store.retrain_parent(lease, self._meter(lease, share), parents[0], missing)
        assert self._book(lease, share, done) == held
        if not done:
            return
        if bare:
            self.kept[parents[0]] = kept[:-1]
        after = self.night.state(parents[0]), self.night.state(lease.stage)
        may_be = {("ready", "waiting"), ("succeeded", "failed")} if bare else {(before, _waits_for(before))}
        assert after in may_be, f"{lease.stage} found {missing!r} of {kept} gone"

    def _book(self, lease: Lease, share: float, done: bool) -> bool:
        """What an attempt says of its cost only grows. Answers `done`."""
        name = self.leases[lease].attempt
        payer, before = self.booked[name]
        if done:
            self.booked[name] = payer, max(before, self._meter(lease, share).micro_usd)
        return done

    def _a_lease(self) -> st.SearchStrategy[Lease]:
        """One that is held, more often than not."""
        held = [lease for lease in self.leases if self._held(lease)]
        return st.sampled_from([*held, *held, *self.leases])

    def _held(self, lease: Lease) -> bool:
        row = self.client.hmget(keys.stage(lease.stage), "state", "fence")
        until = self.client.zscore(keys.state("running"), lease.stage)
        return bool(row == ["running", lease.fence] and until > self.clock())

    def _meter(self, lease: Lease, share: float) -> Meter:
        used = round(self.leases[lease].held * share)
        return Meter(used, used)

    # What comes from elsewhere.

    @rule(data=st.data(), share=SHARE)
    def reconcile_cost(self, data: st.DataObject, share: float) -> None:
        """The service counted at most what had been said and feared."""
        open_costs = sorted(self.client.zrange(keys.UNRECONCILED, 0, -1))
        attempt = data.draw(st.sampled_from([*open_costs, *open_costs, "train-a|99"]))
        row = self.client.hgetall(keys.unreconciled(attempt))
        earlier = EARLIER if attempt in self.adopted else 0
        counted = round(share * (int(row.get("tokens", 0)) + int(row.get("unreconciled", 0))))
        assert self.store.scripts.run("reconcile_cost", attempt, json.dumps({"training": earlier + counted})) == int(
            attempt in open_costs
        )
        if attempt in open_costs:
            self.booked[attempt] = self.booked[attempt][0], counted

    @rule(sweep=SWEEPS, limit=st.sampled_from([0, 500, 1_950, 9_000]))
    def set_budget(self, sweep: str, limit: int) -> None:
        held = sum(self._look().books[sweep][what] for what in ("spent", "reserved", "unreconciled"))
        state, done, *_ = self.store.scripts.run("set_budget", sweep, limit)
        assert (bool(state), bool(done)) == (sweep in self.submitted, sweep in self.submitted and held <= limit)
        if done:
            self.limits[sweep] = limit

    @rule(seconds=st.sampled_from([5.0, PATIENCE, LEASE, OVERDUE * STALL, DAY]), noticed=st.booleans())
    def time_passes(self, seconds: float, noticed: bool) -> None:
        self.clock.pass_seconds(seconds)
        self.days.append(self.clock() // 86_400_000)
        if noticed:
            self.come_to_rest()

    @rule(data=st.data(), verb=MOODS, noticed=st.booleans())
    def change_of_mind(self, data: st.DataObject, verb: str, noticed: bool) -> None:
        """Of one that pays just now, more often than not."""
        payers = [self.booked[taken.attempt][0] for lease, taken in self.leases.items() if self._held(lease)]
        self.store.scripts.run(verb, data.draw(st.sampled_from([*payers, *payers, *sorted(LIMITS)])))
        if noticed:
            self.come_to_rest()

    @rule(sweep=SWEEPS, inside=st.booleans(), noticed=st.booleans())
    def hours_begin_or_end(self, sweep: str, inside: bool, noticed: bool) -> None:
        self.store.scripts.run("set_window", sweep, int(inside), "", "")
        if noticed:
            self.come_to_rest()

    @rule(stop=st.booleans())
    def the_account_is_refused_or_a_person_acts(self, stop: bool) -> None:
        """Where it is refused nothing starts; the canary that follows a person's word is healthy."""
        if stop:
            self.store.stop_service(SERVICE, "402")
            return
        self.store.scripts.run("resume_service", SERVICE)
        name = f"at {self.clock()}"
        if self.store.take_canary(SERVICE, name, tokens=0, patience=9, pace=0.001):
            self.store.record_canary_result(SERVICE, name, "healthy", "paid", tries=1)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def a_client_is_closed(self, data: st.DataObject) -> None:
        """Whoever still works with it holds its slot again with the next renewal."""
        lease = data.draw(self._a_lease())
        slot = self.client.hget(keys.stage(lease.stage), "slot")
        if not self._held(lease):
            self.store.free_slot(law.LANE, self.leases[lease].attempt)
        elif slot:
            assert self.client.zscore(keys.slots(law.LANE), slot) > self.clock()

    @rule(step=st.sampled_from(STEPS))
    def one_step_of_a_tick(self, step: Any) -> None:
        step(self.store)

    @rule()
    def come_to_rest(self) -> None:
        self.night.spread()
        seen = self._look()
        law.check_rest(seen, ALL)
        law.check_unreconciled(self.client, seen)
        law.check_outbox(self.client)
        for sweep in self.submitted:
            law.check_sweep(self.store, seen, sweep, question(sweep).stages)

    @invariant()
    def the_books_agree(self) -> None:
        seen = self._look()
        law.check_indices(seen)
        law.check_books(seen, self.limits, self.booked)
        law.check_days(self.client, seen, SERVICE, sorted(set(self.days)), self.day_limit)
        law.check_users(self.client, seen, "ada", sorted(set(self.days)), self.user_limit)
        law.check_checkpoints(seen, self.kept)
        law.check_slots(self.client, seen)

    def _look(self) -> law.Seen:
        return law.look(self.client, self.clock(), ALL, LIMITS)
