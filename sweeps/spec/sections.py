"""The smaller sections of a spec: data, evaluations, what is sought, and the limits of the night."""

import difflib
import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from sweeps.rendering.perturbations import CHANGES
from sweeps.spec.scalars import (
    Count,
    Finding,
    Findings,
    Model,
    Number,
    Positive,
    kept_apart,
    number,
    or_none,
    shown,
    whole,
)

PREFERENCES = ("preference_accuracy", "preference_margin", "preference_kl", "likelihood_accuracy")
CALIBRATION = ("ece", "adaptive_ece", "brier", "aurc")
JUDGED = ("accuracy", *CALIBRATION, "selective_accuracy")
SAMPLED = ("agreement", "pairwise_agreement", "semantic_entropy", "pass_at_k", "pass_hat_k")  # of several samples
RANKED = ("mrr", "ndcg", "chance")  # of candidates; the last is what guessing scores
UNCHECKED = "unchecked_"  # before the name of an evaluation: the share of its items that their check failed on
CUT = "cut_"  # before it: the share of its answers that were cut at `most`
# What each evaluator measures.
METRICS = {
    "nll": ("nll", "bits_per_byte"),
    "preference": PREFERENCES,
    "answers": (*JUDGED, *SAMPLED, *RANKED, f"{UNCHECKED}answers", f"{CUT}answers"),
    "reliability": (
        "mean_accuracy",
        "worst_accuracy",
        "spread",
        "flip_rate",
        f"{UNCHECKED}reliability",
        f"{CUT}reliability",
    ),
    "rag": (
        *("open_book", "closed_book", "distracted", "mixed", "uplift", "utilisation", "distractor_robustness"),
        *("harmful_context", "abstention", "abstention_precision", "false_answers"),
        *("faithfulness", "token_support", f"{UNCHECKED}rag", f"{CUT}rag"),
    ),
    "task_completion": ("task_completion", "reward", "turns"),
}
EVALUATORS = tuple(METRICS)
OF_EPISODES = "episode."  # before the name of what an environment itself says of its episodes: episode.drawdown
# The less the better.
LOSSES = (
    *("nll", "bits_per_byte", *CALIBRATION, "semantic_entropy", "spread", "flip_rate"),
    *("false_answers", "harmful_context"),
    *(metric for metrics in METRICS.values() for metric in metrics if metric.startswith((UNCHECKED, CUT))),
)
# What a law of sizes is known of: losses, and shares of what is right, each with what guessing scores. An accuracy of
# candidates is beside its own "chance".
FALLING = ("nll", "bits_per_byte")
RISING: Mapping[str, float] = {
    **dict.fromkeys(("accuracy", "pass_at_k", "pass_hat_k", "mean_accuracy", "worst_accuracy", "task_completion"), 0.0),
    **dict.fromkeys(("open_book", "closed_book", "distracted", "mixed", "abstention", "faithfulness"), 0.0),
    **dict.fromkeys(("preference_accuracy", "likelihood_accuracy"), 0.5),
}


# The more the better. Of the others, as of how many turns it took, nobody can say.
GAINS = (
    *(*RISING, "selective_accuracy", "agreement", "pairwise_agreement", "mrr", "ndcg", "reward", "preference_margin"),
    *("uplift", "utilisation", "distractor_robustness", "abstention_precision", "token_support"),
)


class DataSpec(Model):
    """One data set: where it comes from, and what is kept apart from training."""

    source: Annotated[str, Field(min_length=1)]
    holdout: Annotated[int | float | str, PlainValidator(kept_apart)] = 0.1
    validation: Annotated[int | float | str | None, PlainValidator(or_none(kept_apart))] = None
    format: Literal["text", "lines", "chat", "completion", "preference", "transcript", "questions"] | None = None
    context: Literal["none", "gold", "mix"] | None = None  # what of a question's context is read with it


class Evaluation(Model):
    """One measurement of a trained model, with its options."""

    name: str
    options: Mapping[str, Any] = {}


def evaluation(value: Any) -> Evaluation:
    """`nll`, or `{nll: {via: sampler}}`."""
    if isinstance(value, Evaluation):
        return value
    single = isinstance(value, Mapping) and len(value) == 1
    name, options = next(iter(value.items())) if single else (value, {})
    if not isinstance(name, str) or not isinstance(options, Mapping):
        right = "a name, or {name: {option: value}}, is right"
        raise ValueError(f"{shown(value)} found; {right}")  # noqa: TRY004  pydantic collects ValueErrors
    if name not in EVALUATORS:
        raise ValueError(f"{name!r} found; {nearest(name, EVALUATORS)}")
    if found := list(_options(name, options)):
        raise Findings(found)
    return Evaluation(name=name, options=dict(options))


