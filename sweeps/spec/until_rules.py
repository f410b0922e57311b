"""Check what a sweep needs that stops when its minimum data is known well enough."""

from collections.abc import Iterator

from sweeps.spec import axes
from sweeps.spec.model import SweepFields
from sweeps.spec.scalars import Finding

FEWEST_SIZES = 4  # of the shortest law, with two more than its parameters
FEWEST_SEEDS = 2  # of the full grid: one seed says nothing of how far seeds differ


def check_until(sweep: SweepFields) -> Iterator[Finding]:
    """Require a target, and sizes and seeds that can give an interval."""
    if sweep.until is None:
        return
    if sweep.target is None:
        yield ("until", "minimum_data"), "is about the size that reaches a `target`, and there is none; add one"
    sizes = 0 if sweep.sizes is None else axes.count_values(sweep.sizes)
    if sizes < FEWEST_SIZES:
        yield ("until", "minimum_data"), f"expected at least {FEWEST_SIZES} sizes, got {sizes}: no law fits fewer"
    if len(sweep.seed_values) < FEWEST_SEEDS:
        yield ("seeds",), f"expected at least {FEWEST_SEEDS} with `until`: how far seeds differ must be known"
