"""How far a law is off by itself is measured by its past forecasts, and the answer says so."""

from typing import Any

import numpy as np
import pytest

from sweeps.analysis.targets import fit_once
from sweeps.report.compose import compose
from sweeps.scaling.backtests import run_backtests
from sweeps.scaling.fit import ScalingFit, fit_many, fit_scaling
from sweeps.scaling.laws import Floats, fit_law
from sweeps.scaling.misfit import PUBLISHED_PRIOR, Misfit, MisfitPrior
from tests.sweeps.fitting_work import count_powers
from tests.sweeps.planted import SIZES, offset
from tests.sweeps.reports import material, scaling_rows

RUNS = np.tile(SIZES, 3)
SEED = np.repeat(range(3), 9).tolist()
KNEE = 700.0  # where the plateau of a two-phase curve ends


def two_phases(n: Floats) -> Floats:
    """A fine-tuning curve: nearly flat before it becomes a power law (Lin et al. 2024)."""
    return np.asarray(0.8 + 2.2 / (1 + (n / KNEE) ** 0.9))


def broken(n: Floats, knee: float = 600.0) -> Floats:
    """A law that becomes steeper: y = a + b·x^-c0·(1 + (x/d)^(1/f))^(-c1·f), Caballero et al. 2023."""
    return np.asarray(0.5 + 2 * n**-0.05 * (1 + (n / knee) ** 2) ** -0.12)


def width(fit: ScalingFit, n: float) -> float:
    band = fit.predict(n)
    return float(np.log(band.high[0] / band.low[0]))


def test_backtests_are_the_fits_of_the_first_sizes() -> None:
    """And of all sizes but one, as a fit of those alone would have them."""
    losses = broken(SIZES)
    tests = run_backtests(fit_law("offset", SIZES, losses), None)
    assert tests.known is None
    for first, place, error in zip(tests.first, tests.place, tests.error[0], strict=True):
        alone = fit_law("offset", SIZES[:first], losses[:first])
        assert losses[place] - alone.predict(SIZES[place])[0, 0] == pytest.approx(error, abs=2e-4)
    assert [tests.last[0, 0], tests.last[0, 1]] == pytest.approx(
        [
            error / losses[-1]
            for first, place, error in zip(tests.first, tests.place, tests.error[0], strict=True)
            if place == 8
        ][:-3:-1]
    )
    without = np.delete(np.arange(9), 4)
    alone = fit_law("offset", SIZES[without], losses[without])
    assert 1 - alone.predict(SIZES[4])[0, 0] / losses[4] == pytest.approx(tests.inside[0, 3], abs=1e-4)


def test_a_law_that_is_true_has_no_misfit_and_one_that_breaks_has() -> None:
    """Three seeds of .2 % tell: in nine of ten experiments the misfit is nothing, or most of the interval."""
    noise = 1 + 0.002 * np.random.default_rng(6).standard_normal((60, 27))
    shares = []
    for truth in (offset(0.3), lambda n: 1 + broken(n) / 3):
        losses, goal = np.tile(truth(SIZES), 3) * noise, float(truth(np.array([3_000.0]))[0])
        fits = fit_many(RUNS, losses, seed=SEED, targets=goal, law="offset")
        parts = [fit.minimum_data.parts for fit in fits if fit.minimum_data and fit.minimum_data.parts]
        assert len(parts) == 60
        shares.append([part.misfit for part in parts])
    assert np.mean(np.array(shares[0]) == 0) >= 0.85
    assert np.quantile(shares[1], 0.1) > 0.5


def test_the_parts_of_an_answer_sum_to_all_of_it_and_name_what_would_narrow_it() -> None:
    noise = np.random.default_rng(6).standard_normal(27)
    asked = {
        "seeds": fit_scaling(
            RUNS, np.tile(offset(0.3)(SIZES), 3) * (1 + 0.01 * noise), seed=SEED, target=1.5, law="offset"
        ),
        "items": fit_scaling(
            RUNS, np.tile(offset(0.3)(SIZES), 3) * (1 + 0.001 * noise), target=1.5, error=0.1, law="offset"
        ),
        "misfit": fit_scaling(SIZES, broken(SIZES), target=float(broken(np.array([12_000.0]))[0])),
    }
    for name, fit in asked.items():
        assert fit.minimum_data
        assert fit.minimum_data.parts
        assert sum(fit.minimum_data.parts) == pytest.approx(1)
        assert fit.minimum_data.parts.largest == name