def _words(*known: str) -> Callable[[Any], object]:
    def check(value: Any) -> None:
        if value not in known:
            raise ValueError(f"{shown(value)} found; {' or '.join(f'`{word}`' for word in known)} is right")

    return check


def _at_least_one(value: Any) -> None:
    if whole(value) < 1:
        raise ValueError(f"{value} found; a count from 1 is right")


def _warmth(value: Any) -> None:
    if not number(value) >= 0:
        raise ValueError(f"{shown(value)} found; a temperature from 0 (the likeliest) is right")


def _environment(value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{shown(value)} found; the name of an environment, as offline:tool_use, is right")


def _text(value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{shown(value)} found; a text is right")


CHECKS = ("exact", "f1", "numeric", "regex")
SCORED_BY_TEXT = ("exact", "f1")  # what is right is what is to be written; of others only a part of it, or a pattern
OWN = "module:function"  # a check of one's own


def _check(*others: str) -> Callable[[Any], None]:
    known = (*CHECKS, *others)

    def check(value: Any) -> None:
        if value not in known and not is_checker(value):
            raise ValueError(f"{shown(value)} found; one of {', '.join(known)} or {OWN} is right")

    return check


def _changes(value: Any) -> None:
    known, named = tuple(CHANGES), isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    if not named or not value or not {*value} <= {*known} or len({*value}) < len(value):
        raise ValueError(f"{shown(value)} found; a list of some of {', '.join(known)}, each once, is right")


def is_checker(value: Any) -> bool:
    """`module:function`: a check of one's own."""
    return isinstance(value, str) and re.fullmatch(r"\w+(\.\w+)*:\w+", value) is not None


def may_fail(check: Any) -> bool:
    """A check that may take for ever, and so is called where that can be ended: one's own, and patterns."""
    return check == "regex" or is_checker(check)


# What each option of an evaluation is where the file does not say it.
WRITTEN: Mapping[str, Mapping[str, Any]] = {
    "answers": {"check": "exact", "samples": 1, "temperature": 0.0, "most": 32},
    "reliability": {"check": "exact", "most": 32},
    "rag": {"check": "exact", "most": 32, "abstain": "unknown"},
    "task_completion": {"episodes": 200, "attempts": 1, "temperature": 1.0},
}
# What each evaluation can be told, and what may stand there.
OPTIONS: Mapping[str, Mapping[str, Callable[[Any], object]]] = {
    "nll": {"via": _words("forward", "sampler")},
    "answers": {
        "check": _check("choice"),
        "samples": _at_least_one,
        "temperature": _warmth,
        "most": _at_least_one,
    },
    "reliability": {"check": _check(), "most": _at_least_one, "perturb": _changes},
    "rag": {"check": _check(), "most": _at_least_one, "abstain": _text},
    "task_completion": {
        "environment": _environment,
        "episodes": _at_least_one,
        "attempts": _at_least_one,
        "temperature": _warmth,
    },
}


def _options(name: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    known = OPTIONS.get(name, {})
    for key, value in options.items():
        if key not in known:
            yield (name, key), f"unknown key; {_known(name, tuple(known))}"
            continue
        try:
            known[key](value)
        except ValueError as error:
            yield (name, key), str(error)
    if "environment" in known and "environment" not in options:
        yield (name,), f"no environment found; {{{name}: {{environment: offline:tool_use}}}} is right"
    if name == "answers":
        yield from _of_answers(options)


def _of_answers(options: Mapping[str, Any]) -> Iterator[Finding]:
    if options.get("check") == "choice":
        for key in ("samples", "temperature", "most"):
            if key in options:
                yield ("answers", key), "found beside `check: choice`, where nothing is written; leave it out"
    several = isinstance(options.get("samples"), int) and options["samples"] > 1
    if several and options.get("temperature") in (0, 0.0):
        yield ("answers", "temperature"), "0 found, so all samples are the same; a temperature above 0 is right"


def metrics_of(one: Evaluation) -> tuple[str, ...]:
    """What an evaluation with these options measures."""
    own = f"{UNCHECKED}{one.name}"
    known = tuple(metric for metric in METRICS[one.name] if metric != own or may_fail(one.options.get("check")))
    if one.name != "answers":
        return known
    if one.options.get("check") == "choice":  # nothing is written
        return tuple(metric for metric in known if metric not in SAMPLED and not metric.startswith(CUT))
    wanted = SAMPLED if one.options.get("samples", 1) > 1 else ()
    return tuple(metric for metric in known if metric in wanted or metric not in (*SAMPLED, *RANKED))


def measure_of(metric: str) -> str | None:
    """Which measure a metric is of: "source.accuracy" of "source.answers". None where no evaluation knows it."""
    if OF_EPISODES in metric:
        return f"{metric[: metric.index(OF_EPISODES)]}task_completion"
    prefix, dot, last = metric.rpartition(".")
    return next((f"{prefix}{dot}{name}" for name, known in METRICS.items() if last in known), None)


def written(one: Evaluation) -> dict[str, Any]:
    """The options of an evaluation in which something is written, each with its value.

    Several samples are warm, and the order in which changes are named is nothing.
    """
    options = {**WRITTEN[one.name], **one.options}
    if options.get("samples", 1) > 1 and "temperature" not in one.options:
        options["temperature"] = 1.0
    if "perturb" in options:
        options["perturb"] = tuple(name for name in CHANGES if name in options["perturb"])
    return options


def _known(name: str, keys: tuple[str, ...]) -> str:
    return f"{' and '.join(f'`{key}`' for key in keys)} can be said of {name}" if keys else f"{name} has no options"


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    """The advice for a word that is none of the known ones."""
    if not known:
        return "leave it out"
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"one of {', '.join(known)} is right"


class Target(Model):
    """What is sought: the smallest data with which a metric is this good."""

    metric: str
    below: Number | None = None
    above: Number | None = None
    of: Literal["zero_shot"] | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise ValueError("exactly one of `below` and `above` is right")
        return self


class Best(Model):
    """By which metric the best cell is chosen."""

    metric: str
    mode: Literal["min", "max"]


def best_by_default(spec: Mapping[str, Any]) -> Best:
    """What the best is the best by where a spec does not say: the first that its first evaluation measures."""
    first = next(iter(spec.get("evaluate") or ()), {"name": "nll"})
    metric = METRICS.get(first["name"], METRICS["nll"])[0]
    return Best(metric=metric, mode="min" if metric in LOSSES else "max")


class Equal(Model):
    """What the methods of a comparison have the same of."""

    tokens: Count | None = None
    usd: Positive | None = None
    examples: Count | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if sum(value is not None for value in (self.tokens, self.usd, self.examples)) != 1:
            raise ValueError("exactly one of `tokens`, `usd` and `examples` is right")
        return self


class Budget(Model):
    """What the sweep may cost at most, in US dollars: within what `sweep budget` takes."""

    usd: Annotated[Positive, Field(le=1_000_000)]


class Limits(Model):
    """How much of the fleet the sweep may use at once."""

    slots: Count | None = None


def hours(value: str) -> str:
    """`22:00-07:30`: from and to, as clock times; the end may be on the next day."""
    clock = r"([01]\d|2[0-3]):[0-5]\d"
    if not re.fullmatch(f"{clock}-{clock}", value):
        raise ValueError(f"{value!r} found; two times as in '22:00-07:30' are right")
    if value[:5] == value[6:]:
        raise ValueError(f"{value!r} found; a window that opens and closes at different times is right")
    return value


def zone(value: str) -> str:
    """A name of the time zone database."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        close = difflib.get_close_matches(value, zoneinfo.available_timezones(), n=1)
        right = f"did you mean `{close[0]}`?" if close else "a name as Europe/Berlin is right"
        raise ValueError(f"{value!r} found; {right}") from None
    return value


class Window(Model):
    """The hours in which the sweep may run; outside it yields at the next checkpoint."""

    daily: Annotated[str, AfterValidator(hours)]
    tz: Annotated[str, AfterValidator(zone)] = "UTC"


def kept(value: Any) -> str | int:
    """`last`, `all`, or how many of the newest."""
    if value in ("last", "all"):
        return str(value)
    if isinstance(value, str) or whole(value) < 1:
        raise ValueError(f"{shown(value)} found; `last`, `all` or a count is right")
    return whole(value)


class Checkpoints(Model):
    """How often the state is saved, how many are kept, and for how long."""

    every_steps: Count | None = None
    every_minutes: Positive | None = 10.0
    keep: Annotated[str | int, PlainValidator(kept)] = "last"
    ttl_days: Positive = 7.0


def variable(value: str) -> str:
    """`env:NAME`. What stands in its place may be the address itself, so it is not quoted."""
    if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("no name of a variable found; env:NAME is right: the address is a secret, and stays outside")
    return value


class Notice(Model):
    """Whom to tell. The address is a secret, so the file only names the variable that holds it."""

    webhook: Annotated[str, AfterValidator(variable)]

    @property
    def address(self) -> str:
        """The name of the variable."""
        return self.webhook.removeprefix("env:")
