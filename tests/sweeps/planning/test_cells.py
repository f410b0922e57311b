"""`vary` makes every combination once; `zip`, `when` and `exclude` take away what they say."""

import pytest

from sweeps import PlanError, SpecError, parse
from sweeps.errors import SweepsError
from sweeps.planning.cells import count_varied, expand_variants
from tests.sweeps.questions import HEAD, TRANSFER, list_trained, planned
from tests.wording import lacks


def cells(text: str) -> list[dict[str, object]]:
    return [dict(variant.cell) for variant in expand_variants(parse(HEAD + text))]


def refused(text: str) -> str:
    """What is said of a file that cannot be read, or cannot be planned."""
    with pytest.raises(SweepsError) as caught:
        planned(HEAD + text)
    return str(caught.value)


def test_nothing_varied_is_one_variant() -> None:
    assert cells("") == [{}]


def test_axes_cross() -> None:
    expanded = cells("vary: {train.rank: [4, 8], model: [offline/ngram-s, offline/ngram-m, offline/ngram-l]}")
    assert len(expanded) == 6
    assert len({tuple(cell.items()) for cell in expanded}) == 6


def test_a_variant_is_the_sweep_with_the_choice_in_place() -> None:
    text = "vary: {train.adam.eps: [1e-6], data.a.source: [x, y], model: [m]}"
    variants = list(expand_variants(parse(HEAD + text)))
    assert [variant.data["a"].source for variant in variants] == ["x", "y"]
    assert [variant.data["a"].holdout for variant in variants] == [10, 10]
    assert {(variant.model, variant.train.adam.eps, variant.train.adam.beta1) for variant in variants} == {
        ("m", 1e-6, 0.9)
    }


def test_zipped_axes_walk_together() -> None:
    text = "vary: {train.rank: [4, 8], train.batch_size: [1, 2], train.warmup: [0, 3]}\n"
    expanded = cells(text + "zip: [[train.rank, train.batch_size]]")
    assert len(expanded) == 4
    assert {(cell["train.rank"], cell["train.batch_size"]) for cell in expanded} == {(4, 1), (8, 2)}
    assert count_varied(parse(HEAD + text + "zip: [[train.rank, train.batch_size]]")) == {
        "train.rank + train.batch_size": 2,
        "train.warmup": 2,
    }


def test_a_conditional_axis_is_walked_only_where_its_condition_holds() -> None:
    text = "vary: {train.rank: [4, 8], model: [s, m]}\nwhen: {train.rank: {model: m}}"
    assert cells(text) == [{"model": "s"}, {"model": "m", "train.rank": 4}, {"model": "m", "train.rank": 8}]


def test_a_condition_may_be_on_what_is_not_varied() -> None:
    base = "vary: {train.rank: [4, 8]}\nwhen: {train.rank: {train.schedule: %s}}"
    assert cells(base % "linear") == [{"train.rank": 4}, {"train.rank": 8}]
    assert not lacks(refused(base % "wsd"), "when.train.rank.train.schedule: 'wsd' 'linear'")


