"""Whoever asks for little is not kept waiting by whoever asked for much."""

from scheduler.state import views
from scheduler.state.store import Store
from scheduler.state.submission import submit
from tests.nights.simulation import CYCLE, Night, Service, lengths
from tests.scheduler.plans import single, submission
from tests.support import FakeClock


def test_ten_stages_behind_a_thousand_finish_early(store: Store, clock: FakeClock) -> None:
    submit(store, submission(single("large", 1000, prefix="large")))
    night = Night(store, clock, Service(cap=12), steps=lengths(1, 3, 6))
    night.play(20 * CYCLE)
    submit(store, submission(single("small", 10, prefix="small")))
    asked = night.now
    night.until(lambda: views.read_sweep(store, "small").state == "finished", seconds=60 * CYCLE)
    alone = 10 / 12 * 6 * CYCLE + 3 * CYCLE
    assert night.now - asked < 5 * alone
    assert views.read_sweep(store, "large").counts["succeeded"] < 150


def test_a_higher_priority_takes_effect_at_once_however_long_the_queue_is(store: Store, clock: FakeClock) -> None:
    submit(store, submission(single("first", 500, prefix="first")))
    submit(store, submission(single("second", 30, prefix="second")))
    night = Night(store, clock, Service(cap=6), steps=lengths(1, 3, 6))
    night.play(10 * CYCLE)
    store.scripts.run("set_priority", "second", 9)
    before = len([stage for stage in night.done if "first" in stage])
    under_way = len(night.attempts)
    night.until(lambda: views.read_sweep(store, "second").state == "finished", seconds=300 * CYCLE)
    assert len([stage for stage in night.done if "first" in stage]) <= before + under_way
