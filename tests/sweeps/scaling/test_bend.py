"""A curve that bends is told from one that follows a law, by forecasts; its answer warns, and its band is wider."""

import numpy as np
import pytest

from sweeps.scaling.fit import ScalingFit, fit_many, fit_scaling
from sweeps.scaling.laws import Floats
from tests.published.curves_table import read_curves
from tests.sweeps.planted import offset

SIZES = np.array([32 * 2.0**step for step in range(11)])
KNEE = 900.0


def bent(n: Floats, before: float = 0.05, behind: float = 0.2) -> Floats:
    """Two power laws that meet at the knee (Caballero et al. 2023, with one break)."""
    return np.asarray(0.5 + 2 * n**-before * (1 + (n / KNEE) ** 6) ** ((before - behind) / 6))


def warnings_of_bend(fit: ScalingFit) -> list[str]:
    return [warning for warning in fit.warnings if fit.bend and fit.bend.describe() == warning]


def test_a_curve_that_bends_is_warned_of_and_its_band_holds_what_the_broken_law_says() -> None:
    fit = fit_scaling(SIZES, bent(SIZES))
    assert fit.bend
    assert fit.bend.size == pytest.approx(KNEE, rel=0.15)
    assert warnings_of_bend(fit)
    assert fit.bend.error * 3 < fit.bend.law_error
    for times in (2.0, 4.0):
        at = times * SIZES[-1:]
        band = fit.predict(at)
        assert fit.bend.predict(at)[0] == pytest.approx(bent(at)[0], rel=0.01)
        assert band.low[0] <= min(fit.bend.predict(at)[0], bent(at)[0])
        assert band.high[0] >= bent(at)[0]


def test_band_and_answer_of_a_curve_that_bends_are_one_region() -> None:
    fit = fit_scaling(SIZES, bent(SIZES), target=float(bent(2 * SIZES[-1:])[0]))
    assert fit.bend
    assert fit.minimum_data
    assert fit.minimum_data.low
    assert fit.minimum_data.low <= 2 * SIZES[-1]
    assert fit.predict(fit.minimum_data.low).low[0] == pytest.approx(fit.minimum_data.target, rel=1e-3)


@pytest.mark.parametrize(
    "truth",
    [offset(0.3), offset(0.15), lambda n: 0.8 + 2.2 / (1 + (n / 700) ** 0.9), lambda n: 1.2 + 8 * (n + 100) ** -0.4],
    ids=["offset", "shallow", "rectified", "plateau"],
)
def test_curves_that_follow_a_law_are_not_said_to_bend(truth: object) -> None:
    """Noise of .5 % in one seed makes at most one in ten look so; without noise none does."""
    assert callable(truth)
    assert fit_scaling(SIZES, truth(SIZES)).bend is None
    noise = 1 + 0.005 * np.random.default_rng(3).standard_normal((30, len(SIZES)))
    fits = fit_many(SIZES, truth(SIZES) * noise)
    assert sum(fit.bend is not None for fit in fits) <= 3


def test_seeds_whose_noise_explains_the_errors_tell_of_no_bend() -> None:
    noise = 1 + 0.01 * np.random.default_rng(4).standard_normal((30, 3, len(SIZES)))
    losses = (offset(0.3)(SIZES) * noise).reshape(30, -1)
    fits = fit_many(np.tile(SIZES, 3), losses, seed=np.repeat(range(3), len(SIZES)))
    assert sum(fit.bend is not None for fit in fits) <= 1


def test_few_sizes_and_accuracies_are_not_asked() -> None:
    assert fit_scaling(SIZES[:8], bent(SIZES[:8])).bend is None
    assert fit_scaling(SIZES, 1 - bent(SIZES) / 3, chance=0.1).bend is None


def test_some_published_curves_bend_and_most_do_not() -> None:
    fits = [fit_scaling(curve.sizes, curve.losses) for curve in read_curves()[:30:3]]
    assert 1 <= sum(fit.bend is not None for fit in fits) <= 5
    assert all(bool(warnings_of_bend(fit)) == (fit.bend is not None) for fit in fits if not fit.refused)
