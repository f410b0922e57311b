"""What answers cost before they are there, and what they are worth once they are.

Each item is a row that holds what it says to each metric, under the metric's name; a metric is the mean over the items
that say something to it. Only calibration is about all items together: it is made of `confidence` and `right`.

The score of an answer is from 0 to 1; where right or wrong is asked for, half of it is right. Its confidence is the
probability of all its tokens by the model itself, whatever the temperature; of several samples it is the share of the
commonest answer, and what is right or wrong is that answer. Known values and sources stand in `sweeps.metrics`.

A check of one's own, or a pattern, may fail on an answer. Then nothing is known of its item but that: it says so to
one metric, the share of such items, and nothing to the others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from sweeps.cost import Usage
from sweeps.evaluation.item_rows import ItemRow
from sweeps.metrics import calibration, consistency, matching, rag, ranking
from sweeps.rendering.prompts import PromptItem
from sweeps.spec.metric_names import CUT, UNCHECKED

Item = Mapping[str, Any]
Values = Mapping[str, float]
COVERED = 0.5  # of the items, the surest, are those of which the selective accuracy is
SCORED = {  # of reading: the metric, and the condition under which its answers are given
    "open_book": "open",
    "closed_book": "closed",
    "distracted": "distracted",
    "mixed": "mixed",
    "abstention": "unanswerable",
    "faithfulness": "counterfactual",
}


class Said(NamedTuple):
    """One answer, and how probable the model holds it."""

    text: str
    probability: float
    cut: bool = False  # it was not at its end when it had as many tokens as it may, or its thoughts were not
    whole: str = ""  # all that was written for it, thoughts and marks included


class Answered(NamedTuple):
    """What was said to one prompt, by each sample."""

    ask: PromptItem
    said: Sequence[Said]
    scores: Sequence[float]
    failed: str | None = None  # of a check that may fail: why one of the scores is not there, or that all are ("")

    @property
    def score(self) -> float:
        return _mean(self.scores)

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.said]


def bounds(prompts: Iterable[int], samples: int, most: int) -> tuple[Usage, Usage]:
    """At least and at most, for prompts of so many tokens: an answer has one token at least, its end.

    The prompt is read once, and is in the cache for all samples behind the first.
    """
    read = sum(counted := list(prompts))
    each = Usage(0, read, (samples - 1) * read)
    return each.plus(Usage(sample=samples * len(counted))), each.plus(Usage(sample=samples * most * len(counted)))


def score(check: str, said: str, answers: Sequence[str]) -> float:
    """What an answer is worth beside those that are right, by a check that always ends."""
    match check:
        case "exact":
            return matching.exact_match(said, *answers)
        case "f1":
            return matching.f1(said, *answers)
        case "numeric":
            return matching.numeric_match(said, *answers)
    raise ValueError(f"no check {check!r}")


def items_of(name: str, found: Sequence[Answered], abstain: str = "", check: str = "exact") -> list[ItemRow]:
    """What was answered, item by item; several answers to one are told apart as the check does."""
    ways = {
        "answers": lambda same: _answer(same[0], check),
        "reliability": _in_other_words,
        "rag": lambda same: _read(same, abstain),
    }
    by_item = groupby(found, key=lambda one: one.ask.item)
    return [_row(item, list(same), lambda several: _whole(name, several, ways[name])) for item, same in by_item]


def _row(item: int, same: list[Answered], tell: Callable[[list[Answered]], Item]) -> ItemRow:
    return ItemRow.from_json({**tell(same), "item": item, "cluster": same[0].ask.cluster})


def _whole(name: str, same: list[Answered], tell: Callable[[list[Answered]], Item]) -> Item:
    """What an item says, and how much of what was written for it was cut."""
    cut = _mean([each.cut for one in same for each in one.said])
    said = [each for one in same for each in one.said]
    wrote = {"wrote": [each.whole for each in said]} if any(each.whole not in ("", each.text) for each in said) else {}
    return {**_checked(name, same, tell), f"{CUT}{name}": cut, **wrote}


def _checked(name: str, same: list[Answered], tell: Callable[[list[Answered]], Item]) -> Item:
    """What an item says, if all of its answers could be checked."""
    failed = [one.failed for one in same if one.failed]
    if failed:
        return {f"{UNCHECKED}{name}": 1.0, "failed": failed[0], "said": {one.ask.under: one.texts for one in same}}
    may_fail = any(one.failed is not None for one in same)
    return {**tell(same), **({f"{UNCHECKED}{name}": 0.0} if may_fail else {})}


def chosen(item: int, scores: Sequence[float], right: Sequence[bool], cluster: str | None = None) -> ItemRow:
    """An item of which the candidates have these log-probabilities."""
    values = np.asarray(scores, float)
    shares = np.exp(values - values.max())
    best = max((place for place, one in enumerate(right) if one), key=lambda place: values[place])
    first = ranking.first(values, best)
    found = {
        "accuracy": first,
        "mrr": ranking.reciprocal_rank(values, best),
        "chance": sum(right) / len(right),
        **_judged(float(shares.max() / shares.sum()), first),
    }
    ndcg = ranking.ndcg(values, [float(one) for one in right])
    found |= {} if ndcg is None else {"ndcg": ndcg}
    return ItemRow(item, found, cluster, {"logprobs": values.tolist()})


def metrics_from(rows: Sequence[ItemRow], names: Iterable[str]) -> dict[str, float]:
    """The means of all items, and calibration where there is something to calibrate."""
    items = [row.values for row in rows]
    means = {name: [item[name] for item in items if name in item] for name in names}
    metrics = {name: _mean(values) for name, values in means.items() if values}
    return {**metrics, **_calibration(items), **_reading(items)}


def _calibration(items: Sequence[Values]) -> dict[str, float]:
    judged = [item for item in items if "confidence" in item and "right" in item]
    if not judged:
        return {}
    pair = [item["confidence"] for item in judged], [item["right"] for item in judged]
    return {
        "ece": calibration.ece(*pair),
        "adaptive_ece": calibration.adaptive_ece(*pair),
        "aurc": calibration.aurc(*pair),
        "selective_accuracy": calibration.selective_accuracy(*pair, COVERED),
    }


def _reading(items: Sequence[Values]) -> dict[str, float]:
    """Ratios of means, as far as there is something to divide by."""
    read = [item for item in items if "open_book" in item]
    if not read:
        return {}
    mixed = [item for item in read if "mixed" in item]
    silent = [(item["silent"], 0.0) for item in read]
    silent += [(item["abstention"], 1.0) for item in read if "abstention" in item]
    ratios = {
        "utilisation": rag.utilisation(_column(read, "closed_book"), _column(read, "open_book")),
        "distractor_robustness": rag.distractor_robustness(_column(mixed, "open_book"), _column(mixed, "mixed"))
        if mixed
        else None,
        "abstention_precision": rag.abstention(*zip(*silent, strict=True)).precision,
    }
    return {name: ratio for name, ratio in ratios.items() if ratio is not None}


def _column(items: Sequence[Values], name: str) -> list[float]:
    return [item[name] for item in items]


def _answer(one: Answered, check: str) -> Item:
    if len(one.said) == 1:
        said = one.said[0]
        judged = _judged(said.probability, float(one.score >= 0.5))
        return {"accuracy": one.score, **judged, "said": said.text}
    k, right = len(one.said), sum(each >= 0.5 for each in one.scores)
    same = [matching.meaning(text, check) for text in one.texts]
    commonest = max(same, key=same.count)
    return {
        "accuracy": one.score,
        **_judged(same.count(commonest) / k, float(one.scores[same.index(commonest)] >= 0.5)),
        "agreement": consistency.agreement(same),
        "pairwise_agreement": consistency.pairwise_agreement(same),
        "semantic_entropy": consistency.semantic_entropy(same),
        "pass_at_k": consistency.pass_at_k(k, right, k),
        "pass_hat_k": consistency.pass_all_k(k, right, k),
        "said": one.texts,
        "scores": list(one.scores),
    }


def _judged(confidence: float, right: float) -> dict[str, float]:
    stated = min(1.0, confidence)
    return {"confidence": stated, "right": right, "brier": (stated - right) ** 2}


def _in_other_words(found: Sequence[Answered]) -> Item:
    found_so = consistency.robustness([[one.score for one in found]])
    return {
        "mean_accuracy": found_so.mean,
        "worst_accuracy": found_so.worst,
        "spread": found_so.spread,
        "flip_rate": found_so.flip_rate,
        "said": [one.texts[0] for one in found],
    }


def _read(found: Sequence[Answered], abstain: str) -> Item:
    """One question under all its conditions; what it lacks for one of them is not there."""
    under = {one.ask.under: one for one in found}
    scores = {metric: under[name].score for metric, name in SCORED.items() if name in under}
    opened = under["open"]
    supported = rag.token_support(opened.texts[0], opened.ask.context)
    return {
        **scores,
        "uplift": scores["open_book"] - scores["closed_book"],
        "silent": matching.exact_match(opened.texts[0], abstain),
        **({} if supported is None else {"token_support": supported}),
        **dict(_led_astray(scores, under.get("distracted"), abstain)),
        "said": {name: one.texts[0] for name, one in under.items()},
    }


def _led_astray(scores: Mapping[str, float], distracted: Answered | None, abstain: str) -> Iterator[tuple[str, float]]:
    """Is it wrong, and said nevertheless? And was it right without what it read?"""
    if distracted is None:
        return
    silent = matching.exact_match(distracted.texts[0], abstain)
    yield "false_answers", float(distracted.score < 1 and not silent)
    if scores["closed_book"] == 1:
        yield "harmful_context", float(distracted.score < 1)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
