"""Read a fault document, and draw from its seed which fault happens to each request.

    seed: 7
    rules:
      - {on: forward_backward, share: 0.1, answer: {status: 503}}
      - {on: "*", drop: after, share: 0.02, during: {from: 30, for: 60}}
    max_clients: 2
    pause: {from: 10, for: 20}
    silence: 30
    cycle: 10
    account: {moments: false, finish: false, forward: prefill}

Seconds count from the moment when the document became active. Pure; it touches nothing.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from math import inf
from random import Random
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tinker_offline.faults import fault_document

FUTURES = (
    "create_model",
    "load_weights",
    "forward_backward",
    "optim_step",
    "save_weights",
    "save_weights_for_sampler",
    "asample",
)
"""The requests that are answered with a future, whose reply can come late or never."""

EFFECTS = ("answer", "drop", "delay", "slow", "never")


class FaultsInvalid(Exception):
    """The fault document is invalid. The message has one line per error."""


class FaultSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FaultWindow(FaultSection):
    """From when, and for how long, in seconds; always by default."""

    start: float = Field(default=0, ge=0, alias="from")
    length: float | None = Field(default=None, gt=0, alias="for")

    def contains(self, seconds: float) -> bool:
        return self.start <= seconds and (self.length is None or seconds < self.start + self.length)


class ErrorAnswer(FaultSection):
    """An HTTP error instead of the work. `retry_after` is in seconds."""

    status: int = Field(ge=400, le=599)
    retry_after: float | None = Field(default=None, gt=0)
    body: dict[str, Any] | None = None


class FaultRule(FaultSection):
    """One kind of fault: for which requests, how often, when, and exactly one effect."""

    on: str | list[str]
    share: float = Field(default=1, gt=0, le=1)
    times: int | None = Field(default=None, ge=1)
    during: FaultWindow = Field(default_factory=lambda: FaultWindow.model_validate({}))
    answer: ErrorAnswer | None = None
    drop: Literal["before", "after"] | None = None
    delay: float | None = Field(default=None, gt=0)
    slow: float | None = Field(default=None, gt=0)
    never: Literal[True] | None = None

    @model_validator(mode="after")
    def _check_one_effect(self) -> "FaultRule":
        named = [name for name in EFFECTS if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError(f"expected exactly one of {', '.join(EFFECTS)}, got {' and '.join(named) or 'none'}")
        return self

    @property
    def patterns(self) -> list[str]:
        return [self.on] if isinstance(self.on, str) else self.on

    def matches(self, path: str) -> bool:
        """Does this rule apply to requests of this path (below /api/v1/)?"""
        about_futures = self.slow is not None or self.never is not None
        return (path in FUTURES or not about_futures) and any(fnmatchcase(path, pattern) for pattern in self.patterns)


class AccountBehaviour(FaultSection):
    """What the service's documentation leaves open, and an account may find either way."""

    moments: bool = True  # does a model restored with its optimizer have its moments?
    finish: bool = True  # may a process other than the one that opened a session finish it?
    forward: Literal["training", "prefill"] = "training"  # how the tokens of `forward` are billed


class Faults(FaultSection):
    """A fault document."""

    seed: int = 0
    rules: list[FaultRule] = []
    max_clients: int | None = Field(default=None, ge=0)
    pause: FaultWindow | None = None
    silence: float | None = Field(default=None, gt=0)
    cycle: float | None = Field(default=None, gt=0)
    account: AccountBehaviour = AccountBehaviour()


def read_faults(text: str, paths: Iterable[str]) -> Faults:
    """Read a fault document (YAML or JSON) for a server with these paths. Raises FaultsInvalid."""
    try:
        faults = Faults.model_validate(fault_document.read_values(text))
    except ValidationError as error:
        problems = dict[fault_document.Place, str]()
        for error_detail in error.errors():
            problems.setdefault(_normalise_place(error_detail["loc"]), fault_document.describe_error(error_detail))
        raise FaultsInvalid(_format_findings(problems, text)) from None
    except ValueError as error:
        raise FaultsInvalid(str(error)) from None
    known = list(paths)
    strangers = [
        (number, f"expected one of {_list_paths(rule, known)}, got {pattern!r}")
        for number, rule in enumerate(faults.rules)
        for pattern in rule.patterns
        if not any(rule.matches(path) and fnmatchcase(path, pattern) for path in known)
    ]
    if strangers:
        raise FaultsInvalid(
            "\n".join(_format_findings({("rules", number, "on"): problem}, text) for number, problem in strangers)
        )
    return faults


def _format_findings(problems: Mapping[fault_document.Place, str], text: str) -> str:
    """Format the errors, each with its line."""
    lines = fault_document.map_lines(text)
    return "\n".join(fault_document.format_finding(place, problem, lines) for place, problem in problems.items())


def _normalise_place(loc: fault_document.Place) -> fault_document.Place:
    """Return the place without the alternatives of `on`, which pydantic appends."""
    return loc[:3] if len(loc) > 3 and loc[0] == "rules" and loc[2] == "on" else loc


def _list_paths(rule: FaultRule, paths: Iterable[str]) -> str:
    anything = rule.model_copy(update={"on": "*"})
    return ", ".join(sorted({path for path in paths if anything.matches(path)}))


class Accident(NamedTuple):
    """The fault of one request: it is delayed first, then answered with an error or dropped.

    `held` is for how many seconds the reply of its future is kept back.
    """

    delay: float = 0.0
    answer: ErrorAnswer | None = None
    drop: Literal["before", "after"] | None = None
    held: float = 0.0


class AccidentSeries:
    """The faults of a document, request by request.

    Every rule draws from its own generator, once per request that it applies to. So the n-th `forward_backward`
    has the same fate whatever else is requested.
    """

    def __init__(self, faults: Faults) -> None:
        self._rules = faults.rules
        self._draws = [Random(f"{faults.seed} {number}") for number in range(len(faults.rules))]
        self.hits = [0] * len(faults.rules)

    def draw(self, path: str, seconds: float) -> Accident | None:
        """Return the fault of a request of this path, `seconds` after the document became active, if any.

        Rules apply in their order; the first that ends the request is the last one considered.
        """
        accident = None
        for number, rule in enumerate(self._rules):
            if not rule.matches(path) or not rule.during.contains(seconds) or self.hits[number] == rule.times:
                continue
            if self._draws[number].random() < rule.share:
                self.hits[number] += 1
                accident = _add_effect(accident or Accident(), rule)
                if rule.answer is not None or rule.drop is not None:
                    break
        return accident


def _add_effect(accident: Accident, rule: FaultRule) -> Accident:
    held = inf if rule.never else rule.slow or 0.0
    return Accident(accident.delay + (rule.delay or 0), rule.answer, rule.drop, max(accident.held, held))
