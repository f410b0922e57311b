"""What answers cost before they are there, and what they are worth once they are.

The score of an answer is from 0 to 1; where right or wrong is asked for, half of it is right. Its confidence is the
probability of all its tokens by the model itself, whatever the temperature; of several samples it is the share of the
commonest answer, and what is right or wrong is that answer. Known values and sources stand in `sweeps.metrics`.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from sweeps.cost import Usage
from sweeps.metrics import calibration, consistency, matching, rag, ranking
from sweeps.questions import Ask

Metrics = dict[str, float]


class Said(NamedTuple):
    """One answer, and how probable the model holds it."""

    text: str
    probability: float


class Answered(NamedTuple):
    """What was said to one prompt, by each sample."""

    ask: Ask
    said: Sequence[Said]
    scores: Sequence[float]

    @property
    def score(self) -> float:
        return float(np.mean(self.scores))

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.said]

    def row(self) -> dict[str, Any]:
        """As an item: `score` is comparable between models, item by item and condition by condition."""
        under = {"under": self.ask.under} if self.ask.under else {}
        about = {"item": self.ask.item, **under, "score": self.score, "confidence": judged(self)[0]}
        several = {"scores": list(self.scores)} if len(self.said) > 1 else {}
        return {**about, "said": self.texts if several else self.texts[0], **several}


def bounds(prompts: Iterable[int], samples: int, most: int) -> tuple[Usage, Usage]:
    """At least and at most, for prompts of so many tokens: an answer has one token at least, its end.

    The prompt is read once, and is in the cache for all samples behind the first.
    """
    read = sum(counted := list(prompts))
    each = Usage(0, read, (samples - 1) * read)
    return each.plus(Usage(sample=samples * len(counted))), each.plus(Usage(sample=samples * most * len(counted)))


def score(check: str, said: str, answers: Sequence[str]) -> float:
    """What an answer is worth beside those that are right."""
    match check:
        case "exact":
            return matching.exact_match(said, *answers)
        case "f1":
            return matching.f1(said, *answers)
        case "numeric":
            return max(matching.numeric_match(said, matching.number_in(each) or 0.0) for each in answers)
        case "regex":
            return max(matching.regex_match(said, each) for each in answers)
    raise ValueError(f"no check {check!r}")


def judged(one: Answered) -> tuple[float, float]:
    """Confidence, and whether what it is about is right."""
    if len(one.said) == 1:
        return min(1.0, one.said[0].probability), float(one.scores[0] >= 0.5)
    same = [matching.normalised(text) for text in one.texts]
    commonest = max(same, key=same.count)
    return same.count(commonest) / len(same), float(one.scores[same.index(commonest)] >= 0.5)


def measured(name: str, found: Sequence[Answered], abstain: str = "") -> Metrics:
    """The metrics of an evaluation, of all that was answered in it."""
    if name == "rag":
        return {key: value for key, value in _rag(found, abstain).items() if value is not None}
    return _reliability(found) if name == "reliability" else _answers(found)


def _answers(found: Sequence[Answered]) -> Metrics:
    metrics = {"accuracy": _mean(one.score for one in found), **_calibration([judged(one) for one in found])}
    if len(found[0].said) == 1:
        return metrics
    k = len(found[0].said)
    right = [sum(score >= 0.5 for score in one.scores) for one in found]
    return {
        **metrics,
        "agreement": _mean(consistency.agreement(one.texts) for one in found),
        "semantic_entropy": _mean(consistency.semantic_entropy(one.texts) for one in found),
        "pass_at_k": _mean(consistency.pass_at_k(k, count, k) for count in right),
        "pass_hat_k": _mean(consistency.pass_all_k(k, count, k) for count in right),
    }


def chosen(scores: Sequence[float], right: Sequence[bool]) -> tuple[dict[str, Any], tuple[float, float]]:
    """One item of which the candidates have these log-probabilities: its row, and how sure it is of its first one."""
    values = np.asarray(scores, float)
    shares = np.exp(values - values.max())
    shares /= shares.sum()
    best = max((place for place, one in enumerate(right) if one), key=lambda place: values[place])
    first = ranking.first(values, best)
    row = {
        "score": first,
        "confidence": float(shares.max()),
        "reciprocal_rank": ranking.reciprocal_rank(values, best),
        "ndcg": ranking.ndcg(values, [float(one) for one in right]) or 0.0,
        "logprobs": [float(value) for value in values],
    }
    return row, (float(shares.max()), first)


def of_choices(found: Sequence[tuple[Mapping[str, Any], tuple[float, float]]]) -> Metrics:
    """The metrics of all items of `chosen`."""
    rows = [row for row, _ in found]
    means = {"accuracy": "score", "mrr": "reciprocal_rank", "ndcg": "ndcg"}
    judged_so = _calibration([judgement for _, judgement in found])
    return {**{metric: _mean(row[key] for row in rows) for metric, key in means.items()}, **judged_so}


def _calibration(judgements: Sequence[tuple[float, float]]) -> Metrics:
    stated, right = zip(*judgements, strict=True)
    return {
        "ece": calibration.ece(stated, right),
        "adaptive_ece": calibration.adaptive_ece(stated, right),
        "brier": calibration.brier(stated, right).score,
        "aurc": calibration.aurc(stated, right),
    }


def _reliability(found: Sequence[Answered]) -> Metrics:
    """Items may have different numbers of wordings: each counts once."""
    each = [
        consistency.robustness([[one.score for one in same]])
        for _, same in groupby(found, key=lambda one: one.ask.item)
    ]
    return {
        "mean_accuracy": _mean(one.mean for one in each),
        "worst_accuracy": _mean(one.worst for one in each),
        "spread": _mean(one.spread for one in each),
        "flip_rate": _mean(one.flip_rate for one in each),
    }


def _rag(found: Sequence[Answered], abstain: str) -> dict[str, float | None]:
    """Each over the items that have what its condition takes."""
    under = {name: list(each) for name, each in _under(found).items()}
    scores = {name: [one.score for one in each] for name, each in under.items()}
    silent = {name: [matching.exact_match(one.texts[0], abstain) for one in each] for name, each in under.items()}
    hidden, planted = silent.get("unanswerable"), under.get("counterfactual")
    told = {"open_book": "open", "closed_book": "closed", "distracted": "distracted", "mixed": "mixed"}
    return {
        **{metric: _mean(scores[name]) if name in scores else None for metric, name in told.items()},
        "uplift": _mean(rag.uplift(scores["closed"], scores["open"])),
        "abstention": None if hidden is None else _mean(hidden),
        "false_answers": (
            rag.false_answer_rate(scores["distracted"], silent["distracted"]) if "distracted" in scores else None
        ),
        "faithfulness": _mean(one.score for one in planted) if planted else None,
    }


def _under(found: Sequence[Answered]) -> dict[str, list[Answered]]:
    groups: dict[str, list[Answered]] = {}
    for one in found:
        groups.setdefault(one.ask.under, []).append(one)
    return groups


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
