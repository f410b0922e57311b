"""A conclusion: a claim from a closed list, its effect with an interval, what it is compared with, and its caveats.

The sentence is written from the same fields by one function for each claim, so words and fields cannot disagree.
`docs/reference/json.md` lists every claim and every caveat; a test compares the lists.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from sweeps.experiments.caveats import REASONS, WORDS, Caveat
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
]
CLAIMS: tuple[Claim, ...] = get_args(Claim)

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

    @property
    def sentence(self) -> str:
        """Write the conclusion in one sentence."""
        return SENTENCES[self.claim](self)

    def document(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {
            "claim": self.claim,
            "effect": self.effect,
            "low": self.low,
            "high": self.high,
            "metric": self.metric,
            "against": self.against,
            "caveats": list(self.caveats),
            "sentence": self.sentence,
        }


def describe_caveats(claim: Conclusion) -> str:
    """Write what limits a claim, in one line; or nothing."""
    return f"Caveats: {'; '.join(WORDS[code] for code in claim.caveats)}." if claim.caveats else ""


def _write_effect(claim: Conclusion, *, sign: str = "", turn: bool = False) -> str:
    """Write the effect with its interval; `turn` writes how much worse."""
    if claim.effect is None:
        return "an unknown amount"
    ends = [claim.low, claim.high]
    effect, low, high = (None if end is None else -end if turn else end for end in (claim.effect, *ends))
    if turn:
        low, high = high, low
    text = f"{effect:{sign}.4f}"
    if low is not None and high is not None:
        text += f" (95 % interval {low:{sign}.4f} to {high:{sign}.4f})"
    return text.replace("-", MINUS)


def _write_sizes(claim: Conclusion) -> str:
    if claim.effect is None:
        return ""
    text = claim.unit.write(claim.effect)
    if claim.low is None:
        return text
    return f"{text} (95 % interval {claim.low:,.0f} {'or more' if claim.high is None else f'to {claim.high:,.0f}'})"


def _place(claim: Conclusion) -> str:
    return f" ({claim.place})" if claim.place else ""


def _say_better(claim: Conclusion) -> str:
    return (
        f"{claim.subject} has a better {claim.metric} than {claim.against}{_place(claim)}, by {_write_effect(claim)}."
    )


def _say_worse(claim: Conclusion) -> str:
    worse = _write_effect(claim, turn=True)
    return f"{claim.subject} has a worse {claim.metric} than {claim.against}{_place(claim)}, by {worse}."


def _say_no_difference(claim: Conclusion) -> str:
    sides = f"{claim.subject} and {claim.against}"
    difference = f"the first is better by {_write_effect(claim, sign='+')}"
    return f"{sides} do not differ clearly in {claim.metric}{_place(claim)}: {difference}."


def _say_not_judged(claim: Conclusion) -> str:
    best = f"{claim.subject} has the best {claim.metric}{_place(claim)}"
    if claim.effect is None:
        return f"{best}; how much better than {claim.against} is unknown."
    effect = _write_effect(claim, sign="+")
    return f"{best}; it is better than {claim.against} by {effect}, and nothing says how sure that is."


def _say_measured(claim: Conclusion) -> str:
    value = f"{claim.metric} is {_write_effect(claim)}"
    return f"{claim.subject}{_place(claim)}: {value}; there is nothing to compare it with."


def _say_best_cell(claim: Conclusion) -> str:
    next_cell = f"better than the next cell, {claim.against}, by {_write_effect(claim)}"
    return f"{claim.subject} has the best {claim.metric}{_place(claim)}: {next_cell}."


def _say_tied_best(claim: Conclusion) -> str:
    tie = f"some cells are clearly worse, but {claim.against} is not"
    return f"{claim.subject} has the best {claim.metric}{_place(claim)}; {tie}: by {_write_effect(claim, sign='+')}."


def _say_helps(claim: Conclusion) -> str:
    better = f"{claim.metric} is better than {claim.against} by {_write_effect(claim)}"
    return f"{claim.subject} helps{_place(claim)}: {better}."


def _say_hurts(claim: Conclusion) -> str:
    worse = f"{claim.metric} is worse than {claim.against} by {_write_effect(claim, turn=True)}"
    return f"{claim.subject} hurts{_place(claim)}: {worse}."


def _say_mixed(claim: Conclusion) -> str:
    largest = f"{claim.subject} has the largest effect: {claim.metric} is better than {claim.against}"
    effect = _write_effect(claim, sign="+")
    return f"Some sources help and others hurt{_place(claim)}; {largest} by {effect}."


def _say_minimum_data(claim: Conclusion) -> str:
    return f"{claim.subject} needs about {_write_sizes(claim)} to reach {claim.against}{_place(claim)}."


def _say_met_from(claim: Conclusion) -> str:
    return (
        f"{claim.subject} reaches {claim.against}{_place(claim)} at every measured size from {_write_sizes(claim)} on."
    )


def _say_beyond_sizes(claim: Conclusion) -> str:
    least = "" if claim.low is None else f": {claim.unit.write(claim.low)} or more, if at all"
    return f"{claim.subject} reaches {claim.against}{_place(claim)} only far beyond the measured sizes{least}."


def _say_unreachable(claim: Conclusion) -> str:
    never = "the fitted curve levels off first"
    return f"No amount of data is enough for {claim.subject} to reach {claim.against}{_place(claim)}: {never}."


def _say_more_data_helps(claim: Conclusion) -> str:
    return (
        f"More data helps {claim.subject}: {claim.metric} is better{_compare_sizes(claim)} by {_write_effect(claim)}."
    )


def _say_more_data_hurts(claim: Conclusion) -> str:
    worse = _write_effect(claim, turn=True)
    return f"More data hurts {claim.subject}: {claim.metric} is worse{_compare_sizes(claim)} by {worse}."


def _compare_sizes(claim: Conclusion) -> str:
    return f" with {claim.place} than with {claim.against}"


def _say_nothing_learnt(claim: Conclusion) -> str:
    best = f"the best, {claim.subject}, is better by {_write_effect(claim, sign='+')}"
    return f"Nothing is clearly better than the {claim.against} model in {claim.metric}{_place(claim)}: {best}."


def _say_guess(claim: Conclusion) -> str:
    better = f"it is better by {_write_effect(claim, sign='+')}"
    return f"{claim.subject} has no clearly better {claim.metric} than {claim.against}{_place(claim)}: {better}."


def _say_too_few_items(claim: Conclusion) -> str:
    return f"There is no answer{_place(claim)}: too few items tell {claim.metric}."


def _say_no_answer(claim: Conclusion) -> str:
    why = next((WORDS[code] for code in claim.caveats if code in REASONS), "the results do not give one")
    about = f" for {claim.subject}" if claim.subject else ""
    goal = f" about {claim.against}" if claim.against else ""
    return f"There is no answer{about}{goal}{_place(claim)}: {why}."


def _say_nothing_measured(_: Conclusion) -> str:
    return "Nothing has been measured yet."


SENTENCES: Mapping[Claim, Callable[[Conclusion], str]] = {
    "better": _say_better,
    "worse": _say_worse,
    "no_clear_difference": _say_no_difference,
    "not_judged": _say_not_judged,
    "measured": _say_measured,
    "best_cell": _say_best_cell,
    "tied_best": _say_tied_best,
    "helps": _say_helps,
    "hurts": _say_hurts,
    "mixed": _say_mixed,
    "minimum_data": _say_minimum_data,
    "met_from": _say_met_from,
    "beyond_sizes": _say_beyond_sizes,
    "unreachable": _say_unreachable,
    "more_data_helps": _say_more_data_helps,
    "more_data_hurts": _say_more_data_hurts,
    "nothing_learnt": _say_nothing_learnt,
    "at_chance": _say_guess,
    "at_majority": _say_guess,
    "too_few_items": _say_too_few_items,
    "no_answer": _say_no_answer,
    "nothing_measured": _say_nothing_measured,
}
