"""What follows a failure: an outage costs nothing, the stage's own is final, the other kinds have a budget each."""

import itertools
import random
from collections.abc import Iterator

import pytest

from scheduler.engine.retry import BUDGETS, LONGEST, LONGEST_ELSE, LOOK_AGAIN, Fault, GiveUp, Park, RetryAt, decide
from scheduler.state import keys
from scheduler.state.states import StageState
from scheduler.state.store import Meter
from tests.scheduler.night import Night
from tests.scheduler.plans import single

SEED = 3
STAGE = "train-0000"
COUNTED = sorted(fault for fault, budget in BUDGETS.items() if budget > 1)


def chance() -> random.Random:
    return random.Random(SEED)


def waits(fault: Fault) -> Iterator[float]:
    """After each failure in a row, until it is given up."""
    source = chance()
    for before in itertools.count():
        decision = decide(fault, failures={fault: before}, chance=source)
        if not isinstance(decision, RetryAt):
            return
        yield decision.delay


@pytest.mark.parametrize("failures", [0, 2, 100, 10_000])
def test_an_outage_is_never_the_end(failures: int) -> None:
    decision = decide(Fault.OUTAGE, failures={Fault.OUTAGE: failures, Fault.UNKNOWN: 2}, chance=chance())
    assert isinstance(decision, RetryAt)
    assert 0.5 <= decision.delay <= LONGEST_ELSE


@pytest.mark.parametrize("fault", [Fault.STAGE, Fault.MALFORMED])
@pytest.mark.parametrize("failures", [0, 7])
def test_what_would_fail_again_ends_at_once(fault: Fault, failures: int) -> None:
    assert decide(fault, failures={fault: failures}, chance=chance()) == GiveUp()


@pytest.mark.parametrize("failures", [0, 7])
def test_what_a_person_has_to_see_to_waits_for_one(failures: int) -> None:
    """What is wrong with the account closes the breaker; what is wrong with the machine is looked at again."""
    assert decide(Fault.ACCOUNT, failures={Fault.ACCOUNT: failures}, chance=chance()) == Park(0.0)
    assert decide(Fault.MACHINE, failures={Fault.MACHINE: failures}, chance=chance()) == Park(LOOK_AGAIN)


@pytest.mark.parametrize("fault", COUNTED)
def test_each_kind_has_its_own_budget_and_uses_up_no_other(fault: Fault) -> None:
    others = {str(other): 1_000 for other in Fault if other is not fault}
    last = BUDGETS[fault] - 1
    assert isinstance(decide(fault, failures={**others, fault: last - 1}, chance=chance()), RetryAt)
    assert decide(fault, failures={**others, fault: last}, chance=chance()) == GiveUp()


def test_the_wait_doubles_and_then_stays() -> None:
    delays = list(itertools.islice(waits(Fault.OUTAGE), 40))
    for number, wait in enumerate(delays):
        whole = min(LONGEST_ELSE, 2.0 ** (number + 1))
        assert whole / 2 <= wait <= whole


def test_what_the_service_broke_is_tried_for_longer_than_a_bad_hour() -> None:
    assert sum(waits(Fault.BROKEN)) > 3600, f"seed {SEED}"
    assert max(waits(Fault.BROKEN)) <= LONGEST[Fault.BROKEN]


def test_waits_are_spread_so_that_all_do_not_come_back_at_once() -> None:
    source = chance()
    assert len({decide(Fault.OUTAGE, failures={Fault.OUTAGE: 3}, chance=source) for _ in range(20)}) == 20


@pytest.mark.parametrize("fault", [*COUNTED, Fault.OUTAGE])
@pytest.mark.parametrize("better", ["checkpoint", "success", "retry"])
def test_failures_are_counted_by_kind_until_the_stage_gets_any_further(night: Night, fault: Fault, better: str) -> None:
    night.submit(single("s", 1))
    for _ in range(2):
        lease = night.start(STAGE, "s")
        night.store.give_back(lease, Meter(0, 0), delay=0, failure=fault, cost="exact", cause="")
        night.spread()
    lease = night.start(STAGE, "s")
    assert night.store.read_assignment(STAGE).failures == {fault: 2}
    match better:
        case "checkpoint":
            night.commit(lease, 1)
        case "success":
            night.succeed(lease)
        case _:
            night.fail(lease)
            night.tell("retry_sweep", "s")
            night.start(STAGE, "s")
    assert night.store.read_assignment(STAGE).failures == {}


def test_what_waits_for_a_person_is_counted_as_no_failure(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.store.give_back(lease, Meter(0, 0), delay=LOOK_AGAIN, failure="", cost="exact", cause="no money")
    assert night.store.read_assignment(STAGE).failures == {}


def test_progress_that_no_checkpoint_holds_forgives_nothing(night: Night) -> None:
    night.submit(single("s", 1))
    night.store.give_back(night.start(STAGE, "s"), Meter(0, 0), delay=0, failure="broken", cost="exact", cause="")
    night.spread()
    night.store.report_progress(night.start(STAGE, "s"), Meter(5, 5), {"step": 5})
    assert night.store.read_assignment(STAGE).failures == {"broken": 1}


def test_a_failed_stage_keeps_its_last_numbers_for_whoever_looks(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.store.report_progress(lease, Meter(5, 5), {"step": 5, "nll": 3.5})
    night.store.settle(lease, Meter(5, 5), StageState.FAILED, cost="exact", cause="diverged")
    assert night.store.client.hmget(keys.stage(STAGE), ["state", "cause"]) == ["failed", "diverged"]
    assert "3.5" in (night.store.client.hget(keys.stage(STAGE), "progress") or "")
