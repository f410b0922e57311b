"""Profit and loss of one episode, from its returns (T,): what each period added, as a share of the wealth before it."""

import math

import numpy as np
import numpy.typing as npt


def total_return(returns: npt.ArrayLike) -> float:
    """Π(1 + r) - 1, as a share of the wealth at the start."""
    return float(np.prod(1 + np.asarray(returns, float)) - 1)


def sharpe(returns: npt.ArrayLike, *, periods: float = 1, riskless: float = 0.0) -> float | None:
    """mean(r - riskless)/sd(r)·√periods (Sharpe 1994); `periods` of a year make it a yearly one.

    The deviation divides by T - 1. None where there are fewer than two returns or all are the same.
    """
    values = np.asarray(returns, float)
    if len(values) < 2 or values.max() == values.min():
        return None
    return float((values - riskless).mean() / values.std(ddof=1)) * math.sqrt(periods)


def maximal_drawdown(returns: npt.ArrayLike) -> float:
    """Compute the largest fall of wealth from a peak, as a share of the peak; 0 if it never falls."""
    wealth = np.cumprod(np.concatenate([[1.0], 1 + np.asarray(returns, float)]))
    return float((1 - wealth / np.maximum.accumulate(wealth)).max())
