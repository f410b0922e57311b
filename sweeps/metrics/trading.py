"""Profit and loss, from returns (T,): what each period, or episode, added, as a share of the wealth before it."""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
WORST = 0.05  # of the returns, whose mean is CVaR


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


def sortino(returns: npt.ArrayLike, *, periods: float = 1, goal: float = 0.0) -> float | None:
    """mean(r - goal) / √mean(min(r - goal, 0)²) · √periods (Sortino & Price 1994); None if no return is below the goal.

    The deviation divides by T, all returns, not only those below the goal.
    """
    values = np.asarray(returns, float) - goal
    below = np.minimum(values, 0)
    return float(values.mean() / math.sqrt((below**2).mean()) * math.sqrt(periods)) if below.any() else None


def cvar(returns: npt.ArrayLike, *, share: float = WORST) -> float | None:
    """Compute the mean of the worst share of the returns (Rockafellar & Uryasev 2000); None without returns.

    A return that is only partly among the worst counts in part.
    """
    values = split_cvar(returns, share=share)
    return float(values.mean()) if len(values) else None


def turnover(positions: npt.ArrayLike, *, before: float = 0.0) -> float:
    """Σ|position - the one before|, of positions (T,) as shares of the wealth: what is traded in all."""
    return float(np.abs(np.diff(np.asarray(positions, float), prepend=before)).sum())


def expect_best_sharpe(trials: int, variance: float) -> float:
    """Return the Sharpe ratio that the best of so many trials without skill has on average.

    √V·((1 - γ)·Φ⁻¹(1 - 1/N) + γ·Φ⁻¹(1 - 1/(N·e))), V the variance of the ratios over the trials (Bailey & López de
    Prado 2014, The Deflated Sharpe Ratio).
    """
    if trials < 2:
        return 0.0
    normal = NormalDist()
    first, second = normal.inv_cdf(1 - 1 / trials), normal.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - np.euler_gamma) * first + np.euler_gamma * second)


def deflate_sharpe(ratio: float, periods: int, *, against: float, skew: float = 0.0, kurtosis: float = 3.0) -> float:
    """Return the probability that the true Sharpe ratio is above `against`, that of the best by luck.

    Φ((S - S₀)·√(T - 1) / √(1 - skew·S + (kurtosis - 1)/4·S²)) of a ratio per period (Bailey & López de Prado 2014).
    """
    spread = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    if periods < 2 or spread <= 0:
        raise ValueError(f"expected two periods or more and moments that go together, got {periods} and {spread:g}")
    return NormalDist().cdf((ratio - against) * math.sqrt((periods - 1) / spread))


def split_sharpe(returns: npt.ArrayLike) -> Floats:
    """Split the Sharpe ratio into (T,) values whose mean it is and which vary as it does; none if it is undefined."""
    values, ratio = np.asarray(returns, float), sharpe(returns)
    if ratio is None:
        return np.empty(0)
    scaled = (values - values.mean()) / values.std()
    return np.asarray(ratio + scaled - ratio * (scaled**2 - 1) / 2)


def split_sortino(returns: npt.ArrayLike) -> Floats:
    """Split the Sortino ratio in the same way."""
    values, ratio = np.asarray(returns, float), sortino(returns)
    if ratio is None:
        return np.empty(0)
    square = np.minimum(values, 0) ** 2
    deviation = math.sqrt(square.mean())
    return np.asarray(ratio + (values - values.mean()) / deviation - ratio * (square / square.mean() - 1) / 2)


def split_cvar(returns: npt.ArrayLike, *, share: float = WORST) -> Floats:
    """Split CVaR in the same way: q - max(q - r, 0)/share, q the quantile of this share."""
    values = np.asarray(returns, float)
    if not len(values):
        return values
    quantile = np.sort(values)[max(0, math.ceil(share * len(values) - 1e-9) - 1)]
    return np.asarray(quantile - np.maximum(quantile - values, 0) / share)
