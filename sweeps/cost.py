"""What was used, by kind, and what it costs: integer micro-dollars, rounded up once for a whole."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sweeps.stage import Json

KINDS = ("training", "prefill", "cached_prefill", "sample")
"""The kinds of tokens that a service bills, each at a rate of its own."""
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
        """Of all kinds together."""
        return self.training + self.prefill + self.cached_prefill + self.sample

    def plus(self, other: "Usage") -> "Usage":
        return Usage(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def minus(self, other: "Usage") -> "Usage":
        """What is left of it, or, where less than nothing is, what there was too much of the other."""
        return Usage(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))

    def document(self) -> dict[str, Json]:
        """As JSON, without what there is nothing of."""
        return {kind: tokens for kind, tokens in self._asdict().items() if tokens}

    @classmethod
    def read(cls, document: Json) -> "Usage":
        """From what `document` gave."""
        return cls(**{kind: int(str(count)) for kind, count in _pairs(document) if kind in KINDS})


@dataclass(frozen=True, slots=True)
class Rates:
    """What a stage's tokens cost, in micro-dollars for a million of each kind; None is a price that nobody knows."""

    training: int | None = None
    prefill: int | None = None
    cached_prefill: int | None = None
    sample: int | None = None
    forward: Forward = "training"  # what a forward pass without a gradient is billed as

    def passed(self, tokens: int) -> Usage:
        """What a forward pass over so many tokens counts as."""
        return Usage(prefill=tokens) if self.forward == "prefill" else Usage(training=tokens)

    def know(self, usage: Usage) -> bool:
        """Does everything in it have a price?"""
        return all(rate is not None or not tokens for tokens, rate in zip(usage, self._each, strict=True))

    def price(self, usage: Usage) -> int:
        """In micro-dollars, rounded up once for the whole; what has no price counts as nothing."""
        return -(-self._exact(usage) // MILLION)

    def price_at_least(self, usage: Usage) -> int:
        """The same rounded down: what is taken off an estimate must never be too much."""
        return self._exact(usage) // MILLION

    def _exact(self, usage: Usage) -> int:
        return sum(tokens * (rate or 0) for tokens, rate in zip(usage, self._each, strict=True))

    @property
    def _each(self) -> tuple[int | None, ...]:
        return self.training, self.prefill, self.cached_prefill, self.sample

    def document(self) -> dict[str, Json]:
        """As JSON, without what nobody knows."""
        known: dict[str, Json] = {kind: rate for kind, rate in zip(KINDS, self._each, strict=True) if rate is not None}
        return {**known, "forward": self.forward}

    @classmethod
    def read(cls, document: Json) -> "Rates":
        """From what `document` gave."""
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
    reused: int  # of the high estimate: of stages that others have paid for
    metered: int  # as are the next two: of this sweep's own money
    reserved: int
    unreconciled: int
    tokens: int


def _pairs(document: Json) -> Iterable[tuple[str, Json]]:
    return document.items() if isinstance(document, dict) else ()
