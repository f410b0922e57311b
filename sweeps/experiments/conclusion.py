"""A conclusion: a claim from a closed list, its effect with an interval, what it is compared with, and its caveats.

The sentence is written from the same fields by one template for each claim, so words and fields cannot disagree.
`docs/reference/json.md` lists every claim and every caveat; a test compares the lists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from sweeps.evaluation.registry import is_rising
from sweeps.experiments.caveats import REASONS, WORDS, Caveat
from sweeps.experiments.measured_sizes import SizeMean, say_beside, say_between
from sweeps.formatting import join_names
from sweeps.scaling.fit_checks import count_needed_sizes
from sweeps.spec.size_units import EXAMPLES, SizeUnit
from sweeps.stage import Json

Claim = Literal[
    "better",
    "worse",
    "no_clear_difference",
    "not_judged",
    "measured",
    "best_cell",
    "tied_best",
    "helps",
    "hurts",
    "mixed",
    "minimum_data",
    "met_from",
    "beyond_sizes",
    "unreachable",
    "without_target",
    "more_data_helps",
    "more_data_hurts",
    "nothing_learnt",
    "not_trained",
    "at_chance",
    "at_majority",
    "too_few_items",
    "no_answer",
    "nothing_measured",
    "control_learnt_nothing",
    "control_behind",
    "control_as_good",
    "control_not_judged",
]
CLAIMS: tuple[Claim, ...] = get_args(Claim)

OF_TARGET: tuple[Claim, ...] = ("minimum_data", "met_from", "beyond_sizes", "unreachable")  # how much data it takes

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Conclusion:
    """One claim about a sweep.

    `effect` is by how much `subject` is better than `against` (below 0: worse), whichever way the metric is better. Of
    the claims about sizes it is a size; of `measured` it is the value itself.
    """

    claim: Claim
    metric: str | None = None
    subject: str = ""  # a method, a cell, a pair, a data set
    against: str | None = None  # a method, a cell, a baseline, a guess, a target, a size
    effect: float | None = None
    low: float | None = None  # the ends of the 95 % interval
    high: float | None = None
    caveats: tuple[Caveat, ...] = ()
    place: str = ""  # where it holds: a variant, a size
    unit: SizeUnit = EXAMPLES  # what sizes count
    others: tuple["Conclusion", ...] = ()  # the same question about the other data sets or settings
    details: Mapping[Caveat, str] = field(default_factory=dict)  # what a caveat says here, with names and counts
    counted: str = ""  # how many of how many pairs help, hurt, and are not clear
    more: int = 0  # answers that are neither this one nor among the others
    around: tuple[SizeMean, ...] = ()  # of an answer of a curve: the measured sizes between which the mean reaches it
    note: str = ""  # what the owner of the subject, a data set, says about it
    ties: tuple[str, ...] = ()  # who else has the same value; with the two themselves
    family: int = 0  # pairs that are judged together; 0: not counted
    over: str = ""  # which items the effect is of, where those are not the ones of the values
    aside: bool = False  # of another: it is in JSON, and the headline is long enough without it

    @property
    def sentence(self) -> str:
        """Write the conclusion in one sentence."""
        return _write_sentence(self)

    @property
    def sentences(self) -> list[str]:
        """Write it and the others, one sentence each; then how many answers follow."""
        follow = f"{self.more:,} more {'answer follows' if self.more == 1 else 'answers follow'} below."
        return [*(claim.sentence for claim in self.told), *([follow] if self.more else [])]

    @property
    def told(self) -> list["Conclusion"]:
        """The claims that the headline tells: this one, and the others that are not aside."""
        return [self, *(other for other in self.others if not other.aside)]

    def document(self) -> dict[str, Json]:
        """Return it as JSON, with the others."""
        first, *others = self.rows()
        return {**first, "others": list(others)}

    def rows(self) -> list[dict[str, Json]]:
        """Return it and the others, each as one object."""
        return [_list_fields(claim) for claim in (self, *self.others)]


def _list_fields(claim: Conclusion) -> dict[str, Json]:
    return {
        "claim": claim.claim,
        "effect": claim.effect,
        "low": claim.low,
        "high": claim.high,
        "metric": claim.metric,
        "subject": claim.subject,
        "against": claim.against,
        "caveats": list(claim.caveats),
        "sentence": claim.sentence,
    }


def find_claims(conclusion: Conclusion, metric: str, *, place: str) -> list[Conclusion]:
    """Find what is concluded by a metric at a place, in the headline or aside."""
    return [claim for claim in (conclusion, *conclusion.others) if (claim.metric, claim.place) == (metric, place)]


def find_claim(
    conclusion: Conclusion, metric: str, *, subject: str | None = None, place: str | None = None
) -> Conclusion | None:
    """Find what is concluded by a metric of a subject, or at a place; None where the headline says nothing of it."""
    claims = [claim for claim in (conclusion, *conclusion.others) if claim.metric == metric]
    return next((claim for claim in claims if subject in (None, claim.subject) and place in (None, claim.place)), None)


def gather(conclusions: Sequence[Conclusion], answers: int) -> Conclusion:
    """Give the first conclusion the others; `answers` is how many the sweep has in all."""
    first, *others = conclusions
    return replace(first, others=tuple(others), more=answers - len(conclusions))


def find_reason(claim: Conclusion) -> Caveat | None:
    """Find the caveat that its sentence gives as the reason why there is no answer."""
    return next((code for code in claim.caveats if code in REASONS), None) if claim.claim == "no_answer" else None


def _write_effect(claim: Conclusion, *, sign: str = "", turn: bool = False) -> str:
    """Write the effect with its interval; `turn` writes how much worse."""
    if claim.effect is None:
        return "an unknown amount"
    ends = [claim.low, claim.high]
    effect, low, high = (None if end is None else -end if turn else end for end in (claim.effect, *ends))
    if turn:
        low, high = high, low
    return f"{effect:{sign}.4f}{_write_interval(low, high, sign)}".replace("-", MINUS)


def _write_interval(low: float | None, high: float | None, sign: str = "") -> str:
    if low is None or high is None:
        return ""
    return f" (95 % interval {low:{sign}.4f} to {high:{sign}.4f})"


def say_ahead(claim: Conclusion) -> str:
    """Say better by 0.02, or worse by 0.02, or no better: not better by less than nothing."""
    effect = claim.effect or 0.0
    if claim.effect is not None and round(effect, 4) == 0:
        return f"no better{_write_interval(claim.low, claim.high)}".replace("-", MINUS)
    word = "different" if claim.effect is None else "worse" if effect < 0 else "better"
    return f"{word} by {_write_effect(claim, turn=effect < 0)}"


def _write_sizes(claim: Conclusion) -> str:
    if claim.effect is None:
        return ""
    text = claim.unit.write(claim.effect)
    if claim.low is None:
        return text
    return f"{text} (95 % interval {claim.low:,.0f} {'or more' if claim.high is None else f'to {claim.high:,.0f}'})"


def _say_not_judged(claim: Conclusion) -> str:
    if claim.effect is None:
        return "Nothing says how {subject} and {against} differ in {metric}{place}."
    return "{subject} is {ahead} than {against} in {metric}{place}, and nothing says how sure that is."


def _say_no_clear_difference(claim: Conclusion) -> str:
    if claim.ties and "saturated" in claim.caveats:
        return "{ties} have the best possible {metric}{place}: these items cannot tell them apart."
    if claim.ties:
        return "{ties} have the same {metric}{place}: {subject} is {ahead} than {against}{over}{alone}."
    return "{subject} and {against} do not differ clearly in {metric}{place}: the first is {ahead}{over}{alone}."


def _say_minimum_data(claim: Conclusion) -> str:
    if "seeds_contradict" not in claim.caveats or not claim.around:
        return "{subject} needs about {sizes} to reach {against}{place}{beside}{doubt}."
    curve = "The fitted curve, which the seeds contradict, says about {sizes}{doubt}."
    return f"{{subject}} reaches {{against}}{{place}} {{between}}. {curve}"


def _say_without_target(claim: Conclusion) -> str:
    before = ", {against}" if claim.against else ""
    return f"{{subject}}: {{metric}} is {{effect}} {{bare_place}}{before}; no target was set for it."


def _say_met_from(claim: Conclusion) -> str:
    on = ", the largest size measured" if "largest_only" in claim.caveats else " and with every larger size measured"
    return f"{{subject}} reaches {{against}}{{place}} with {{sizes}}{on}{{doubt}}."


def _say_beyond_sizes(claim: Conclusion) -> str:
    least = "" if claim.low is None else ": {least} or more, if at all"
    return f"{{subject}} reaches {{against}}{{place}} only far beyond the measured sizes{least}."


def _say_nothing_measured(claim: Conclusion) -> str:
    return "No size of {subject} has been measured yet." if claim.subject else "Nothing has been measured yet."


def _say_no_answer(claim: Conclusion) -> str:
    reason = find_reason(claim)
    why = WORDS[reason] if reason else "the results do not give one"
    if reason == "too_few_sizes":
        why += f", which needs {count_needed_sizes('bounded' if is_rising(claim.metric or '') else 'pure')}"
    about = " for {subject}" if claim.subject else ""
    goal = " about {against}" if claim.against else ""
    return f"There is no answer{about}{goal}{{place}}: {why}."


def _say_not_trained(claim: Conclusion) -> str:
    return f"{{subject}}{{place}}: not trained: {claim.details['not_trained']}; nothing can be said about it."


ALONE = "; this interval excludes 0, but with the correction for {family} it is not clear"
GUESS = "{subject} has no clearly better {metric} than {against}{place}: it is {ahead}."
SENTENCES: Mapping[Claim, str | Callable[[Conclusion], str]] = {  # a function where the fields choose the words
    "better": "{subject} has a better {metric} than {against}{place}, by {effect}{over}.",
    "worse": "{subject} has a worse {metric} than {against}{place}, by {worse}{over}.",
    "no_clear_difference": _say_no_clear_difference,
    "not_judged": _say_not_judged,
    "measured": "{subject}{place}: {metric} is {effect}; nothing else was measured that it could be compared with.",
    "best_cell": "{subject} has the best {metric}{place}: better than the next, {against}, by {effect}.",
    "tied_best": "{subject} has the best {metric}{place}; some conditions are clearly worse, but {against} is not: by "
    "{signed}{alone}.",
    "helps": "{subject} helps{place}: {metric} is better than {against} by {effect}.",
    "hurts": "{subject} hurts{place}: {metric} is worse than {against} by {worse}.",
    "mixed": "{counted}{place}; {subject} has the largest effect there: its {metric} is better than that of {against} "
    "by {signed}.",
    "minimum_data": _say_minimum_data,
    "without_target": _say_without_target,
    "met_from": _say_met_from,
    "beyond_sizes": _say_beyond_sizes,
    "unreachable": "No amount of data is enough for {subject} to reach {against}{place}: the fitted curve levels off "
    "first.",
    "more_data_helps": "More data helps {subject}: {metric} is better with {bare_place} than with {against} by "
    "{effect}.",
    "more_data_hurts": "More data hurts {subject}: {metric} is worse with {bare_place} than with {against} by {worse}.",
    "nothing_learnt": "{subject} is the best, but not clearly better than the {against} model in {metric}{place}: "
    "it is {ahead}{alone}.",
    "not_trained": _say_not_trained,
    "at_chance": GUESS,
    "at_majority": GUESS,
    "too_few_items": "There is no answer{place}: too few items tell {metric}.",
    "no_answer": _say_no_answer,
    "nothing_measured": _say_nothing_measured,
    "control_learnt_nothing": "The control {subject} shows no gain, as it should: by {metric} it is {ahead} than "
    "{against}{place}.",
    "control_behind": "The control {subject} changed too, but {against} has a better {metric}{place}, by {worse}.",
    "control_as_good": "The control {subject} did about as well as {against}{place}: by {metric} it is {ahead}.",
    "control_not_judged": "Nothing says how sure it is that the control {subject} is {ahead} than {against}{place}.",
}


def _say_doubt(claim: Conclusion) -> str:
    """Say why it is not sure that anything was learnt."""
    if "learning_unclear" not in claim.caveats:
        return ""
    doubt = claim.details.get("learning_unclear", WORDS["learning_unclear"])
    law = "; the law uses all sizes together" if claim.claim == "minimum_data" else ""
    return f". But {doubt}{law}"


def _say_by_size(claim: Conclusion) -> str:
    """Say a gain size by size, where the mean over the sizes is the gain at none of them."""
    first = "{counted}{place}. The largest effect: " if claim.claim == "mixed" else ""
    return f"{first}{{subject}} {{by_size}}; its mean gain is {{signed}}{'' if first else '{place}'}."


def _name_family(claim: Conclusion) -> str:
    return f"{claim.family:,} pairs (Holm)" if claim.family > 1 else "the number of comparisons"


def _write_sentence(claim: Conclusion) -> str:
    words = _say_by_size if "sizes_differ" in claim.caveats else SENTENCES[claim.claim]
    return (words if isinstance(words, str) else words(claim)).format(
        subject=f"{claim.subject} ({claim.note})" if claim.note else claim.subject,
        metric=claim.metric,
        against=claim.against,
        place=f" ({claim.place})" if claim.place else "",
        bare_place=claim.place,
        effect=_write_effect(claim),
        signed=_write_effect(claim, sign="+"),
        ahead=say_ahead(claim),
        worse=_write_effect(claim, turn=True),
        counted=claim.counted,
        by_size=claim.details.get("sizes_differ"),
        alone=ALONE.format(family=_name_family(claim)) if "clear_alone" in claim.caveats else "",
        doubt=_say_doubt(claim),
        ties=join_names(claim.ties),
        over=claim.over,
        sizes=_write_sizes(claim),
        beside=say_beside(claim.around, claim.unit),
        between=say_between(claim.around, claim.unit) if claim.around else "",
        least="" if claim.low is None else claim.unit.write(claim.low),
    )
