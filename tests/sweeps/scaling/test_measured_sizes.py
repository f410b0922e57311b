"""The interval of a size agrees with what single sizes show: it does not begin below one that clearly misses."""

import numpy as np
from scipy import stats

from sweeps.scaling.fit import fit_scaling
from tests.sweeps.planted import SIZES, WITHIN, Kind, offset

EXPERIMENTS, SEEDS = 50, 2


def test_an_interval_does_not_begin_below_a_size_that_clearly_misses_and_holds_the_truth_all_the_same() -> None:
    """Each size is judged by itself, with the scatter of all sizes. Without that, some intervals begin lower."""
    kind = Kind("offset", offset(0.4), 0.01, "nested", SEEDS)
    losses, target = kind.losses(EXPERIMENTS, 3), float(kind.truth(np.array([WITHIN]))[0])
    answers = [fit.minimum_data for fit in kind.fits(EXPERIMENTS, WITHIN, 3)]
    held = ends = 0
    for runs, least in zip(losses, answers, strict=True):
        assert least is not None
        if not least.has_interval:
            continue
        means = runs.mean(axis=0)
        scatter = (((runs - means) / means) ** 2).sum() / (runs.size - len(means))
        half = stats.t.ppf(0.975, SEEDS - 1) * means * np.sqrt(scatter / SEEDS)
        missed = max(SIZES[means - half > target], default=0.0)
        low = least.low or 0.0
        assert low >= missed
        assert least.point is None or least.point >= low
        ends += low == missed
        held += low <= WITHIN <= (least.high or np.inf)
    assert ends >= 2, "where the law's own interval began lower"
    assert held >= 0.93 * EXPERIMENTS


def test_a_size_that_may_have_missed_by_luck_sets_no_end() -> None:
    """Seeds that differ by more than the distance say nothing: the law's interval begins below that size."""
    truth = 1.2 + 3.0 * SIZES**-0.4
    losses = truth * (1 + 0.02 * np.array([[1.0], [-1.0]]))
    seeds = np.repeat(np.arange(SEEDS), len(SIZES)).tolist()
    fit = fit_scaling(np.tile(SIZES, SEEDS), losses.ravel(), seed=seeds, target=float(truth[4]) * 0.999)
    assert fit.minimum_data is not None
    assert (fit.minimum_data.low or 0.0) < SIZES[4]