def test_conditions_can_follow_one_another() -> None:
    text = "vary: {train.warmup: [1, 2], train.rank: [4, 8], model: [s, m]}\n"
    expanded = cells(text + "when: {train.warmup: {train.rank: 8}, train.rank: {model: m}}")
    assert expanded == [
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
    with pytest.raises(PlanError, match=r"train.method: 'sl', train.beta: 0.1.*: train.beta: .*`method: dpo`"):
        cells(text)


def test_a_conditional_length_must_be_there_in_every_cell() -> None:
    text = (
        HEAD.replace(", steps: 10", "") + "vary: {train.epochs: [1], model: [s, m]}\nwhen: {train.epochs: {model: m}}"
    )
    with pytest.raises(PlanError, match=r"model: 's'.*steps, epochs, tokens"):
        list(expand_variants(parse(text)))


RATES = "train.learning_rate: {geom: [1.0e-3, 1.0e-1], count: 5}"
TRANSFERRED = TRANSFER.replace(", c: {source: c}, d: {source: d}, e: {source: e}", "").replace("600", "128")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f"vary: {{{RATES}}}\nexclude: [{{train.learning_rate: 0.05}}]", "the 1st of exclude: train.learning_rate"),
        (f"vary: {{{RATES}}}\nexclude: [{{train.learning_rate: '0.01'}}]", "the 1st of exclude: train.learning_rate"),
        ("vary: {train.rank: [4, 64]}\nexclude: [{train.rank: '64'}]", "the 1st of exclude: train.rank"),
        ("vary: {train.rank: [4, 64]}\nexclude: [{train.rang: 64}]", "the 1st of exclude: train.rang"),
        ("vary: {train.warmup: [0, 1]}\nexclude: [{train.warmup: true}]", "the 1st of exclude: train.warmup"),
        (
            "vary: {train.rank: {choice: [4, 8], count: 2}}\nexclude: [{train.rank: 16}]",
            "the 1st of exclude: train.rank",
        ),
        (f"vary: {{{RATES}, train.rank: [4, 8]}}\nwhen: {{train.rank: {{train.batch_size: 8}}}}", "when.train.rank"),
        (f"vary: {{{RATES}, train.rank: [4, 8]}}\nwhen: {{train.rank: {{train.learning_rate: 0.5}}}}", "when.train"),
        ("vary: {train.rank: [4, 8], model: [s, m]}\nwhen: {train.rank: {model: l}}", "when.train.rank.model"),
        ("vary: {train.rank: [4, 8]}\nwhen: {train.rank: {budget.usd: 3}}", "when.train.rank.budget.usd"),
        (
            "vary: {train.rank: [4, 8], model: [s, m]}\nzip: [[train.rank, model]]\nwhen: {train.rank: {model: m}}",
            "zip",
        ),
    ],
)
def test_a_condition_that_nothing_can_meet_is_refused_at_its_line(text: str, where: str) -> None:
    message = refused(text)
    assert message.startswith("sweep.yaml:")
    assert where in message or where == "zip"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (
            "vary: {train.rank: [4,8], model: [s,m]}\nzip: [[model, train.rank]]\nexclude: [{train.rank: 4, model: m}]",
            "exclude.0",
        ),
        (
            (
                "vary: {train.rank: [4, 8], model: [s, m]}\nwhen: {train.rank: {model: m}}\n"
                "exclude: [{model: s}, {train.rank: 4, model: s}]"
            ),
            "exclude.1",
        ),
        (
            (
                "vary: {train.rank: [4, 8], train.warmup: [0, 1], model: [s, m]}\n"
                "when: {train.rank: {model: m}, train.warmup: {train.rank: 8, model: s}}"
            ),
            "when.train.warmup",
        ),
        (
            "vary: {train: [{rank: 4, steps: 5, learning_rate: 0.1}], model: [s, m]}\nwhen: {model: {train.rank: 8}}",
            "when.model",
        ),
    ],
)
def test_a_condition_that_no_cell_meets_is_refused(text: str, where: str) -> None:
    assert refused(text).startswith(f"{where}: no condition has")


def test_a_pair_that_a_transfer_never_makes_is_excluded_in_vain() -> None:
    with pytest.raises(PlanError, match=r"exclude.0: no condition has \{source: 'a', target: 'a'\}"):
        planned(TRANSFERRED + "exclude: [{source: a, target: a}]")
    assert len(planned(TRANSFERRED + "exclude: [{source: a, target: b}]").runs) > 0


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        (f"vary: {{{RATES}}}\nexclude: [{{train.learning_rate: 0.00316}}]", 4),
        (f"vary: {{{RATES}}}\nexclude: [{{train.learning_rate: 1e-2}}]", 4),
        (f"vary: {{{RATES}, train.rank: [4, 8, 16]}}\nwhen: {{train.rank: {{train.learning_rate: 0.0316}}}}", 7),
        ("vary: {train.rank: [4, 64.0]}\nexclude: [{train.rank: 64}]", 1),
        ("vary: {train.rank: [4, 64]}\nexclude: [{train.rank: 64.0}]", 1),
        ("vary: {train: [{rank: 4, steps: 5, learning_rate: 0.1}], model: [s, m]}\nwhen: {model: {train.rank: 4}}", 2),
    ],
)
def test_a_condition_holds_where_the_value_is_the_same(text: str, runs: int) -> None:
    assert len(list_trained(planned(HEAD.replace("seeds: 2", "seeds: 1") + text))) == runs


