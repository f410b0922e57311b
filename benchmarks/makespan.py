"""How long 500 stages of mixed length take in 16 slots, beside the shortest time that any order could take."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.row import PAIRS, Row
from scheduler.state import views
from scheduler.state.store import Store
from scheduler.state.submission import submit
from tests.nights.simulation import BEAT, CYCLE, Night, Service
from tests.scheduler.plans import evaluate, plan, submission, train
from tests.support import FakeClock, redis_server

TRAININGS, SLOTS = 250, 16
SHORTEST, LONGEST = 4, 40  # cycles of a training; its evaluation takes an eighth


def measure() -> list[Row]:
    """Simulate a night with the real verbs, tick and admission; the clock and the service are played."""
    ours, bounds = list[float](), list[float]()
    for seed in range(PAIRS):
        took, bound = simulate(seed)
        ours.append(took)
        bounds.append(bound)
    what = f"{2 * TRAININGS} stages, an evaluation behind each training, {SLOTS} slots"
    against = "the larger of the critical path and work / slots"
    return [Row(what=what, against=against, unit="s", ours=ours, theirs=bounds, most=1.05)]


def simulate(seed: int) -> tuple[float, float]:
    """Return the seconds of a night, and its bound."""
    draw = random.Random(seed)
    lengths = {f"train-{number}": draw.randint(SHORTEST, LONGEST) for number in range(TRAININGS)}
    lengths |= {f"evaluate-{number}": max(1, lengths[f"train-{number}"] // 8) for number in range(TRAININGS)}
    stages = [train(str(number)) for number in range(TRAININGS)]
    stages += [evaluate(str(number), f"train-{number}") for number in range(TRAININGS)]
    with TemporaryDirectory() as name, redis_server(Path(name)) as server:
        clock = FakeClock()
        store = Store(server.client(), clock)
        submit(store, submission(plan("s", stages)))
        night = Night(store, clock, Service(SLOTS), steps=lengths.__getitem__, every=1000)
        night.until(lambda: views.read_sweep(store, "s").state == "finished", seconds=1e6)
        assert not night.repeated.total()
        took = night.now - BEAT
    # A stage opens its client at one cycle and takes its steps at the next ones.
    occupied = {stage: (steps + 1) * CYCLE for stage, steps in lengths.items()}
    path = max(occupied[f"train-{number}"] + occupied[f"evaluate-{number}"] for number in range(TRAININGS))
    return took, max(path, sum(occupied.values()) / SLOTS)
