"""A cap that nobody configured is found, used, and followed when it moves."""

import pytest

from scheduler.state import keys, views
from scheduler.state.store import Store
from scheduler.state.submission import submit
from tests.nights.seeds import seeds
from tests.nights.simulation import CYCLE, Night, Service, lengths, occupancy, percentile
from tests.scheduler.plans import single, submission
from tests.support import FakeClock


def begun(store: Store, clock: FakeClock, *, cap: int, stages: int, seed: int) -> Night:
    submit(store, submission(single("s", stages)))
    return Night(store, clock, Service(cap), steps=lengths(seed))


@pytest.mark.parametrize("seed", seeds(1))
def test_a_cap_of_twelve_is_found_and_used(store: Store, clock: FakeClock, seed: int) -> None:
    night = begun(store, clock, cap=12, stages=200, seed=seed)
    night.until(lambda: views.read_sweep(store, "s").state == "finished", seconds=200 * 24 * CYCLE)
    busy = night.between(60)
    assert occupancy(busy) >= 0.85
    assert percentile((sighting.queued for sighting in busy), 0.95) <= 2
    assert views.read_sweep(store, "s").counts == {"succeeded": 200}
    assert not night.repeated.total()
    assert not night.charged()


@pytest.mark.parametrize("seed", seeds(1))
def test_a_cap_that_moves_is_followed_within_sixty_cycles(store: Store, clock: FakeClock, seed: int) -> None:
    night = begun(store, clock, cap=12, stages=450, seed=seed)
    night.play(100 * CYCLE)
    for cap in (5, 20):
        night.service.cap = cap
        night.play(60 * CYCLE)
        settled = night.now
        night.play(40 * CYCLE)
        after = night.between(settled)
        assert after, "there was always more to do"
        assert 0.85 <= occupancy(after) <= 1.0, f"the cap of {cap}"
        assert percentile((sighting.queued for sighting in after), 0.95) <= 2
    assert percentile((sighting.queued for sighting in night.between(60)), 0.95) <= 2
    assert not views.read_sweep(store, "s").counts.get("failed")
    assert not night.charged()


@pytest.mark.parametrize("seed", seeds(1))
def test_every_slot_of_workers_that_were_killed_is_free_within_a_lease(
    store: Store, clock: FakeClock, seed: int
) -> None:
    night = begun(store, clock, cap=12, stages=60, seed=seed)
    night.play(20 * CYCLE)
    assert store.client.zcard(keys.slots("offline/training")) >= 12
    night.kill_the_workers()
    night.workers_are_up = False
    night.play(60)
    assert night.taken() == 0
    night.workers_are_up = True
    night.until(lambda: views.read_sweep(store, "s").state == "finished", seconds=60 * 24 * CYCLE)
    assert views.read_sweep(store, "s").counts == {"succeeded": 60}
