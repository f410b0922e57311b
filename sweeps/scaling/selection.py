"""Choose a law: one that predicts what it has not seen, is not contradicted by the seeds, and is short.

R experiments with the same runs are judged together, so that a thousand simulated ones take seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sweeps.scaling.backtests import run_backtests
from sweeps.scaling.laws import FREE, LAWS, Curves, Floats, Law, Rows, fit_curves
from sweeps.scaling.misfit import Misfit, MisfitPrior
from sweeps.scaling.profile import FARTHEST, Blocks, Truths
from sweeps.scaling.trust import trust_laws

WARN = 0.02  # relative error at the two largest sizes, fitted without them
LACK_OF_FIT = 0.05  # a law is contradicted where misses like its own would be rarer than this
AHEAD = 4  # times the largest size: how far off is the curve there?
SPARE = 2  # distinct sizes that a law needs beyond its free parameters
CLOSE = 1.4  # times the least expected error: laws that predict about as well, of which the shortest is taken
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

    def noise(self, curves: Curves) -> tuple[Floats, Floats] | None:
        """The variance of a run's residual (R,), and the covariance of the sizes' means in units of it (M, M).

        None where no size has two runs. With seeds the subsets of each nest.
        """
        if self.freedom == 0:
            return None
        misses = self.misses * np.sqrt(curves.weights)[:, self.places]
        scatter = (misses**2).sum(axis=1) / self.freedom
        if self.seeds is None or len(set(self.seeds.tolist())) < 2:
            return scatter, np.diag(1 / self.counts)
        known, which = np.unique(self.seeds, return_inverse=True)
        runs = np.zeros((len(known), len(self.sizes)))
        np.add.at(runs, (which, self.places), 1)
        return scatter, self._nesting(runs)

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
    misfits: Mapping[Law, Misfit]
    contradicted: Mapping[Law, Truths]
    holdouts: Mapping[Law, Floats]  # the largest relative error at the two largest sizes, fitted without them
    trusted: Mapping[Law, Truths]  # was it right when it last looked as far ahead as the size that is asked about?
    squares: Mapping[Law, Floats]  # the expected square of the error at the size that is asked about

    @classmethod
    def fit_all(cls, runs: Runs, law: Law | None, prior: MisfitPrior, targets: Floats | None) -> "Candidates":
        """Fit the laws; they are compared where the targets (R,) are reached, or at AHEAD times the largest size."""
        known: tuple[Law, ...] = (law,) if law else ("bounded",) if runs.bounded else tuple(LAWS)
        fitted = {law: runs.fit(law) for law in known if len(runs.sizes) >= FREE[law] + SPARE}
        misfits = {
            law: Misfit(curves, run_backtests(curves, runs.noise(curves)), prior) for law, curves in fitted.items()
        }
        asked = np.full(len(runs.losses), AHEAD * runs.sizes[-1])
        if targets is not None:
            reached = np.median([curves.reaching(targets) for curves in fitted.values()], axis=0)
            asked = np.clip(reached, runs.sizes[0], FARTHEST * runs.sizes[-1])
        return cls(
            fitted,
            misfits,
            {law: runs.contradict(curves) for law, curves in fitted.items()},
            {law: np.abs(misfit.tests.newest).max(axis=1) for law, misfit in misfits.items()},
            {law: trust_laws(misfit, asked) for law, misfit in misfits.items()},
            {law: misfit.measure(asked[:, None]).square[:, 0] for law, misfit in misfits.items()},
        )

    def keep_laws(self, row: int) -> list[Law]:
        """List for one experiment the chosen law, then those that fit about equally well.

        Of the laws that are trusted at the size that is asked about and that the seeds do not contradict, those are
        good whose expected error there is at most CLOSE times the least; the one of them with the least AICc is chosen.
        (Where no law is both, of those that are trusted, or else of all.) Beside it are shown the good ones within 2 of
        its AICc, and those longer ones that only the small-sample correction puts behind it (the better one, of two
        with as many parameters). At nine sizes that asks 12 more for a fourth parameter, which says how few sizes there
        are and nothing against the law. Where noise hides a plateau, these are all that keeps a short law from being
        too sure.
        """
        ranked = sorted(self.curves, key=lambda law: float(self.curves[law].aicc[row]))
        trusted = [law for law in ranked if self.trusted[law][row]] or ranked
        sound = [law for law in trusted if not self.contradicted[law][row]] or trusted
        least = min(float(self.squares[law][row]) for law in sound)
        best = [law for law in sound if self.squares[law][row] <= CLOSE**2 * least]
        aicc, aic = (float(getattr(self.curves[best[0]], name)[row]) for name in ("aicc", "aic"))
        alike = [law for law in best[1:] if self.curves[law].aicc[row] <= aicc + ALIKE]
        longest = {FREE[law]: law for law in reversed(ranked) if FREE[law] > FREE[best[0]]}
        longer = [law for law in longest.values() if self.curves[law].aic[row] <= aic]
        return [best[0], *(law for law in ranked if law in alike or law in longer)]