@pytest.mark.parametrize(
    ("axis", "differ"),
    [
        ("train.warmup: {lin: [0, 1], count: 9}", 9),
        ("train.batch_size: {geom: [1, 4], count: 8}", 4),
        ("train.batch_size: {lin: [1, 3], count: 5}", 3),
        ("train.batch_size: {geom: [1, 8], factor: 1.2}", 7),
        ("train.batch_size: {log_uniform: [2, 8], count: 9, seed: 1}", 0),
        ("train.batch_size: {uniform: [1, 5], count: 6, seed: 0}", 0),
        ("train.batch_size: {choice: [1, 2, 2], count: 3}", 2),
        ("train.batch_size: {choice: [1, 2], count: 5}", 2),
        ("train.batch_size: [4, 4.0, 16]", 0),
        ("train.learning_rate: [1e-2, 0.01]", 0),
        ("model: [s, m, s]", 0),
    ],
)
def test_an_axis_that_repeats_itself_is_refused(axis: str, differ: int) -> None:
    if axis.startswith("train.warmup"):
        assert len(cells(f"vary: {{{axis}}}")) == differ
        return
    message = refused(f"vary: {{{axis}}}")
    assert f"of which {differ} differ" in message if differ else "differ" in message or "twice" in message


@pytest.mark.parametrize(
    "sizes", ["{geom: [1, 4], count: 8}", "{lin: [0, 9], count: 4}", "[4, 4.0]", "[4, true]", "[1.5]"]
)
def test_sizes_that_are_none_or_the_same_are_refused(sizes: str) -> None:
    with pytest.raises(SpecError, match="sizes"):
        parse(TRANSFER.replace("sizes: [16, 32, 64, 128]", f"sizes: {sizes}"))


def test_sizes_may_stand_in_any_order_and_as_numbers_are_written() -> None:
    sweep = parse(TRANSFER.replace("sizes: [16, 32, 64, 128]", "sizes: [64, 1.6e1, 32.0]"))
    assert sweep.size_values == (16, 32, 64)


NINE = "train.learning_rate: {geom: [1.0e-4, 1.0e-2], count: 9}"


@pytest.mark.parametrize(
    "other", ["{geom: [4, 8], count: 9}", "{log_uniform: [2, 8], count: 9, seed: 1}", "{choice: [4, 8], count: 9}"]
)
@pytest.mark.parametrize("first", [True, False])
def test_zipped_axes_stay_as_many_pairs_however_they_are_rounded(other: str, first: bool) -> None:
    pair = [f"train.batch_size: {other}", NINE]
    axes = ", ".join(pair if first else pair[::-1])
    expanded = cells(f"vary: {{{axes}}}\nzip: [[train.batch_size, train.learning_rate]]")
    rates = [float(str(cell["train.learning_rate"])) for cell in expanded]
    assert len(expanded) == 9
    assert rates == sorted(set(rates))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("zip: [[train.rank, train.batch_size]]", "the 1st of zip: train.rank 3 train.batch_size 2"),
        ("zip: [[train.rank, train.warmup]]", "the 1st of zip: train.warmup"),
        ("zip: [[train.rank, train.rank]]", "the 1st of zip: ['train.rank', 'train.rank']"),
        ("zip: [[train.rank, model], [model, train.rank]]", "the 2nd of zip: train.rank two"),
        ("zip: [[train.adam.eps, train.rank]]", "the 1st of zip: 1 4 twice"),
    ],
)
def test_axes_that_cannot_walk_together_are_refused(text: str, words: str) -> None:
    varied = "vary: {train.rank: [4, 8, 4], train.batch_size: [1, 2], model: [s, m, l], train.adam.eps: [1, 2, 1]}\n"
    assert not lacks(refused(varied + text), words)


def test_a_value_that_contradicts_the_rest_of_the_file_is_refused_with_its_cell() -> None:
    compared = """
sweep: question
experiment: compare
model: offline/ngram-s
equal: {tokens: 2000}
methods: {one: {data: a, learning_rate: 0.01}, two: {data: a, learning_rate: 0.02}, both: {then: [one, two]}}
data: {a: {source: a}}
seeds: 1
"""
    for axis in ("methods.one.steps: [10, 20]", "methods.both.learning_rate: [0.1]", "methods.one.data: [a, nope]"):
        with pytest.raises(PlanError, match=rf"the condition .*{axis.partition(':')[0]}"):
            planned(compared + f"vary: {{{axis}}}")
    assert len(planned(compared + "vary: {methods.one.rank: [32]}").runs) == 4


def test_a_cell_that_is_left_out_need_not_be_right() -> None:
    text = "vary: {train.method: [sl, rl], train.batch_size: [1, 2]}\n"
    assert not lacks(refused(text), "rl rows")
    assert len(cells(text + "exclude: [{train.method: rl}]")) == 2
