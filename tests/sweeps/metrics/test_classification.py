"""Metrics of classes, against scikit-learn 1.9.1: figures that it gave, and itself where it is installed."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.metrics import classification
from tests.sweeps.class_figures import AUROC, FIGURES, LOGITS, read_digits

Floats = npt.NDArray[np.float64]


@pytest.mark.parametrize(("true", "chosen", "f1", "means", "confusion"), FIGURES)
def test_figures_of_scikit_learn(
    true: str, chosen: str, f1: list[float], means: tuple[float, float], confusion: list[list[int]]
) -> None:
    """It names them f1_score without an average, f1_score macro, balanced_accuracy_score, confusion_matrix."""
    pair = read_digits(true), read_digits(chosen)
    assert [classification.split_f1(*pair, number).mean() for number in range(len(f1))] == pytest.approx(f1, abs=1e-11)
    assert classification.split_macro_f1(*pair).mean() == pytest.approx(means[0], abs=1e-11)
    assert classification.split_balanced_accuracy(*pair).mean() == pytest.approx(means[1], abs=1e-11)
    assert classification.count_confusions(*pair, len(f1)).tolist() == confusion


def read_auroc(true: Any, scores: Any) -> float:
    parts = classification.split_auroc(true, scores)
    assert parts is not None
    return float(parts.mean())


def test_auroc_against_scikit_learn_and_by_hand() -> None:
    """roc_auc_score(softmax, multi_class="ovr", average="macro"); 0.875 by hand: 7 of 8 half pairs."""
    odds = classification.compute_log_odds(LOGITS)
    assert read_auroc(read_digits(FIGURES[0][0]), odds) == pytest.approx(AUROC, abs=1e-11)
    assert np.argsort(odds[:, 0]).tolist() == np.argsort(1 / (1 + np.exp(-odds[:, 0]))).tolist()
    assert read_auroc([0, 0, 1, 1], [[1, 0.1], [0.5, 0.4], [0.5, 0.4], [0, 0.8]]) == pytest.approx(0.875)
    assert read_auroc([0, 1, 0, 1], np.zeros((4, 2))) == 0.5, "equal scores say nothing"
    assert classification.split_auroc([1, 1, 1], np.zeros((3, 2))) is None
    with pytest.raises(ValueError, match="3 items"):
        classification.split_auroc([1, 1, 1], np.zeros((2, 2)))


def test_log_odds_stay_apart_where_a_softmax_is_1() -> None:
    odds = classification.compute_log_odds([[0.0, -50.0], [0.0, -60.0], [0.0, -40.0]])
    assert odds[:, 0].tolist() == [50, 60, 40]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(6, 40))
def test_random_data_against_scikit_learn(seed: int, classes: int, items: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    true, chosen = random.integers(0, classes, items), random.integers(0, classes, items)
    scores = random.normal(size=(items, classes)).round(1)
    here = np.unique(true)
    expected = sklearn.f1_score(true, chosen, labels=here, average="macro", zero_division=0)
    assert classification.split_macro_f1(true, chosen).mean() == pytest.approx(expected)
    expected = sklearn.recall_score(true, chosen, labels=here, average="macro")
    assert classification.split_balanced_accuracy(true, chosen).mean() == pytest.approx(expected)
    if len(here) > 1:
        expected = np.mean([sklearn.roc_auc_score(true == number, scores[:, number]) for number in here])
        assert read_auroc(true, scores) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy", "auroc"])
def test_its_interval_holds_what_is_true(metric: str) -> None:
    """Of 400 samples of 150 items from one model, 95 % intervals hold the value of 60,000 items about as often."""
    random = np.random.default_rng(4)

    def draw(items: int) -> tuple[npt.NDArray[np.intp], Floats]:
        true = random.choice(3, items, p=[0.6, 0.25, 0.15])
        scores = random.normal(size=(items, 3))
        scores[np.arange(items), true] += 1.2
        return true, scores

    def split(true: npt.NDArray[np.intp], scores: Floats) -> Floats:
        if metric == "auroc":
            return classification.split_auroc(true, scores)  # type: ignore[return-value]
        pair = true, scores.argmax(axis=1)
        return {
            "macro_f1": classification.split_macro_f1,
            "balanced_accuracy": classification.split_balanced_accuracy,
        }[metric](*pair)

    truth = split(*draw(60_000)).mean()
    values = [split(*draw(150)) for _ in range(400)]
    held = [abs(sample.mean() - truth) < 1.976 * sample.std(ddof=1) / math.sqrt(len(sample)) for sample in values]
    assert 0.925 <= np.mean(held) <= 0.985


def test_two_halves_of_auroc_vary_as_delong_says() -> None:
    """Var = S10/m + S01/n of the placements (DeLong et al. 1988), worked out here for 3 and 5 items."""
    true, scores = np.array([1, 1, 1, 0, 0, 0, 0, 0]), np.array([0.9, 0.6, 0.4, 0.7, 0.5, 0.3, 0.2, 0.1])
    values = classification.split_auroc(true, np.stack([-scores, scores], axis=1))
    assert values is not None
    inside, outside = np.array([1, 0.8, 0.6]), np.array([1 / 3, 2 / 3, 1, 1, 1])
    assert values.mean() == pytest.approx(0.8)
    assert values.var() / 8 == pytest.approx(inside.var() / 3 + outside.var() / 5)
