"""How much an answer's interval will narrow with further runs: its variance for any set of runs, to first order.

The answer n* is where a fitted curve L(n) meets a target, so Var(log n*) = Var(L(n*)) / (dL/dlog n)². L(n*) moves with
the mean of each size by the influences g of the fit (`find_influences`). With runs D, a matrix of seeds and sizes, and
subsets of a seed that nest, the means covary as N(D) = Σ √(n/m) over the seeds that two sizes share, over the numbers
of their runs (`Runs`). In units of the variance of a run the interval of `find_tolerance` then has, on average,

    V_seeds = g'Ng        V_own = tr(PN) / (sizes - parameters) · g'g

with P the projection onto the residuals of the fit, and its half width is t(.975, f)·√max(V_seeds, V_own), with f as
there. So the formula says what the product's own interval is expected to be; it decides which runs are worth most,
never whether the goal is reached: that is read from the interval itself.

Choosing runs by the variance of one function of the parameters is a c-optimal design (Elfving 1952; sequentially, with
the parameters as they are estimated so far, Chernoff 1953).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sweeps.scaling.laws import Curves, Floats, find_influences
from sweeps.scaling.profile import LEVEL

Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class AnswerVariance:
    """What makes the answer of one fit vary: (M,) influences of the sizes' means, and (M, M) the rest of the fit."""

    influence: Floats
    residual: Floats  # P
    nesting: Floats  # √(n/m), of the smaller over the larger size
    spare: int  # sizes - parameters

    @classmethod
    def linearize(cls, curves: Curves, size: float) -> "AnswerVariance":
        """Take the fit of one experiment, and the size that its curve needs."""
        slopes = curves.slopes(curves.n)[0] * np.sqrt(curves.weights[0])[:, None]
        slopes = slopes / np.maximum(np.linalg.norm(slopes, axis=0), 1e-300)
        residual = np.eye(len(curves.n)) - slopes @ np.linalg.pinv(slopes, rcond=1e-8)
        ratio = np.minimum.outer(curves.n, curves.n) / np.maximum.outer(curves.n, curves.n)
        influence = find_influences(curves, np.array([[size]]))[0, 0]
        return cls(influence, residual, np.sqrt(ratio), len(curves.n) - curves.free)

    def compute(self, runs: Truths) -> Floats:
        """(Q,) squares of the half widths with each of Q sets of runs (Q, seeds, M), in variances of a run.

        Each size needs a run.
        """
        from scipy.special import stdtrit  # the quantile of t

        made = runs.astype(float)
        counts = made.sum(axis=1)
        shared = np.einsum("qsm,qsn->qmn", made, made) / (counts[:, :, None] * counts[:, None, :])
        covariance = self.nesting * shared
        seeds = (counts[:, None, :] * made).any(axis=2).sum(axis=1)
        own = (self.influence @ self.influence) * np.einsum("mn,qmn->q", self.residual, covariance) / self.spare
        between = np.einsum("m,qmn,n->q", self.influence, covariance, self.influence)
        between = np.where(seeds > 1, between, own)
        whole = np.maximum(np.maximum(between, own), 1e-300)
        excess = np.maximum(between - own, 0) / whole
        freedom = 1 / ((1 - excess) ** 2 / self.spare + np.sqrt(excess) / np.maximum(seeds - 1, 1))
        return np.asarray(stdtrit(freedom, (1 + LEVEL) / 2) ** 2 * whole)
