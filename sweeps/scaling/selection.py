"""Choose a law: one that predicts what it has not seen, is not contradicted by the seeds, and is short.

R experiments with the same runs are judged together, so that a thousand simulated ones take seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sweeps.scaling.laws import FREE, LAWS, Curves, Floats, Law, Rows, fit_curves
from sweeps.scaling.profile import Blocks, Truths

WARN, REFUSE = 0.02, 0.10  # relative error at the two largest sizes
LACK_OF_FIT = 0.05  # a law is contradicted where misses like its own would be rarer than this
SPARE = 2  # distinct sizes that a law needs beyond its free parameters
ALIKE = 2.0  # of AICc: laws that are no further apart cannot be told apart (Burnham and Anderson 2002, 2.6)


@dataclass(frozen=True, eq=False)
class Runs:
    """R experiments' losses (or errors) at the same runs: (R, runs), each run's place among the sizes and its seed."""

    sizes: Floats  # (M,), ascending
    places: Rows  # (runs,)
    losses: Floats  # (R, runs)
    seeds: Rows | None  # (runs,)
    bounded: bool
    ceiling: float = 1.0

    @property
    def counts(self) -> Rows:
        """(M,) runs of each size."""
        return np.asarray(np.bincount(self.places, minlength=len(self.sizes)))

    @property
    def means(self) -> Floats:
        """(R, M)."""
        belongs = np.equal.outer(self.places, np.arange(len(self.sizes))).astype(float)
        return np.asarray(self.losses @ belongs / np.maximum(self.counts, 1))

    @property
    def freedom(self) -> int:
        """Runs beyond one for each size; 0: nothing is known of how far seeds differ."""
        return len(self.places) - len(self.sizes)

    @property
    def misses(self) -> Floats:
        """(R, runs) from their size's mean."""
        return self.losses - self.means[:, self.places]

    @property
    def steps(self) -> Floats:
        """The standard error of the difference between neighbouring sizes, (R, M - 1); the spread is pooled."""
        variance = (self.misses**2).sum(axis=1) / max(self.freedom, 1)
        return np.asarray(np.sqrt(variance[:, None] * (1 / self.counts[:-1] + 1 / self.counts[1:])))

    def fit(self, law: Law) -> Curves:
        return fit_curves(law, self.sizes, self.means, ceiling=self.ceiling)

    def holdout_error(self, curves: Curves) -> Floats:
        """(R,) fitted without the two largest sizes, the largest relative error there; of accuracies, not of errors."""
        smaller = fit_curves(curves.law, curves.n[:-2], curves.loss[:, :-2], ceiling=curves.ceiling)
        missed = np.abs(smaller.predict(curves.n[-2:]) - curves.loss[:, -2:])
        shown = 1 - curves.loss[:, -2:] if self.bounded else curves.loss[:, -2:]
        return np.asarray((missed / np.maximum(shown, 1e-12)).max(axis=1))

    def contradict(self, curves: Curves) -> Truths:
        """(R,) are the misses more than seeds explain? F = (SS_lack / (sizes - p)) / (SS_pure / freedom)."""
        from scipy.special import fdtrc  # the upper tail of F

        spare = len(self.sizes) - curves.free
        pure = ((self.misses**2) * curves.weights[:, self.places]).sum(axis=1)
        if self.freedom == 0 or spare <= 0:
            return np.zeros(len(pure), bool)
        lack = (self.counts * curves.residuals**2).sum(axis=1) / spare
        rarity = fdtrc(spare, self.freedom, lack * self.freedom / np.maximum(pure, 1e-300))
        return np.asarray((pure > 0) & (rarity < LACK_OF_FIT))

    def blocks(self, curves: Curves) -> Blocks | None:
        """What the seeds add to the means, where there are seeds.

        A size that lacks some of them says little of how far they differ, or nothing: the nearest size that has all
        stands for it. Each set of sizes at which a seed has its share of the means meets what any of the seeds adds.
        """
        if self.seeds is None:
            return None
        known, which = np.unique(self.seeds, return_inverse=True)
        if len(known) < 2:
            return None
        runs = np.zeros((len(known), len(self.sizes)))
        np.add.at(runs, (which, self.places), 1)
        misses = self.misses * np.sqrt(curves.weights)[:, self.places]
        scatter, nesting = (misses**2).sum(axis=1) / max(self.freedom, 1), self._nesting(runs)
        sums = np.zeros((*runs.shape, len(self.losses)))
        np.add.at(sums, (which, self.places), misses.T)
        added = np.moveaxis(sums, 2, 0)
        whole = np.flatnonzero((runs > 0).all(axis=0))
        if not len(whole):
            return Blocks(added * np.sqrt(len(known)) / self.counts, len(known), scatter, nesting)
        far = np.abs(np.subtract.outer(np.log(self.sizes), np.log(self.sizes[whole])))
        stands = whole[far.argmin(axis=1)]
        shares, alike = np.unique(runs / self.counts, axis=0, return_counts=True)
        weighed = shares * np.sqrt(alike)[:, None]
        parts = weighed[:, None, :] * (added / np.maximum(runs, 1))[:, None, :, stands]
        return Blocks(parts.reshape(len(added), -1, len(self.sizes)), len(known), scatter, nesting)

    def _nesting(self, runs: Floats) -> Floats:
        """(M, M) covariances of the sizes' means, of runs (seeds, M) with variance 1 whose subsets nest: Σ √(n/m)."""
        alike = np.sqrt(np.minimum.outer(self.sizes, self.sizes) / np.maximum.outer(self.sizes, self.sizes))
        return np.asarray(alike * (runs.T @ runs) / np.outer(self.counts, self.counts))


