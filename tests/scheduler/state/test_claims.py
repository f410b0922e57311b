"""A stage is claimed exactly once, whatever happens to the messages that nudge for it."""

import random
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from scheduler.state import keys
from scheduler.state.commands import Word
from scheduler.state.store import Lease, Store
from tests.scheduler.night import LEASE, PATIENCE, Night
from tests.scheduler.plans import evaluate, plan, single, train
from tests.support import FakeClock


@pytest.fixture
def ready(night: Night) -> Night:
    night.submit(single("s", 1))
    return night


STAGE = "train-0000"


def test_a_doubled_message_finds_the_stage_taken(ready: Night) -> None:
    sent = ready.store.dispatch(STAGE, sweep="s", patience=PATIENCE)
    claims = [ready.store.claim(STAGE, attempt=sent.attempt, worker=f"w{n}", lease=LEASE) for n in range(3)]
    assert [claim is not None for claim in claims] == [True, False, False]


def test_a_late_message_of_an_attempt_that_ran_out_finds_nothing(ready: Night) -> None:
    late = ready.store.dispatch(STAGE, sweep="s", patience=PATIENCE)
    ready.clock.pass_seconds(PATIENCE)
    ready.spread()
    assert ready.state(STAGE) == "ready"
    assert ready.store.claim(STAGE, attempt=late.attempt, worker="w", lease=LEASE) is None
    again = ready.store.dispatch(STAGE, sweep="s", patience=PATIENCE)
    assert again.attempt == late.attempt + 1
    assert ready.store.claim(STAGE, attempt=late.attempt, worker="w", lease=LEASE) is None
    assert ready.store.claim(STAGE, attempt=again.attempt, worker="w", lease=LEASE) is not None


@pytest.mark.parametrize(("stage", "attempt"), [("train-nobody", 1), (STAGE, 0), (STAGE, 2), (STAGE, -1)])
def test_a_stray_message_changes_nothing(ready: Night, stage: str, attempt: int) -> None:
    ready.store.dispatch(STAGE, sweep="s", patience=PATIENCE)
    before = ready.snapshot()
    assert ready.store.claim(stage, attempt=attempt, worker="w", lease=LEASE) is None
    assert ready.snapshot() == before


def test_a_stage_that_is_not_dispatched_cannot_be_claimed(ready: Night) -> None:
    assert ready.store.claim(STAGE, attempt=0, worker="w", lease=LEASE) is None
    ready.do(STAGE, "s")
    assert ready.store.claim(STAGE, attempt=1, worker="w", lease=LEASE) is None


@pytest.mark.parametrize(("workers", "stages"), [(1, 5), (2, 5), (3, 3), (8, 20)])
def test_many_threads_and_shuffled_doubled_messages_claim_each_stage_once(
    night: Night, workers: int, stages: int
) -> None:
    night.submit(single("s", stages))
    names = [f"train-{number:04d}" for number in range(stages)]
    attempts = {name: night.store.dispatch(name, sweep="s", patience=PATIENCE).attempt for name in names}
    messages = names * workers
    random.Random(7).shuffle(messages)
    with ThreadPoolExecutor(workers) as pool:
        answers = list(
            pool.map(lambda name: night.store.claim(name, attempt=attempts[name], worker="w", lease=LEASE), messages)
        )
    leases = [lease for lease in answers if lease is not None]
    assert sorted(lease.stage for lease in leases) == names
    assert len({lease.fence for lease in leases}) == stages


def test_a_claim_whose_answer_was_lost_gets_the_same_lease_when_the_client_sends_it_again(ready: Night) -> None:
    sent = ready.store.dispatch(STAGE, sweep="s", patience=PATIENCE)
    call: list[Word] = [STAGE, sent.attempt, "w", 60_000, uuid.uuid4().hex]
    first = ready.store.scripts.run("claim_stage", *call)
    assert first
    assert ready.store.scripts.run("claim_stage", *call) == first


def test_an_adoption_whose_answer_was_lost_gets_the_same_lease_and_holds_money_once(night: Night) -> None:
    night.submit(plan("s", [train("a"), evaluate("a", "train-a", cost=50)]))
    night.do("train-a", "s")
    call: list[Word] = ["evaluate-a", "s", "w", 60_000, uuid.uuid4().hex, "train-a|1", 1_000]
    first = night.store.scripts.run("continue_on_client", *call)
    assert first
    assert night.store.scripts.run("continue_on_client", *call) == first
    assert night.money("s") == (1_000, 50, 0)


def test_every_lease_has_a_fencing_number_of_its_own(night: Night) -> None:
    night.submit(single("s", 1))
    seen = set()
    for _ in range(5):
        seen.add(night.start(STAGE, "s").fence)
        night.clock.pass_seconds(LEASE)
        night.spread()
    assert len(seen) == 5


def test_renewing_answers_held_stop_or_lost(night: Night, store: Store, clock: FakeClock) -> None:
    night.submit(single("s", 2))
    first, second = (night.start(f"train-{n:04d}", "s") for n in range(2))
    stray = Lease("train-0001", "0-0")
    assert night.renew(first, stray, second) == ["held", "lost", "held"]
    clock.pass_seconds(LEASE - 1)
    assert night.renew(first) == ["held"]
    clock.pass_seconds(1)
    assert night.renew(first, second) == ["held", "lost"]
    store.scripts.run("cancel_sweep", "s")
    night.spread()
    assert night.renew(first) == ["stop"]
    assert night.renew() == []


def test_a_renewed_lease_lasts_from_the_moment_of_renewal(night: Night, store: Store, clock: FakeClock) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    clock.pass_seconds(30)
    night.renew(lease)
    assert store.client.zscore(keys.state("running"), STAGE) == clock() + LEASE * 1000
