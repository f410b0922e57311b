"""An axis has as many values as it says, and they are where it says."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sweeps.spec.axes import Spread, count_values, find_meant, find_repeated, find_shortfall, list_values
from tests.wording import lacks


def spread(**rule: Any) -> Spread:
    return Spread.model_validate(rule)


def test_geometric_by_count_has_equal_ratios_and_both_ends() -> None:
    assert list_values(spread(geom=[1e-3, 1e-1], count=5)) == pytest.approx((1e-3, 10**-2.5, 1e-2, 10**-1.5, 1e-1))
    assert list_values(spread(geom=[1e-3, 1e-1], count=3)) == (0.001, 0.01, 0.1)


def test_geometric_by_factor_stops_at_the_second_end() -> None:
    assert list_values(spread(geom=[32, 2048], factor=2), integers=True) == (32, 64, 128, 256, 512, 1024, 2048)
    assert list_values(spread(geom=[32, 100], factor=2), integers=True) == (32, 64)


def test_linear_has_equal_distances() -> None:
    assert list_values(spread(lin=[0, 1], count=5)) == (0.0, 0.25, 0.5, 0.75, 1.0)


def test_integers_that_round_to_one_stay_as_many_as_were_asked_for() -> None:
    axis = spread(geom=[4, 8], count=9)
    made = list_values(axis, integers=True)
    assert len(made) == count_values(axis) == 9
    assert [made[place] for place in find_repeated(made)] == [4, 5, 6, 7]
    assert find_repeated(list_values(spread(lin=[1, 9], count=9), integers=True)) == []


@pytest.mark.parametrize(
    ("made", "places"),
    [
        ([4, 4.0, 16], [1]),
        ([1, True, 1.0], [2]),
        (["4", 4], []),
        ([None, 0, False, ""], []),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], [1]),
        ([[1, 2], [2, 1], [1, 2]], [2]),
    ],
)
def test_a_value_is_repeated_where_it_means_the_same(made: list[Any], places: list[int]) -> None:
    assert find_repeated(made) == places


@pytest.mark.parametrize(
    ("axis", "last"),
    [
        ({"geom": [32, 2048], "factor": 2}, None),
        ({"geom": [32, 2000], "factor": 2}, 1024),
        ({"geom": [1e-4, 1e-1], "factor": 10}, None),
        ({"geom": [32, 40], "factor": 2}, 32),
        ({"geom": [1, 100], "count": 4}, None),
        ({"lin": [1, 2], "count": 3}, None),
    ],
)
def test_a_factor_may_not_reach_the_end(axis: dict[str, Any], last: float | None) -> None:
    assert find_shortfall(spread(**axis)) == last


@pytest.mark.parametrize(
    ("axis", "written", "right"),
    [
        ({"geom": [1e-3, 1e-1], "count": 5}, 0.00316, (0.00316227766017,)),
        ({"geom": [1e-3, 1e-1], "count": 5}, 0.0031623, (0.00316227766017,)),
        ({"geom": [1e-3, 1e-1], "count": 5}, 1e-2, (0.01,)),
        ({"geom": [1e-3, 1e-1], "count": 5}, 0.0032, ()),  # two digits are too few to be sure
        ({"geom": [1e-3, 1e-1], "count": 5}, 0.05, ()),
        ({"geom": [1e-3, 1e-1], "count": 5}, "0.01", ()),
        ({"lin": [1.0001, 1.0002], "count": 2}, 1.0, (1.0001, 1.0002)),
        ({"lin": [1.0001, 1.0002], "count": 2}, 1.0001, (1.0001,)),
        ({"choice": [4, 64], "count": 2}, 64.0, (64,)),
        ({"choice": [1, 0], "count": 2}, True, ()),
    ],
)
def test_what_a_rule_made_may_be_written_as_it_is_shown(axis: dict[str, Any], written: Any, right: Any) -> None:
    rule = spread(**axis)
    assert find_meant(rule, list_values(rule), written) == right


def test_what_a_list_has_and_integers_are_meant_exactly() -> None:
    assert find_meant((0.00316227766017, 0.01), (0.00316227766017, 0.01), 0.00316) == ()
    rule = spread(geom=[32, 2048], factor=2)
    assert find_meant(rule, list_values(rule, integers=True), 2050) == ()
    assert find_meant((4, 64), list_values((4, 64.0), integers=True), 64) == (64,)


@given(st.floats(1e-6, 1e3), st.floats(1.01, 1e6), st.floats(1.1, 50))
def test_a_length_is_the_number_of_values(low: float, ratio: float, factor: float) -> None:
    axis = spread(geom=[low, low * ratio], factor=factor)
    assert count_values(axis) == len(list_values(axis))
    assert max(float(str(value)) for value in list_values(axis)) <= low * ratio * (1 + 1e-6)


@pytest.mark.parametrize("rule", ["uniform", "log_uniform"])
def test_draws_stay_between_the_ends_and_hang_on_seed_and_path(rule: str) -> None:
    axis = spread(**{rule: [0.1, 10], "count": 500, "seed": 1})
    drawn = [float(str(value)) for value in list_values(axis, "a")]
    assert len(set(drawn)) == 500
    assert 0.1 <= min(drawn) <= max(drawn) < 10
    middle = sorted(drawn)[250]
    assert math.isclose(middle, 5 if rule == "uniform" else 1, rel_tol=0.3)
    assert list_values(axis, "a") == tuple(drawn)
    assert list_values(axis, "b") != tuple(drawn)
    assert list_values(spread(**{rule: [0.1, 10], "count": 500, "seed": 2}), "a") != tuple(drawn)


def test_a_choice_repeats_nothing_before_all_were_drawn() -> None:
    assert sorted(map(str, list_values(spread(choice=["a", "b", "c"], count=3)))) == ["a", "b", "c"]
    drawn = list_values(spread(choice=["a", "b", "c"], count=7))
    assert sorted(drawn.count(word) for word in "abc") == [2, 2, 3]


def test_ten_million_values_are_counted_and_not_made() -> None:
    assert count_values(spread(lin=[0, 1], count=10_000_000)) == 10_000_000


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"count": 3}, "geom lin log_uniform uniform choice"),
        ({"geom": [1, 2], "lin": [1, 2], "count": 3}, "geom lin log_uniform uniform choice"),
        ({"geom": [1, 2]}, "geom count factor"),
        ({"geom": [1, 2], "count": 3, "factor": 2}, "geom count factor"),
        ({"geom": [2, 1], "count": 3}, "geom 2 1 smaller"),
        ({"geom": [0, 1], "count": 3}, "geom 0"),
        ({"log_uniform": [-1, 1], "count": 3}, "log_uniform -1 0"),
        ({"geom": [1, 8], "factor": 1}, "factor 1 geom"),
        ({"lin": [1, 8], "factor": 2}, "lin count"),
        ({"lin": [1, 8], "count": 1}, "count 1 2"),
        ({"lin": [1, 8], "count": 2, "seed": 3}, "seed lin log_uniform uniform choice"),
        ({"uniform": [1, 8]}, "uniform count"),
        ({"choice": [], "count": 2}, "choice one []"),
    ],
)
def test_a_rule_that_cannot_be_is_explained(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Spread.model_validate(rule)
    assert not lacks(str(caught.value), words)