def test_an_interval_of_one_seed_grows_with_the_horizon_and_the_errors_of_the_past() -> None:
    smooth, rough = (fit_scaling(SIZES, curve, law="offset") for curve in (offset(0.3)(SIZES), broken(SIZES)))
    for fit in (smooth, rough):
        widths = [width(fit, times * SIZES[-1]) for times in (0.4, 1.5, 2.0, 4.0, 8.0)]
        assert widths == sorted(widths)
    assert width(rough, 4 * SIZES[-1]) > 2 * width(smooth, 4 * SIZES[-1])


def test_a_law_that_was_too_high_before_has_its_band_below_it() -> None:
    """A curve that becomes steeper is over-estimated each time."""
    fit = fit_scaling(SIZES, broken(SIZES, 2000.0), law="offset")
    value, low, high = (float(part[0]) for part in fit.predict(2 * SIZES[-1]))
    assert value - low > 1.5 * (high - value)


def test_the_upper_end_of_a_band_never_rises() -> None:
    fit = fit_scaling(SIZES, broken(SIZES))
    band = fit.predict(np.geomspace(SIZES[-1], 40 * SIZES[-1], 30))
    assert (np.diff(band.high) <= 1e-9).all()


def test_the_upper_half_has_factors_of_its_own() -> None:
    losses, prior = offset(0.3)(SIZES), MisfitPrior(0.004, 0.3)
    curves = fit_law("offset", SIZES, losses)
    plain, lower = (
        Misfit(curves, run_backtests(curves, None), prior).measure(np.array([[2.0, 4, 16]]) * SIZES[-1])
        for prior in (prior, MisfitPrior(0.004, 0.3, above=(0.5, 0.25, 0.1)))
    )
    assert plain.low == pytest.approx(lower.low)
    assert (lower.high / plain.high)[0] == pytest.approx([0.5, 0.25, 0.1], abs=0.08)  # the rest is the error inside


def test_an_interval_without_an_upper_end_names_the_run_that_would_give_one() -> None:
    """With a floor as low as this, one seed does not tell whether the curve levels off before; a later run does."""
    sizes = np.array([32 * 2.0**step for step in range(13)])
    losses, goal = broken(sizes), float(broken(np.array([20_000.0]))[0])
    early = fit_scaling(sizes[:9], losses[:9], target=goal).minimum_data
    assert early
    assert early.point
    assert early.high is None
    assert early.next_size
    assert 2 * early.point <= early.next_size <= 2.2 * early.point
    later = fit_scaling(
        np.append(sizes[:9], early.next_size), broken(np.append(sizes[:9], early.next_size)), target=goal
    )
    assert later.minimum_data
    assert later.minimum_data.high is not None
    assert later.minimum_data.next_size is None


def test_the_prior_is_a_value() -> None:
    """A wider one makes wider bands, and the published one is used where none is given."""
    losses = broken(SIZES)
    wide = MisfitPrior(inside=0.02, share=0.9)
    bands = [
        width(fit_scaling(SIZES, losses, law="offset", prior=prior), 2 * SIZES[-1]) for prior in (PUBLISHED_PRIOR, wide)
    ]
    assert bands[0] == width(fit_scaling(SIZES, losses, law="offset"), 2 * SIZES[-1]) < bands[1]
    widened = Misfit(
        fit_law("offset", SIZES, losses),
        run_backtests(fit_law("offset", SIZES, losses), None),
        MisfitPrior(0.004, 0.3, widening=(1, 2, 2)),
    )
    plain = Misfit(widened.curves, widened.tests, MisfitPrior(0.004, 0.3))
    far = np.array([[4 * SIZES[-1]]])
    assert widened.measure(far).low[0, 0] > 1.3 * plain.measure(far).low[0, 0]


