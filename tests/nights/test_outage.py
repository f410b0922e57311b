"""An hour without the service costs no attempt, no stage, and of each no more than one interval of work."""

from collections import Counter

import pytest

from scheduler.state import keys, views
from scheduler.state.store import Store
from scheduler.state.submission import submit
from tests.nights.seeds import seeds
from tests.nights.simulation import CYCLE, Night, Service, lengths
from tests.scheduler.plans import single, submission
from tests.support import FakeClock

HOUR = 3600.0
EVERY = 4  # steps between two checkpoints
STAGES = 120


def state(store: Store) -> str:
    return store.client.hget(keys.breaker("offline"), "state") or "closed"


@pytest.mark.parametrize("seed", seeds(1))
def test_an_hours_outage_with_a_hundred_stages_in_flight(store: Store, clock: FakeClock, seed: int) -> None:
    submit(store, submission(single("s", STAGES)))
    night = Night(store, clock, Service(cap=120), steps=lengths(seed, 14, 22), every=EVERY)
    night.until(lambda: night.service.active >= 100, seconds=HOUR)
    gone, back = night.now, night.now + HOUR
    night.service.away = lambda now: gone <= now < back
    night.until(lambda: state(store) == "open", seconds=150)
    night.until(lambda: not night.attempts, seconds=60)
    assert night.taken() == 0, "whoever is parked takes no slot"
    before = Counter(night.repeated)
    night.until(lambda: night.now >= back, seconds=HOUR)
    assert state(store) == "open"
    assert not night.attempts, "nothing was tried in vain"
    night.until(lambda: bool(night.attempts), seconds=60)
    assert state(store) == "closed"
    assert 0 < len(night.attempts) <= 10, "slowly: not everybody at once"
    night.until(lambda: views.read_sweep(store, "s").state == "finished", seconds=10 * HOUR)
    assert views.read_sweep(store, "s").counts == {"succeeded": STAGES}
    assert not night.charged()
    lost = night.repeated - before
    assert max(lost.values()) <= EVERY


@pytest.mark.parametrize("seed", seeds(1))
def test_a_blip_is_waited_out(store: Store, clock: FakeClock, seed: int) -> None:
    submit(store, submission(single("s", 20)))
    night = Night(store, clock, Service(cap=12), steps=lengths(seed))
    night.play(15 * CYCLE)
    gone = night.now
    night.service.away = lambda now: gone <= now < gone + 40
    night.until(lambda: views.read_sweep(store, "s").state == "finished", seconds=HOUR)
    assert not night.repeated.total(), "nobody was parked"
    assert state(store) == "closed"
