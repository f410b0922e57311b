"""Money: what was used, by kind; a dated price book; and integer micro-dollars, rounded up once for a whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from sweeps.errors import SpecError
from sweeps.fields import Model, shown
from sweeps.source import read
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


def _pairs(document: Json) -> Iterable[tuple[str, Json]]:
    return document.items() if isinstance(document, dict) else ()


def exact(value: Any) -> Any:
    """A price by its decimal digits, as it is written: 0.1 is a tenth."""
    if isinstance(value, bool | str):
        raise ValueError(f"{value!r} found; a number of US dollars is right")  # noqa: TRY004  pydantic collects ValueErrors
    return Decimal(str(value)) if isinstance(value, float | int) else value


Usd = Annotated[Decimal, BeforeValidator(exact), Field(ge=0, decimal_places=6), PlainSerializer(float)]
SEPARATOR = ":"  # before the variant of a model in its id


class Price(Model):
    """What a model costs, in US dollars per million tokens; `source` and `date` say who said so and when.

    `variant` is what follows the model in an id, as `peft:131072`: without one the row is for all that have no row of
    their own. What is left out is not known.
    """

    model: str
    variant: str | None = None
    train: Usd | None = None
    prefill: Usd | None = None
    cached_prefill: Usd | None = None
    sample: Usd | None = None
    source: str
    date: date

    @property
    def name(self) -> str:
        """The id that it is the price of."""
        return self.model if self.variant is None else f"{self.model}{SEPARATOR}{self.variant}"

    def rates(self, forward: Forward) -> Rates:
        """The same in micro-dollars."""
        train, prefill, cached, sample = map(_micro, (self.train, self.prefill, self.cached_prefill, self.sample))
        return Rates(train, prefill, cached, sample, forward)


class Storage(Model):
    """What checkpoints cost while they are kept, in US dollars per GB and month."""

    usd_per_gb_month: Usd
    source: str
    date: date


class PriceBook(Model):
    """The prices that a plan is reckoned with. `name` is where to add a missing one.

    Of several rows for the same thing the newest counts. `forward` is what a service bills a forward pass as.
    """

    name: str = "the price book"
    prices: tuple[Price, ...] = ()
    storage: tuple[Storage, ...] = ()
    forward: Forward = "training"

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len({(price.name, price.date) for price in self.prices}) < len(self.prices):
            raise ValueError("a model has two rows of the same date; one is right")
        return self

    @cached_property
    def _newest(self) -> Mapping[str, Price]:
        return {price.name: price for price in sorted(self.prices, key=lambda price: price.date)}

    @cached_property
    def _rates(self) -> Mapping[str, Rates]:
        return {name: price.rates(self.forward) for name, price in self._newest.items()}

    def of(self, model: str) -> Price | None:
        """The row of the model, or None: the longest name that the id is, or begins with, decides."""
        return self._newest.get(self._name_of(model))

    def rates(self, model: str) -> Rates:
        """What the model's tokens cost; nothing is known of one without a row."""
        return self._rates.get(self._name_of(model)) or Rates(forward=self.forward)

    def _name_of(self, model: str) -> str:
        while model and model not in self._newest:
            model = model.rpartition(SEPARATOR)[0]
        return model

    @property
    def kept(self) -> Storage | None:
        """What checkpoints cost, by the newest row."""
        return max(self.storage, key=lambda row: row.date, default=None)

    def billing(self, forward: Forward) -> "PriceBook":
        """The same prices, where a service bills a forward pass as this."""
        return PriceBook(name=self.name, prices=self.prices, storage=self.storage, forward=forward)

    def under(self, other: "PriceBook") -> "PriceBook":
        """This book with another laid over it: of a model that the other one names, its rows alone count."""
        named = {price.model for price in other.prices}
        rows = (*(price for price in self.prices if price.model not in named), *other.prices)
        return PriceBook(name=other.name, prices=rows, storage=other.storage or self.storage, forward=other.forward)


def parse_prices(text: str, *, name: str = "prices.yaml") -> PriceBook:
    """A price book from YAML: `prices:` and `storage:`, each a list of rows. Raises SpecError."""
    document = read(text, name).value
    if not isinstance(document, dict):
        raise SpecError(f"{name}: {shown(document)} found; lists under `prices:` and `storage:` are right")
    try:
        return PriceBook.model_validate({"name": name, **document})
    except ValidationError as error:
        lines = [f"{name}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise SpecError("\n".join(lines)) from None


def _micro(price: Decimal | None) -> int | None:
    return None if price is None else int(price * MILLION)
