"""What a training step costs the client's processor, beside a bare loop over the SDK on the same server."""

import time
from collections.abc import Callable
from itertools import count

from benchmarks.alternation import alternate
from benchmarks.row import Row
from sweeps.stage import Stage
from tests.bench.faults import STEPS, bare_loop, pipeline, training, workshop
from tests.worker.workshop import Workshop

PAIRS = 7


def measure() -> list[Row]:
    """Train the same stages in turn, each anew; threads of the SDK are counted on both sides."""
    with workshop() as (shop, _):
        numbers = count()
        for run in (pipeline, bare_loop):
            run(shop, training(shop, f"warm-{next(numbers)}"))
        ours, bare = alternate(
            lambda: _count_processor(pipeline, shop, training(shop, f"ours-{next(numbers)}")),
            lambda: _count_processor(bare_loop, shop, training(shop, f"bare-{next(numbers)}")),
            PAIRS,
        )
    what = "processor of the client for a training step"
    return [Row(what=what, against="a bare loop over the SDK", unit="ms", ours=ours, theirs=bare, most=1.10)]


def _count_processor(run: Callable[[Workshop, Stage], None], shop: Workshop, stage: Stage) -> float:
    """Milliseconds of the processor for a step, opening, saving and settling included."""
    before = time.process_time()
    run(shop, stage)
    return 1000 * (time.process_time() - before) / STEPS
