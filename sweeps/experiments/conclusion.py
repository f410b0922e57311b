"""A conclusion: a claim from a closed list, its effect with an interval, what it is compared with, and its caveats.

The sentence is written from the same fields by one template for each claim, so words and fields cannot disagree.
`docs/reference/json.md` lists every claim and every caveat; a test compares the lists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from sweeps.evaluation.registry import is_rising
from sweeps.experiments.caveats import OF_EACH, REASONS, SAID_IN_SENTENCE, SAID_WITH, WORDS, Caveat, order_caveats
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
    "more_data_helps",
    "more_data_hurts",
    "nothing_learnt",
    "at_chance",
    "at_majority",
    "too_few_items",
    "no_answer",
    "nothing_measured",
    "control_learnt_nothing",
    "control_behind",
    "control_as_good",
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
    more: int = 0  # answers that are neither this one nor among the others
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


def list_claims(conclusion: Conclusion, metric: str, *, place: str) -> list[Conclusion]:
    """List what the headline tells by a metric at a place."""
    return [claim for claim in conclusion.told if (claim.metric, claim.place) == (metric, place)]


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


def describe_caveats(claim: Conclusion) -> str:
    """Write what limits a claim and its others, in one line; or nothing. A caveat of some of them names these."""
    every = claim.told
    words = []
    for code in order_caveats({code for limited in every for code in limited.caveats}):
        limited = [limited_claim for limited_claim in every if _is_to_be_said(limited_claim, code)]
        if all(_find_reason(limited_claim) == code for limited_claim in limited):  # each sentence says it
            continue
        if code in SAID_IN_SENTENCE or (code == "one_of_several" and (claim.others or claim.more)):
            continue
        if code in OF_EACH and all(code in limited_claim.details for limited_claim in limited):
            figures = (f"{limited_claim.subject} {limited_claim.details[code]}" for limited_claim in limited)
            words.append(f"{WORDS[code]}: {', '.join(figures)}")
            continue
        names = dict.fromkeys(limited_claim.subject or limited_claim.place for limited_claim in limited)
        text = "; ".join(dict.fromkeys(limited_claim.details.get(code, WORDS[code]) for limited_claim in limited))
        words.append(text + (f" ({', '.join(names)})" if len(limited) < len(every) and all(names) else ""))
    return f"Caveats: {'; '.join(words)}." if words else ""


def _is_to_be_said(claim: Conclusion, code: Caveat) -> bool:
    """Whether a claim has a caveat that no other caveat of it says."""
    return code in claim.caveats and SAID_WITH.get(code) not in claim.caveats


def _find_reason(claim: Conclusion) -> Caveat | None:
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
    return f"{'worse' if effect < 0 else 'better'} by {_write_effect(claim, turn=effect < 0)}"


def _write_sizes(claim: Conclusion) -> str:
    if claim.effect is None:
        return ""
    text = claim.unit.write(claim.effect)
    if claim.low is None:
        return text
    return f"{text} (95 % interval {claim.low:,.0f} {'or more' if claim.high is None else f'to {claim.high:,.0f}'})"


def _say_not_judged(claim: Conclusion) -> str:
    best = "{subject} has the best {metric}{place}"
    if claim.effect is None:
        return f"{best}; how much better than {{against}} is unknown."
    return f"{best}; it is better than {{against}} by {{signed}}, and nothing says how sure that is."


def _say_met_from(claim: Conclusion) -> str:
    on = ", the largest size measured" if "largest_only" in claim.caveats else " and with every larger size measured"
    return f"{{subject}} reaches {{against}}{{place}} with {{sizes}}{on}{{doubt}}."


def _say_beyond_sizes(claim: Conclusion) -> str:
    least = "" if claim.low is None else ": {least} or more, if at all"
    return f"{{subject}} reaches {{against}}{{place}} only far beyond the measured sizes{least}."


def _say_nothing_measured(claim: Conclusion) -> str:
    return "No size of {subject} has been measured yet." if claim.subject else "Nothing has been measured yet."


def _say_no_answer(claim: Conclusion) -> str:
    reason = _find_reason(claim)
    why = WORDS[reason] if reason else "the results do not give one"
    if reason == "too_few_sizes":
        why += f", which needs {count_needed_sizes('bounded' if is_rising(claim.metric or '') else 'pure')}"
    about = " for {subject}" if claim.subject else ""
    goal = " about {against}" if claim.against else ""
    return f"There is no answer{about}{goal}{{place}}: {why}."


ALONE = "; this interval excludes 0, but with the correction for the number of comparisons it is not clear"
GUESS = "{subject} has no clearly better {metric} than {against}{place}: it is {ahead}."
SENTENCES: Mapping[Claim, str | Callable[[Conclusion], str]] = {  # a function where the fields choose the words
    "better": "{subject} has a better {metric} than {against}{place}, by {effect}.",
    "worse": "{subject} has a worse {metric} than {against}{place}, by {worse}.",
    "no_clear_difference": "{subject} and {against} do not differ clearly in {metric}{place}: the first is "
    "{ahead}{alone}.",
    "not_judged": _say_not_judged,
    "measured": "{subject}{place}: {metric} is {effect}; nothing else was measured that it could be compared with.",
    "best_cell": "{subject} has the best {metric}{place}: better than the next, {against}, by {effect}.",
    "tied_best": "{subject} has the best {metric}{place}; some conditions are clearly worse, but {against} is not: by "
    "{signed}{alone}.",
    "helps": "{subject} helps{place}: {metric} is better than {against} by {effect}.",
    "hurts": "{subject} hurts{place}: {metric} is worse than {against} by {worse}.",
    "mixed": "Some sources help and others hurt{place}; {subject} has the largest effect there: its {metric} is better "
    "than that of {against} by {signed}.",
    "minimum_data": "{subject} needs about {sizes} to reach {against}{place}{doubt}.",
    "met_from": _say_met_from,
    "beyond_sizes": _say_beyond_sizes,
    "unreachable": "No amount of data is enough for {subject} to reach {against}{place}: the fitted curve levels off "
    "first.",
    "more_data_helps": "More data helps {subject}: {metric} is better with {bare_place} than with {against} by "
    "{effect}.",
    "more_data_hurts": "More data hurts {subject}: {metric} is worse with {bare_place} than with {against} by {worse}.",
    "nothing_learnt": "{subject} is the best, but not clearly better than the {against} model in {metric}{place}: "
    "it is {ahead}{alone}.",
    "at_chance": GUESS,
    "at_majority": GUESS,
    "too_few_items": "There is no answer{place}: too few items tell {metric}.",
    "no_answer": _say_no_answer,
    "nothing_measured": _say_nothing_measured,
    "control_learnt_nothing": "The control {subject} shows no gain, as it should: by {metric} it is {ahead} than "
    "{against}{place}.",
    "control_behind": "The control {subject} changed too, but {against} has a better {metric}{place}, by {worse}.",
    "control_as_good": "The control {subject} did about as well as {against}{place}: by {metric} it is {ahead}.",
}


def _say_doubt(claim: Conclusion) -> str:
    """Say why it is not sure that anything was learnt."""
    if "learning_unclear" not in claim.caveats:
        return ""
    doubt = claim.details.get("learning_unclear", WORDS["learning_unclear"])
    law = "; the law uses all sizes together" if claim.claim == "minimum_data" else ""
    return f". But {doubt}{law}"


def _write_sentence(claim: Conclusion) -> str:
    words = SENTENCES[claim.claim]
    return (words if isinstance(words, str) else words(claim)).format(
        subject=claim.subject,
        metric=claim.metric,
        against=claim.against,
        place=f" ({claim.place})" if claim.place else "",
        bare_place=claim.place,
        effect=_write_effect(claim),
        signed=_write_effect(claim, sign="+"),
        ahead=say_ahead(claim),
        worse=_write_effect(claim, turn=True),
        alone=ALONE if "clear_alone" in claim.caveats else "",
        doubt=_say_doubt(claim),
        sizes=_write_sizes(claim),
        least="" if claim.low is None else claim.unit.write(claim.low),
    )
