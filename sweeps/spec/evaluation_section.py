"""The `evaluate` section of a spec: which evaluations there are, and which options each takes."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sweeps.rendering.perturbations import CHANGES
from sweeps.spec.metric_names import CUT, EVALUATORS, METRICS, RANKED, SAMPLED, UNCHECKED
from sweeps.spec.scalars import Finding, Findings, SpecModel, check_number, check_whole, show, suggest


class Evaluation(SpecModel):
    """One measurement of a trained model, with its options."""

    name: str
    options: Mapping[str, Any] = {}


def read_evaluation(value: Any) -> Evaluation:
    """`nll`, or `{nll: {via: sampler}}`."""
    if isinstance(value, Evaluation):
        return value
    single = isinstance(value, Mapping) and len(value) == 1
    name, options = next(iter(value.items())) if single else (value, {})
    if not isinstance(name, str) or not isinstance(options, Mapping):
        right = "a name, or {name: {option: value}}, is right"
        raise ValueError(f"{show(value)} found; {right}")  # noqa: TRY004  pydantic collects ValueErrors
    if name not in EVALUATORS:
        raise ValueError(f"{name!r} found; {suggest(name, EVALUATORS)}")
    if found := list(_options(name, options)):
        raise Findings(found)
    return Evaluation(name=name, options=dict(options))


def _words(*known: str) -> Callable[[Any], object]:
    def check(value: Any) -> None:
        if value not in known:
            raise ValueError(f"{show(value)} found; {' or '.join(f'`{word}`' for word in known)} is right")

    return check


def _at_least_one(value: Any) -> None:
    if check_whole(value) < 1:
        raise ValueError(f"{value} found; a count from 1 is right")


def _warmth(value: Any) -> None:
    if not check_number(value) >= 0:
        raise ValueError(f"{show(value)} found; a temperature from 0 (the likeliest) is right")


def _environment(value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{show(value)} found; the name of an environment, as offline:tool_use, is right")


def _text(value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{show(value)} found; a text is right")


CHECKS = ("exact", "f1", "numeric", "regex")
SCORED_BY_TEXT = ("exact", "f1")  # what is right is what is to be written; of others only a part of it, or a pattern
OWN = "module:function"  # a check of one's own


def _check(*others: str) -> Callable[[Any], None]:
    known = (*CHECKS, *others)

    def check(value: Any) -> None:
        if value not in known and not is_checker(value):
            raise ValueError(f"{show(value)} found; one of {', '.join(known)} or {OWN} is right")

    return check


def _changes(value: Any) -> None:
    known, named = tuple(CHANGES), isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    if not named or not value or not {*value} <= {*known} or len({*value}) < len(value):
        raise ValueError(f"{show(value)} found; a list of some of {', '.join(known)}, each once, is right")


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


def list_metrics(one: Evaluation) -> tuple[str, ...]:
    """What an evaluation with these options measures."""
    own = f"{UNCHECKED}{one.name}"
    known = tuple(metric for metric in METRICS[one.name] if metric != own or may_fail(one.options.get("check")))
    if one.name != "answers":
        return known
    if one.options.get("check") == "choice":  # nothing is written
        return tuple(metric for metric in known if metric not in SAMPLED and not metric.startswith(CUT))
    wanted = SAMPLED if one.options.get("samples", 1) > 1 else ()
    return tuple(metric for metric in known if metric in wanted or metric not in (*SAMPLED, *RANKED))


def resolve_options(one: Evaluation) -> dict[str, Any]:
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
