"""Count the work of a fit by what it evaluates, which is the same on every machine, however busy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from sweeps.scaling import bend
from sweeps.scaling.least_squares import FitProblem


@dataclass
class FittingWork:
    """How many powers n^-a were computed: of the laws, and of the broken law that they are compared with."""

    of_laws: int = 0
    of_bends: int = 0


@contextmanager
def count_powers() -> Iterator[FittingWork]:
    """Count the powers that are computed inside the `with`."""
    work = FittingWork()
    of_laws, of_bends = FitProblem.power, bend._compute_power

    def count_laws(*given: Any) -> Any:
        powers = of_laws(*given)
        work.of_laws += powers.size
        return powers

    def count_bends(*given: Any) -> Any:
        powers = of_bends(*given)
        work.of_bends += powers.size
        return powers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FitProblem, "power", count_laws)
        patch.setattr(bend, "_compute_power", count_bends)
        yield work
