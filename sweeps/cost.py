"""Tokens by kind, and their cost: integer micro-dollars, rounded up once for the whole."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sweeps.stage import Json

KINDS = ("training", "prefill", "cached_prefill", "sample")
"""The kinds of tokens that a service bills, each with its own rate."""
Forward = Literal["training", "prefill"]
MILLION = 1_000_000


class Usage(NamedTuple):
    """Tokens by kind. A sum of usages is a usage."""

    training: int = 0
    prefill: int = 0
    cached_prefill: int = 0
    sample: int = 0

    @property
    def tokens(self) -> int:
        """The tokens of all kinds together."""
        return self.training + self.prefill + self.cached_prefill + self.sample

    def plus(self, other: "Usage") -> "Usage":
        return Usage(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def minus(self, other: "Usage") -> "Usage":
        """Subtract another usage; negative numbers are what the other has too much."""
        return Usage(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))

    def document(self) -> dict[str, Json]:
        """Convert to JSON, without kinds that have no tokens."""
        return {kind: tokens for kind, tokens in self._asdict().items() if tokens}

    @classmethod
    def read(cls, document: Json) -> "Usage":
        """Read what `document` wrote."""
        return cls(**{kind: int(str(count)) for kind, count in _pairs(document) if kind in KINDS})


@dataclass(frozen=True, slots=True)
class Rates:
    """What the tokens of a stage cost, in micro-dollars for a million of each kind; None is an unknown price."""

    training: int | None = None
    prefill: int | None = None
    cached_prefill: int | None = None
    sample: int | None = None
    forward: Forward = "training"  # the kind that a forward pass without a gradient is billed as

    def passed(self, tokens: int) -> Usage:
        """Return the usage of a forward pass over a number of tokens."""
        return Usage(prefill=tokens) if self.forward == "prefill" else Usage(training=tokens)

    def know(self, usage: Usage) -> bool:
        """Whether every kind of token in the usage has a price."""
        return all(rate is not None or not tokens for tokens, rate in zip(usage, self._each, strict=True))

    def price(self, usage: Usage) -> int:
        """Price a usage in micro-dollars, rounded up once for the whole; kinds without a price count as zero."""
        return -(-self._exact(usage) // MILLION)

    def price_at_least(self, usage: Usage) -> int:
        """Price a usage rounded down, to subtract it from an estimate."""
        return self._exact(usage) // MILLION

    def _exact(self, usage: Usage) -> int:
        return sum(tokens * (rate or 0) for tokens, rate in zip(usage, self._each, strict=True))

    @property
    def _each(self) -> tuple[int | None, ...]:
        return self.training, self.prefill, self.cached_prefill, self.sample

    def document(self) -> dict[str, Json]:
        """Convert to JSON, without unknown prices."""
        known: dict[str, Json] = {kind: rate for kind, rate in zip(KINDS, self._each, strict=True) if rate is not None}
        return {**known, "forward": self.forward}

    @classmethod
    def read(cls, document: Json) -> "Rates":
        """Read what `document` wrote."""
        pairs = dict(_pairs(document))
        known = {kind: int(str(pairs[kind])) for kind in KINDS if kind in pairs}
        return cls(**known, forward="prefill" if pairs.get("forward") == "prefill" else "training")


@dataclass(frozen=True)
class KindCosts:
    """The stages of one kind in a sweep; amounts in micro-dollars."""

    kind: str
    stages: int
    low: int  # estimated
    high: int
    reused: int  # part of the high estimate: stages that other sweeps paid for
    metered: int  # this and the next two: paid by this sweep
    reserved: int
    unreconciled: int
    tokens: int


def _pairs(document: Json) -> Iterable[tuple[str, Json]]:
    return document.items() if isinstance(document, dict) else ()
