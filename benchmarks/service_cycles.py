"""How many training steps fit into the service's cycles: one a cycle is the most that the service allows."""

from benchmarks.row import Row
from tests.bench.faults import pipeline, training, workshop

CYCLE, TIMES = 0.5, 3  # seconds


def measure() -> list[Row]:
    """Train through the whole pipeline at a service with a clock, and count the ticks between the first and last."""
    steps, ticks = list[float](), list[float]()
    with workshop() as (shop, control):
        for number in range(TIMES):
            stage = training(shop, f"cycles-{number}")
            control.set(cycle=CYCLE)
            pipeline(shop, stage)
            steps.append(stage.steps)
            ticks.append(control.cycles()["busy"])
            control.clear()
    what = "steps for each cycle of the service, opening and saving included"
    note = "two steps are queued at a time, and the stand-in does in a cycle all that is queued"
    return [Row(what=what, against="cycles with work", unit="", ours=steps, theirs=ticks, least=0.97, note=note)]