@dataclass(frozen=True, eq=False)
class Candidates:
    """The laws that the number of sizes allows, fitted to R experiments, with the evidence for each."""

    curves: Mapping[Law, Curves]
    holdouts: Mapping[Law, Floats]
    contradicted: Mapping[Law, Truths]
    aicc: Mapping[Law, Floats]
    aic: Mapping[Law, Floats]

    @classmethod
    def fit_all(cls, runs: Runs, law: Law | None) -> "Candidates":
        known: tuple[Law, ...] = (law,) if law else ("bounded",) if runs.bounded else tuple(LAWS)
        fitted = {one: runs.fit(one) for one in known if len(runs.sizes) >= FREE[one] + SPARE}
        return cls(
            fitted,
            {one: runs.holdout_error(curves) for one, curves in fitted.items()},
            {one: runs.contradict(curves) for one, curves in fitted.items()},
            {one: curves.aicc for one, curves in fitted.items()},
            {one: curves.aic for one, curves in fitted.items()},
        )

    def keep_laws(self, row: int) -> list[Law]:
        """List for one experiment the chosen law, then those that fit about equally well.

        The least AICc among those that predict the two largest sizes within 2 % and are not contradicted by the seeds;
        if none is both, among those that predict; else among all. Beside it, of the same class, those within 2 of it;
        and of every class the longer ones that only the small-sample correction puts behind it. At nine sizes that asks
        12 more for a fourth parameter, which says how few sizes there are and nothing against the law; and that a
        longer law is further off where two sizes are held out says how loosely seven hold it, and nothing against it
        either. Where noise hides a plateau, these are all that keeps a short law from being too sure.
        """
        ranked = sorted(self.curves, key=lambda law: float(self.aicc[law][row]))
        predicting = [law for law in ranked if self.holdouts[law][row] <= WARN]
        sound = [law for law in predicting if not self.contradicted[law][row]]
        best = sound or predicting or ranked
        aicc, aic = (float(each[best[0]][row]) for each in (self.aicc, self.aic))
        alike = [law for law in best[1:] if self.aicc[law][row] <= aicc + ALIKE]
        longer = [law for law in ranked if FREE[law] > FREE[best[0]] and self.aic[law][row] <= aic]
        near = [law for law in ranked if law in alike or law in longer]
        return [best[0], *(law for law in near if self.holdouts[law][row] <= REFUSE)]