def test_a_question_is_refused_where_the_law_failed_before_and_answered_nearer() -> None:
    """Fitted to all sizes but two it was off by 13 % at ×4, to all but one by 9.9 % at ×2."""
    losses = np.array([3.0, 2.9, 2.8, 2.7, 2.6, 2.5, 2.4, 2.2, 1.98])
    line = fit_scaling(SIZES, losses, law="pure").line(np.array([0.5, 2.0, 4.0]) * SIZES[-1])
    fits = [fit_scaling(SIZES, losses, target=goal, law="pure") for goal in line.tolist()]
    inside, near, far = (fit.minimum_data for fit in fits)
    assert inside
    assert near
    assert far
    assert (inside.status, near.status) == ("interpolated", "extrapolated")
    assert (far.status, far.point, far.low, far.high) == ("refused", None, None, None)
    assert fits[2].trust
    assert fits[2].trust.times == pytest.approx(2)
    assert all(part in far.reason for part in ("first 7 sizes", "2,048", "8,192 (×4) by 13 %"))
    assert fits[2].refused is None


@pytest.mark.parametrize(
    ("losses", "status", "says"),
    [
        (np.full(9, 2.0), "refused", "does not fall"),
        (2 + 0.002 * np.array([1, -1, 1, -1, 1, -1, 1, -1, 0.5]), "refused", "R²"),
        (offset(0.3)(SIZES)[::-1], "refused", "rises with more data"),
        ([2.6, 2.4, 2.2, 2.3, 2.4, 2.0, 1.9, 1.8, 1.7], "refused", "rises with more data, from 2.2 at 128"),
        (two_phases(SIZES), "interpolated", ""),
        (offset(0.3)(SIZES), "interpolated", ""),
    ],
    ids=["flat", "flat with a wobble", "rising", "not monotone", "two phases", "one seed"],
)
def test_each_kind_of_curve_has_its_status(losses: Floats, status: str, says: str) -> None:
    goal = float(np.sqrt(losses[4] * losses[5]))
    fit = fit_scaling(SIZES, losses, seed=[0] * 9, target=goal)
    assert fit.minimum_data
    assert fit.minimum_data.status == status
    assert says in (fit.refused or "")
    assert bool(fit.refused) == (status == "refused")
    if not fit.refused:
        assert any("one seed" in warning for warning in fit.warnings)


def test_three_sizes_are_too_few_in_words() -> None:
    fit = fit_scaling(SIZES[:3], offset(0.3)(SIZES[:3]), target=1.9)
    assert fit.refused
    assert "3 sizes" in fit.refused
    assert "needs 4" in fit.refused


def test_two_phases_are_the_rectified_law_and_its_plateau_has_a_name() -> None:
    fit = fit_scaling(SIZES, two_phases(SIZES))
    assert fit.law == "rectified"
    assert fit.params["n0"] == pytest.approx(KNEE, rel=0.01)


def test_a_fit_with_its_backtests_costs_no_more_than_a_tenth_of_a_second_did() -> None:
    """Counted in powers, of which 300,000 take .1 s; `make bench-reports` has the limit in seconds."""
    n = np.array([200 * 2.0**step for step in range(14)])
    with count_powers() as work:
        fit = fit_scaling(n, broken(n, 20_000), target=0.9)
    assert fit.minimum_data
    assert 20_000 < work.of_laws < 150_000
    assert 0 < work.of_bends < 250_000, "the broken law is fitted to the origins that are compared, and to all sizes"


def test_an_answer_and_its_conclusion_fit_each_curve_once() -> None:
    names, fits = ["a", "b", "c", "d"], list[ScalingFit]()

    def fit_and_count(*given: Any, **how: Any) -> ScalingFit:
        fits.append(fit_scaling(*given, **how))
        return fits[-1]

    fit_once.cache_clear()  # other tests may have fitted these curves
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sweeps.analysis.targets.fit_scaling", fit_and_count)
        compose(material("data_scaling", scaling_rows(names), curves=()))
    assert len(fits) == len(names)
