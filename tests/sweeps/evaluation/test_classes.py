"""Choices among the same candidates are a classification, from the evaluator to the conclusion; others are not."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sweeps import RunResult, best_cell, item_key
from sweeps.analysis.change_estimate import change
from sweeps.analysis.confusion_cells import list_confusions
from sweeps.analysis.guessing import find_guess
from sweeps.errors import SpecError
from sweeps.evaluation.choice import CHOICE
from sweeps.evaluation.classes import find_classes, name_classes
from sweeps.evaluation.evaluator import Measured
from sweeps.evaluation.item_rows import ItemRow, read_rows, write_rows
from sweeps.evaluation.registry import choose_direction, find_measure, find_metric
from sweeps.records import Records
from sweeps.report.compose import compose, compose_answer, list_facts
from sweeps.report.html import render_html
from sweeps.report.inputs import Material
from sweeps.report.markdown import render_markdown
from sweeps.spec.parse import parse
from sweeps.stage import Json
from sweeps.stats.paired_items import ItemKey
from tests.sweeps.class_figures import AUROC, FIGURES, LOGITS, read_digits
from tests.sweeps.questions import HEAD
from tests.sweeps.reports import material

NAMES = ("beta.", "alpha", "gamma ray")  # in another order than the classes, which are sorted
F1 = ("f1_beta", "f1_alpha", "f1_gamma_ray")
TRUE, _, PER_CLASS, MEANS, CONFUSION = FIGURES[0]


def measure(logits: Sequence[Sequence[float]], true: Sequence[int], *, extra: bool = False) -> Measured:
    """Measure with the evaluator; the order of the candidates differs from item to item."""
    rows, passed = [], []
    for item, (scores, right) in enumerate(zip(logits, true, strict=True)):
        order = np.roll(range(len(scores)), item).tolist()
        candidates = [NAMES[place] for place in order] + (["delta"] if extra and item == 0 else [])
        rows.append({"question": str(item), "answers": (NAMES[right],), "candidates": candidates})
        passed += [scores[place] for place in order] + ([-9.0] if extra and item == 0 else [])
    records = Records("questions", tuple(rows))
    passes: Any = SimpleNamespace(load_items=lambda: records, log_likelihoods=passed)
    return CHOICE.measure(passes, {"check": "choice"})


def test_the_evaluator_says_what_scikit_learn_says() -> None:
    measured = measure(LOGITS, read_digits(TRUE))
    assert [measured.metrics[name] for name in F1] == pytest.approx(PER_CLASS, abs=1e-11)
    assert (measured.metrics["macro_f1"], measured.metrics["balanced_accuracy"]) == pytest.approx(MEANS, abs=1e-11)
    assert measured.metrics["auroc"] == pytest.approx(AUROC, abs=1e-11)
    assert measured.metrics["accuracy"] == pytest.approx(18 / 24), "the trace of the confusion matrix"
    assert measured.metrics["majority_macro_f1"] == pytest.approx(2 * 0.5 / 1.5 / 3), "12 of 24 are of the commonest"
    assert measured.metrics["majority_balanced_accuracy"] == pytest.approx(1 / 3)
    for name in (*F1, "macro_f1", "balanced_accuracy", "auroc"):
        assert measured.metrics[name] == pytest.approx(np.mean([row.values[name] for row in measured.rows]))
        assert choose_direction(f"source.{name}") == "higher"
        assert find_measure(f"source.{name}") == "source.answers"
        kind = find_metric(name)
        assert kind is not None
        assert (kind.span, kind.unit) == ((0, 1), "")


def test_other_candidates_are_no_classification() -> None:
    measured = measure(LOGITS, read_digits(TRUE), extra=True)
    assert not {"macro_f1", "auroc", *F1} & {*measured.metrics}
    assert find_classes([{"candidates": ["a", "b"], "answers": ("a",)}] * 3) == [], "one class is right for all"
    assert find_classes([{"candidates": ["a", "b"], "answers": ("a", "b")}] * 3) == []
    assert name_classes(["a+", "a-", "?"]) == ["f1_0_a", "f1_1_a", "f1_2_2"]


def test_equal_scores_choose_a_wrong_class_as_accuracy_counts_them() -> None:
    measured = measure([[0.0, 0.0, 0.0]] * 6, [0, 1, 2, 0, 1, 2])
    assert (measured.metrics["accuracy"], measured.metrics["macro_f1"], measured.metrics["auroc"]) == (0, 0, 0.5)


def draw_run(strength: float, seed: int, items: int = 120) -> Measured:
    """Measure a model that knows so much; the items are the same for all seeds."""
    true = np.random.default_rng(1).choice(3, items, p=[0.6, 0.25, 0.15])
    scores = np.random.default_rng([seed, round(10 * strength)]).normal(size=(items, 3))
    scores[np.arange(items), true] += strength
    return measure(scores.tolist(), true.tolist())


def sweep(metric: str = "macro_f1") -> Material:
    rows, items = list[RunResult](), dict[ItemKey, Sequence[ItemRow]]()
    for rate, strength in ((0.001, 0.0), (0.01, 2.0)):
        for seed in range(3):
            cell: dict[str, Json] = {"train.learning_rate": rate}
            measured = draw_run(strength, seed)
            rows.append(RunResult(cell, seed, "succeeded", measured.metrics))
            items[item_key(cell, seed)] = read_rows(write_rows(measured.rows), details=False)
    spec: dict[str, Json] = {
        "experiment": "grid",
        "best": {"metric": metric, "mode": "max"},
        "evaluate": [{"name": "answers", "options": {"check": "choice"}}],
    }
    return material("grid", rows, spec=spec, items={"answers": items}, curves=())


def test_every_face_shows_which_class_is_taken_for_which() -> None:
    known = sweep()
    cells = list_confusions(known.rows, known.items)
    assert [cell.classes for cell in cells] == [tuple(sorted(NAMES))] * 2
    assert [sum(map(sum, cell.counts)) for cell in cells] == [360, 360], "three seeds together"
    best = np.array(cells[1].counts)
    assert cells[1].recall == pytest.approx(np.diag(best) / best.sum(axis=1))
    assert cells[1].precision == pytest.approx(np.diag(best) / best.sum(axis=0))
    (facts, other) = list_facts(known)["confusion"][::-1]
    assert facts["counts"] == best.tolist()
    assert other["cell"] == {"train.learning_rate": 0.001}
    report = compose(known)
    for text in (render_html(report, ""), render_markdown(report)):
        assert all(f"→ {name}" in text for name in NAMES)
        assert "f1_gamma_ray" in text.replace("\\_", "_")
    terminal = compose_answer(known).findings[-1]
    assert len(terminal.parts) == 3, "a note and two tables"


def test_the_best_is_chosen_by_it_and_compared_item_by_item() -> None:
    known = sweep()
    chosen = best_cell(known.rows, metric="macro_f1", items=known.items["answers"])
    best, other = chosen.cells
    assert best.cell == {"train.learning_rate": 0.01}
    assert other.apart
    assert other.by_item is not None
    assert other.by_item.checkpoints is not None
    assert (other.by_item.items, chosen.mode) == (120, "max")
    assert 0 < other.by_item.checkpoints.half_width < 0.3


def test_a_change_has_an_interval() -> None:
    sides = [{seed: draw_run(strength, seed).rows for seed in range(3)} for strength in (0.0, 2.0)]
    for metric in ("macro_f1", "balanced_accuracy", "auroc", "f1_alpha"):
        difference = change(sides[0], sides[1], metric=metric)
        assert difference is not None
        assert difference.clear
        assert 0 < difference.low < difference.mean < difference.high <= 1


def test_guessing_is_always_giving_the_commonest_class() -> None:
    known = sweep()
    guess = find_guess(known.rows, "macro_f1", known.items["answers"])
    assert guess is not None
    commonest = 2 * known.rows[0].metrics["majority"] / (1 + known.rows[0].metrics["majority"]) / 3
    assert guess.share == pytest.approx(commonest)
    assert guess.told_by == "majority_macro_f1"
    assert NAMES[0] in guess.words
    auroc = find_guess(known.rows, "auroc")
    assert auroc is not None
    assert auroc.share == 0.5


def test_the_best_may_be_by_a_class_of_the_data_and_a_target_by_their_mean() -> None:
    choice = "evaluate=[{answers: {check: choice}}]"
    assert parse(HEAD, overrides=[choice, "best={metric: f1_alpha, mode: max}"]).best is not None
    with pytest.raises(SpecError):
        parse(HEAD, overrides=["evaluate=[answers]", "best={metric: f1_alpha, mode: max}"])


def test_results_of_an_earlier_version_have_no_matrix_and_stay_readable() -> None:
    old = [ItemRow(0, {"accuracy": 1.0}, None, {"logprobs": [0.0, -1.0]})]
    cell: dict[str, Json] = {"train.learning_rate": 0.1}
    row = RunResult(cell, 0, "succeeded", {"accuracy": 1.0})
    assert list_confusions([row], {"answers": {item_key(cell, 0): old}}) == []


def test_intervals_are_by_cluster_where_items_have_one() -> None:
    """Thirty items five times each: as many rows, and no more known than from thirty."""
    wide = []
    for clustered in (False, True):
        sides = []
        for strength in (0.0, 2.0):
            rows = [row for copy in range(5) for row in _copy_rows(draw_run(strength, 0, 30).rows, copy, clustered)]
            sides.append({0: rows})
        difference = change(sides[0], sides[1], metric="macro_f1")
        assert difference is not None
        assert difference.clusters == (30 if clustered else 150)
        wide.append(difference.mean - difference.low)
    assert wide[1] > 1.9 * wide[0], "√5 = 2.2, and fewer degrees of freedom"


def _copy_rows(rows: Sequence[ItemRow], copy: int, clustered: bool) -> list[ItemRow]:
    return [
        replace(row, item=f"{row.item} {copy}", cluster=f"subject {row.item}" if clustered else None) for row in rows
    ]
