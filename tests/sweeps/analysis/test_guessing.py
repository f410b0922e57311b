"""A score that is no better than guessing, or than always giving the commonest answer, is said to be that."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from sweeps import RunResult, item_key
from sweeps.analysis.guessing import describe_guess, find_beaten, find_guess, is_better, weigh_guess
from sweeps.evaluation.answer_evaluator import ModelAnswer, ScoredAnswers, score_text
from sweeps.evaluation.answers import ANSWERS
from sweeps.evaluation.choice import choose
from sweeps.evaluation.evaluator import Measured
from sweeps.evaluation.item_rows import ItemRow, read_rows, write_rows
from sweeps.evaluation.majority import add_majority
from sweeps.rendering.prompts import PromptItem
from sweeps.report.compose import compose_answer, list_facts
from sweeps.report.inputs import Material
from sweeps.stage import Json
from sweeps.stats.paired_items import ItemKey
from tests.sweeps.reports import material

CLASSES = ("N", "E", "C")
ITEMS = 90
SIZES = (16, 32, 64, 128, 256, 512)
Model = Callable[[int, float], str]  # item and size to what it says


def right_answer(item: int, commonest: float = 1 / 3) -> str:
    """Classes in turn, or the first of them for a larger share."""
    if commonest == 1 / 3:
        return CLASSES[item % 3]
    return CLASSES[0] if item % 10 < 10 * commonest else CLASSES[1 + item % 2]


def answer(says: Callable[[int], str], commonest: float = 1 / 3) -> Measured:
    """All questions, scored by the evaluator itself."""
    answered = []
    for item in range(ITEMS):
        ask, text = PromptItem(item, "", "?", (right_answer(item, commonest),)), says(item)
        answered.append(ScoredAnswers(ask, [ModelAnswer(text, 0.5)], [score_text("exact", text, ask.answers)]))
    return ANSWERS.measure(answered, {"check": "exact"})


def sweep(model: Model, commonest: float = 1 / 3, *, keep: bool = True) -> Material:
    """A scaling sweep of accuracy with three seeds, with its items as a report reads them: without their details."""
    rows, items = list[RunResult](), dict[ItemKey, Sequence[ItemRow]]()
    for size in (0, *SIZES):
        for seed in range(3 if size else 1):
            cell: dict[str, Json] = {"data": "nli", "size": size}
            measured = answer(lambda item, size=size, seed=seed: model(item + 1000 * seed, size), commonest)  # type: ignore[misc]
            rows.append(RunResult(cell, seed, "succeeded", measured.metrics))
            items[item_key(cell, seed)] = read_rows(write_rows(measured.rows), details=False)
    spec: dict[str, Json] = {
        "experiment": "data_scaling",
        "target": {"metric": "accuracy", "above": 0.8},
        "evaluate": [{"name": "answers", "options": {"check": "exact"}}],
    }
    return material("data_scaling", rows, spec=spec, items={"answers": items} if keep else {}, curves=())


def say_first(_item: int, _size: float) -> str:
    return "N"


def say_anything(item: int, size: float) -> str:
    return CLASSES[int(np.random.default_rng([item, int(size)]).integers(3))]


def learn(item: int, size: float) -> str:
    """Right with 1 - .9·(1 + n/30)^-.5 of the items, and else N."""
    known = 1 - 0.9 * (1 + size / 30) ** -0.5
    return right_answer(item % 1000) if np.random.default_rng([item]).random() < known else "N"


def test_a_third_of_three_classes_at_all_sizes_is_no_law() -> None:
    """It was told with a formula of R² -.27."""
    material = sweep(say_first)
    assert {row.metrics["accuracy"] for row in material.rows} == {1 / 3}
    assert {row.metrics["majority"] for row in material.rows} == {1 / 3}
    (fit,) = list_facts(material)["fits"]
    assert fit["law"] is None
    assert "always saying 'N' (0.3333)" in fit["refused"]
    assert "always saying 'N' (0.3333)" in compose_answer(material).answer[0]


def test_answers_at_random_are_no_better_either() -> None:
    (fit,) = list_facts(sweep(say_anything))["fits"]
    assert fit["law"] is None
    assert "always saying 'N' (0.3333)" in fit["refused"]


def test_the_commonest_answer_of_six_in_ten_is_what_counts() -> None:
    material = sweep(say_first, commonest=0.6)
    assert {round(row.metrics["majority"], 3) for row in material.rows} == {0.6}
    assert "'N' (0.6000)" in compose_answer(material).answer[0]


def test_what_is_learnt_has_its_law() -> None:
    (fit, *_) = list_facts(sweep(learn))["fits"]
    assert fit["law"] == "bounded"
    assert not fit["refused"]


def test_without_items_the_seeds_decide_and_a_single_one_says_nothing() -> None:
    rows = [
        RunResult({"data": "nli", "size": 16}, seed, "succeeded", {"accuracy": value, "majority": 0.5})
        for seed, value in enumerate((0.45, 0.5, 0.55))
    ]
    assert describe_guess(rows, "accuracy") == "always giving the commonest answer (0.5000)"
    assert not describe_guess(rows[2:], "accuracy")
    better = [
        RunResult(row.cell, row.seed, "succeeded", {"accuracy": 0.9 + row.seed / 100, "majority": 0.5}) for row in rows
    ]
    assert not describe_guess(better, "accuracy")


def test_a_winner_that_always_says_the_same_is_said_to_do_so() -> None:
    """sl always says N and beats the untrained model, which says nothing: clearly, and by nothing that it learnt."""
    rows, items = list[RunResult](), dict[ItemKey, Sequence[ItemRow]]()
    for method, text in ((None, "?"), ("sl", "N")):
        for seed in range(2 if method else 1):
            measured = answer(lambda _item, text=text: text)  # type: ignore[misc]
            rows.append(RunResult({"method": method}, seed, "succeeded", measured.metrics))
            items[item_key({"method": method}, seed)] = measured.rows
    best: dict[str, Json] = {"metric": "accuracy", "mode": "max"}
    known = {"items": {"answers": items}, "curves": ()}
    compared = material("compare", rows, spec={"experiment": "compare", "best": best}, **known)
    (pair,) = list_facts(compared)["differences"]
    assert pair["no_better_than"]["one"] == {"words": "always saying 'N'", "share": 1 / 3}
    first = compose_answer(compared).answer[0]
    assert "sl has the best accuracy" in first
    assert "always saying 'N' (0.3333)" in first
    grid = compose_answer(material("grid", rows, spec={"experiment": "grid", "best": best}, **known)).answer[0]
    assert "always saying 'N' (0.3333)" in grid


def test_what_is_clearly_better_than_a_guess_is_said_to_be_that() -> None:
    """The grid and the comparison say it of their best, the scaling of its largest size."""
    scaling = sweep(learn)
    largest = [row for row in scaling.rows if row.cell["size"] == SIZES[-1]]
    guess = find_beaten(largest, "accuracy", scaling.items["answers"])
    assert guess
    assert guess.share == pytest.approx(1 / 3)
    assert weigh_guess(largest, "accuracy", scaling.items["answers"])
    details = "\n".join(compose_answer(scaling).answer)
    assert f"{guess.words} ({guess.share:.4f})" in details
    untrained = [row for row in scaling.rows if not row.cell["size"]]
    assert find_beaten(untrained, "accuracy", scaling.items["answers"]) is None
    best: dict[str, Json] = {"metric": "accuracy", "mode": "max"}
    for kind, cell in (("grid", {"train.rank": 8}), ("compare", {"method": "sl"})):
        rows = [RunResult(cell, row.seed, "succeeded", row.metrics) for row in largest]
        kept = {item_key(cell, row.seed): scaling.items["answers"][item_key(row.cell, row.seed)] for row in largest}
        known = material(kind, rows, spec={"experiment": kind, "best": best}, items={"answers": kept}, curves=())
        assert f"{guess.words} ({guess.share:.4f})" in "\n".join(compose_answer(known).answer)


@pytest.mark.parametrize(
    ("metric", "metrics", "share"),
    [
        ("accuracy", {"accuracy": 0.4, "chance": 0.25}, 0.25),
        ("accuracy", {"accuracy": 0.4, "chance": 0.25, "majority": 0.6}, 0.6),
        ("source.accuracy", {"source.accuracy": 0.4, "source.chance": 0.5, "chance": 0.9}, 0.5),
        ("mrr", {"mrr": 0.4, "chance": 0.1, "chance_mrr": 0.26, "majority": 0.6}, 0.26),
        ("new.ndcg", {"new.ndcg": 0.4, "new.chance_ndcg": 0.5, "chance_ndcg": 0.9}, 0.5),
        ("mrr", {"mrr": 0.4, "chance": 0.1}, None),
        ("preference_accuracy", {"preference_accuracy": 0.5}, 0.5),
        ("accuracy", {"accuracy": 0.4}, None),
        ("nll", {"nll": 2.0}, None),
        ("episode.accuracy", {"episode.accuracy": 0.4, "chance": 0.5}, None),
    ],
)
def test_the_best_guess_is_the_one_to_beat(metric: str, metrics: Mapping[str, float], share: float | None) -> None:
    guess = find_guess([RunResult({}, 0, "succeeded", metrics)], metric)
    assert (guess.share if guess else None) == share


def test_choices_are_compared_with_guessing_item_by_item() -> None:
    """200 questions of four candidates; right in .25 of them, then in .40: ± .06 to .07."""
    for right, better in ((50, False), (80, True)):
        rows = [choose(at, [0.0, 1.0] if at < right else [1.0, 0.0], [False, True]) for at in range(200)]
        quarter = [ItemRow(row.item, {**row.values, "chance": 0.25}) for row in rows]
        runs = [RunResult({"size": 8}, 0, "succeeded", {"accuracy": right / 200, "chance": 0.25})]
        guess = find_guess(runs, "accuracy")
        assert guess
        assert is_better(runs, "accuracy", guess, {item_key({"size": 8}, 0): quarter}) is better


@pytest.mark.parametrize("metric", ["mrr", "ndcg"])
def test_ranks_are_compared_with_an_order_by_chance(metric: str) -> None:
    """Of 120 questions of four candidates the right one is first; or each place has as many: that is chance."""
    for places, better in (([0], True), ([0, 1, 2, 3], False)):
        ranked = [places[at % len(places)] for at in range(120)]
        rows = [
            choose(at, [-float(n) for n in range(4)], [n == place for n in range(4)]) for at, place in enumerate(ranked)
        ]
        values = {name: float(np.mean([row.values[name] for row in rows])) for name in (metric, f"chance_{metric}")}
        runs = [RunResult({"size": 8}, 0, "succeeded", values)]
        guess = find_guess(runs, metric)
        assert guess
        assert is_better(runs, metric, guess, {item_key({"size": 8}, 0): rows}) is better
        assert better or guess.share == pytest.approx(values[metric]), "each order as often: exactly what chance has"


def test_questions_without_classes_have_no_commonest_answer() -> None:
    rows = [ItemRow(at, {"accuracy": 1.0}) for at in range(40)]
    assert add_majority(rows, {at: [f"answer {at}"] for at in range(40)}, "exact") == rows
    assert add_majority(rows, {at: ["^N$"] for at in range(40)}, "regex") == rows, "patterns are not answers"
    assert add_majority(rows[:10], {at: ["N"] for at in range(10)}, "exact") == rows[:10], "too few to say"
    numbers = add_majority(rows, {at: ["7.0", "seven"] if at % 2 else ["8"] for at in range(40)}, "numeric")
    assert math.fsum(row.values["majority"] for row in numbers) == 20
