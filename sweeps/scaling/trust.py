"""Say how far beyond the measured sizes a law may be asked: as far as its past extrapolations were right."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.formatting import percent
from sweeps.scaling.laws import Floats
from sweeps.scaling.misfit import Misfit

REFUSE = 0.10  # relative error of an extrapolation, above which a law is not asked


class Trust(NamedTuple):
    """How far one fitted law is trusted.

    times: the largest multiple of the largest size fitted, at which the largest size was forecast within REFUSE, as all
    nearer ones were; 1 where not even the nearest was. limit: a question about more than this many times the largest
    size is refused. reason: the forecast that failed, with its figure.
    """

    times: float
    limit: float = math.inf
    reason: str = ""

    @property
    def is_refused(self) -> bool:
        """True if not even the nearest forecast was right."""
        return self.limit <= 1


def find_trust(misfit: Misfit, row: int) -> Trust:
    """Look at the forecasts of the largest size: from all sizes but the largest, from all but two, and so on.

    One that the noise of the runs explains fails only at the nearest horizon: farther off, noise alone makes a forecast
    from few sizes useless, and the interval says so. Where seeds tell that it is no noise, the forecast of the second
    largest size from all smaller ones must have been right, too.
    """
    n, past, kept = misfit.curves.n, 1.0, float(misfit.kept[row])
    before = float(misfit.tests.newest[row, 0])
    if misfit.tests.known is not None and kept > 0 and abs(before) > REFUSE:
        return Trust(1.0, 1.0, _describe_failure(misfit, n[:-1], 1, before))
    for left, error in enumerate(misfit.tests.last[row].tolist(), 1):
        times = float(n[-1] / n[-1 - left])
        if abs(error) > REFUSE and (left == 1 or kept > 0):
            return Trust(past, 1.0 if left == 1 else math.sqrt(past * times), _describe_failure(misfit, n, left, error))
        past = times
    return Trust(past)


def _describe_failure(misfit: Misfit, n: Floats, left: int, error: float) -> str:
    """Name the sizes that were fitted, and how far off the last of `n` was, with `left` sizes left out."""
    size, largest = float(n[-1 - left]), float(n[-1])
    fitted = f"the {misfit.curves.law} law, fitted to the first {len(n) - left} sizes (up to {size:,.0f})"
    return f"{fitted}, misses the size {largest:,.0f} (×{largest / size:.3g}) by {percent(abs(error), 0)}"


def trust_laws(misfit: Misfit, asked: Floats) -> npt.NDArray[np.bool_]:
    """(R,) was the law right when it last looked as far ahead as from the largest size to those asked about (R,)?"""
    limits = np.array([find_trust(misfit, row).limit for row in range(len(asked))])
    return np.asarray(limits >= np.maximum(asked / misfit.curves.n[-1], 1 + 1e-9))
