"""The answer as the terminal shows it: a row for each law that cannot be told apart, the hold-out error beside."""

import numpy as np

from scheduler.cli.answers import _fit_row
from sweeps.scaling import fit_many, fit_scaling
from tests.sweeps.planted import SIZES, offset


def test_an_extrapolation_has_its_hold_out_error_in_the_same_row() -> None:
    row = _fit_row("code", fit_scaling(SIZES, offset(0.3)(SIZES), target=float(offset(0.3)(np.array([30_000.0]))[0])))
    assert row["law"] == "offset"
    assert row["L(n)"] == "1.2 + 3·n^-0.3"
    assert row["status"] == "extrapolated ×3.7"
    assert row["examples needed"].startswith("30,000 (")
    assert row["hold-out error"] == "0.00%"


def test_what_is_open_or_nowhere_is_said_in_words() -> None:
    losses = offset(0.3)(SIZES) * (1 + 0.01 * np.cos(3 * np.arange(9)))
    rows = [_fit_row("code", fit_scaling(SIZES, losses, target=target)) for target in (3.0, 1.25, 0.1)]
    assert [row["status"] for row in rows] == ["met", "not identified", "unreachable"]
    assert rows[0]["examples needed"] == "32"
    assert rows[1]["examples needed"].endswith(" or more")
    assert rows[2]["examples needed"] == "-"


def test_each_law_has_a_row() -> None:
    n, noise = np.tile(SIZES[:6], 3), np.random.default_rng(0).standard_normal((40, 18))
    fits = fit_many(n, 3.0 * n**-0.1 * (1 + 0.004 * noise), targets=1.5)
    both = next(fit for fit in fits if fit.alternatives)
    rows = [_fit_row("code", each) for each in (both, *both.alternatives)]
    assert len({row["law"] for row in rows}) == len(rows) >= 2
    assert all(row["hold-out error"] for row in rows)


def test_a_refusal_shows_the_reason_in_place_of_a_law() -> None:
    assert _fit_row("code", fit_scaling([1, 2], [2, 1]))["L(n)"] == "2 sizes; the simplest law needs 4"
