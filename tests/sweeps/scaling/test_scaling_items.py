"""The held-out items are a sample, too: an interval that is to hold for other items takes their error, and the truth.

Each item's loss is L(n)·(1 + u) + v·L(n): u is the item's own at every size, v new at each. Seeds differ by .3 %.
"""

import numpy as np
import pytest

from sweeps.scaling.fit import ScalingFit, fit_many, fit_scaling
from sweeps.scaling.laws import Floats
from tests.sweeps.planted import SEEDS, SIZES, WITHIN, Coverage, offset

ITEMS, EXPERIMENTS, BASE = 150, 100, 2.9
TRUTH = offset(0.3)
RUNS = np.tile(SIZES, SEEDS)
TARGET = float(TRUTH(np.array([WITHIN]))[0])


@pytest.fixture(scope="module")
def items() -> Floats:
    """(EXPERIMENTS, ITEMS, 1 + sizes): those of the base first, then those of each size."""
    chance = np.random.default_rng(17)
    own = 0.3 * chance.standard_normal((EXPERIMENTS, ITEMS, 1))
    new = 0.1 * chance.standard_normal((EXPERIMENTS, ITEMS, 1 + len(SIZES)))
    return np.asarray(np.append(BASE, TRUTH(SIZES)) * (1 + own + new))


def fits(items: Floats, targets: Floats, error: Floats | None) -> list[ScalingFit]:
    noise = 1 + 0.003 * np.random.default_rng(18).standard_normal((EXPERIMENTS, SEEDS, len(SIZES)))
    losses = (items.mean(axis=1)[:, None, 1:] * noise).reshape(EXPERIMENTS, -1)
    errors = None if error is None else np.tile(error, (1, SEEDS))
    return fit_many(RUNS, losses, targets=targets, error=errors, law="offset")


def error_of(values: Floats) -> Floats:
    """(experiments, items, sizes): the standard errors of their means."""
    return np.asarray(values.std(axis=1, ddof=1) / np.sqrt(values.shape[1]))


def test_an_absolute_target_moves_with_the_items(items: Floats) -> None:
    targets = np.full(EXPERIMENTS, TARGET)
    unaware = Coverage.of(fits(items, targets, None), WITHIN)
    aware = Coverage.of(fits(items, targets, error_of(items[:, :, 1:])), WITHIN)
    assert unaware.covered < 0.6
    assert aware.answered > 0.95
    assert 0.92 <= aware.covered <= 0.99


def test_a_share_of_the_base_is_of_the_same_items_and_moves_less(items: Floats) -> None:
    """What an item has in common at all sizes, the base included, is in both and says nothing of n*."""
    share = TARGET / BASE
    targets = share * items.mean(axis=1)[:, 0]
    paired = fits(items, targets, error_of(items[:, :, 1:] - share * items[:, :, :1]))
    coverage, alone = Coverage.of(paired, WITHIN), Coverage.of(fits(items, targets, error_of(items[:, :, 1:])), WITHIN)
    unaware = Coverage.of(fits(items, targets, None), WITHIN)
    assert unaware.covered <= coverage.covered
    assert coverage.covered >= 0.92
    assert unaware.width < coverage.width
    assert np.log(coverage.width) < 0.7 * np.log(alone.width)


def test_no_error_changes_nothing_and_more_of_it_only_widens() -> None:
    losses = TRUTH(RUNS) * (1 + 0.003 * np.random.default_rng(1).standard_normal(len(RUNS)))
    answers = [fit_scaling(RUNS, losses, target=TARGET, error=error).minimum_data for error in (None, 0, 0.005, 0.02)]
    assert answers[0] == answers[1]
    points, lows, highs = ([getattr(answer, name) for answer in answers] for name in ("point", "low", "high"))
    assert len(set(points)) == 1
    assert lows[1] > lows[2] > lows[3]
    assert highs[1] < highs[2] < highs[3]


def test_where_items_are_all_that_varies_the_interval_is_the_targets_own() -> None:
    """Exact losses of seeds that agree: n* at the target plus and minus 1.96 errors."""
    answer = fit_scaling(RUNS, TRUTH(RUNS), target=TARGET, error=0.01, law="offset").minimum_data
    ends = [(3.0 / (TARGET + side * 0.0196 - 1.2)) ** (1 / 0.3) for side in (1, -1)]
    assert answer is not None
    assert (answer.low, answer.high) == pytest.approx(ends, rel=2e-3)
