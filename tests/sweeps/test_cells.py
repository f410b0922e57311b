"""`vary` makes every combination once; `zip`, `when` and `exclude` take away what they say."""

import pytest

from sweeps import PlanError, parse
from sweeps.cells import counts, variants
from tests.sweeps.questions import HEAD, planned


def cells(text: str) -> list[dict[str, object]]:
    return [dict(variant.cell) for variant in variants(parse(HEAD + text))]


def test_nothing_varied_is_one_variant() -> None:
    assert cells("") == [{}]


def test_axes_cross() -> None:
    found = cells("vary: {train.rank: [4, 8], model: [offline/ngram-s, offline/ngram-m, offline/ngram-l]}")
    assert len(found) == 6
    assert len({tuple(cell.items()) for cell in found}) == 6


def test_a_variant_is_the_sweep_with_the_choice_in_place() -> None:
    text = "vary: {train.adam.eps: [1e-6], data.a.source: [x, y], model: [m]}"
    found = list(variants(parse(HEAD + text)))
    assert [variant.data["a"].source for variant in found] == ["x", "y"]
    assert [variant.data["a"].holdout for variant in found] == [10, 10]
    assert {(variant.model, variant.train.adam.eps, variant.train.adam.beta1) for variant in found} == {
        ("m", 1e-6, 0.9)
    }


def test_zipped_axes_walk_together() -> None:
    text = "vary: {train.rank: [4, 8], train.batch_size: [1, 2], train.warmup: [0, 3]}\n"
    found = cells(text + "zip: [[train.rank, train.batch_size]]")
    assert len(found) == 4
    assert {(cell["train.rank"], cell["train.batch_size"]) for cell in found} == {(4, 1), (8, 2)}
    assert counts(parse(HEAD + text + "zip: [[train.rank, train.batch_size]]")) == {
        "train.rank + train.batch_size": 2,
        "train.warmup": 2,
    }


def test_a_conditional_axis_is_walked_only_where_its_condition_holds() -> None:
    text = "vary: {train.rank: [4, 8], model: [s, m]}\nwhen: {train.rank: {model: m}}"
    assert cells(text) == [{"model": "s"}, {"model": "m", "train.rank": 4}, {"model": "m", "train.rank": 8}]


def test_a_condition_may_be_on_what_is_not_varied() -> None:
    base = "vary: {train.rank: [4, 8]}\nwhen: {train.rank: {train.schedule: %s}}"
    assert cells(base % "linear") == [{"train.rank": 4}, {"train.rank": 8}]
    assert cells(base % "wsd") == [{}]


def test_conditions_can_follow_one_another() -> None:
    text = "vary: {train.warmup: [1, 2], train.rank: [4, 8], model: [s, m]}\n"
    found = cells(text + "when: {train.warmup: {train.rank: 8}, train.rank: {model: m}}")
    assert found == [
        {"model": "s"},
        {"model": "m", "train.rank": 4},
        {"model": "m", "train.rank": 8, "train.warmup": 1},
        {"model": "m", "train.rank": 8, "train.warmup": 2},
    ]


def test_an_excluded_cell_has_no_runs_and_no_stages() -> None:
    text = HEAD + "vary: {train.rank: [4, 8], train.batch_size: [1, 2]}\n"
    whole, less = planned(text), planned(text + "exclude: [{train.rank: 8, train.batch_size: 2}]")
    assert len(whole.runs) - len(less.runs) == 2
    assert {"train.rank": 8, "train.batch_size": 2} not in [dict(run.cell) for run in less.runs]
    assert whole.totals.train - less.totals.train == 2


def test_excluding_everything_is_refused() -> None:
    with pytest.raises(PlanError, match="no run is left"):
        planned(HEAD + "vary: {train.rank: [4]}\nexclude: [{train.rank: 4}]")


def test_a_cell_that_contradicts_itself_is_named() -> None:
    text = "vary: {train.method: [sl, dpo], train.beta: [0.1]}"
    with pytest.raises(PlanError, match=r"train.method: 'sl', train.beta: 0.1.*: train.beta: belongs to `method: dpo`"):
        cells(text)


def test_a_conditional_length_must_be_there_in_every_cell() -> None:
    text = (
        HEAD.replace(", steps: 10", "") + "vary: {train.epochs: [1], model: [s, m]}\nwhen: {train.epochs: {model: m}}"
    )
    with pytest.raises(PlanError, match=r"model: 's'.*no length found"):
        list(variants(parse(text)))
