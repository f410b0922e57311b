"""Say how far beyond the measured sizes a law may be asked: as far as its past extrapolations were right."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.formatting import percent
from sweeps.scaling.backtests import Backtests
from sweeps.scaling.laws import Floats

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


def find_trust(tests: Backtests, n: Floats, row: int) -> Trust:
    """Look at the forecasts of the largest size: from all but the largest, from all but two, and so on."""
    past = 1.0
    for left, error in enumerate(tests.last[row].tolist(), 1):
        size, largest = float(n[-1 - left]), float(n[-1])
        times = largest / size
        if abs(error) > REFUSE:
            count = len(n) - left
            off = f"the law was off by {percent(abs(error), 0)} at ×{times:.3g} ({largest:,.0f})"
            reason = f"from the first {count} sizes (up to {size:,.0f}), {off}"
            return Trust(past, 1.0 if left == 1 else math.sqrt(past * times), reason)
        past = times
    return Trust(past)


def trust_laws(tests: Backtests, n: Floats, asked: Floats) -> npt.NDArray[np.bool_]:
    """(R,) was the law right when it last looked as far ahead as from the largest size to those asked about (R,)?"""
    times = asked / n[-1]
    limits = np.array([find_trust(tests, n, row).limit for row in range(len(asked))])
    return np.asarray(limits >= np.maximum(times, 1 + 1e-9))
