"""The price list: what the tokens of each model cost in US dollars, from which source and date."""

import math
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from sweeps.cost import MILLION, Forward, Rates
from sweeps.errors import SpecError
from sweeps.spec.explain import explain
from sweeps.spec.scalars import Finding, Findings, SpecModel, show
from sweeps.spec.yaml import read
from sweeps.stage import Stage


def read_exact(value: Any) -> Any:
    """Read a price by its decimal digits: 0.1 is a tenth."""
    if isinstance(value, bool | str) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"expected a number of US dollars, got {value!r}")
    return Decimal(str(value)) if isinstance(value, float | int) else value


MOST = 10_000  # US dollars for a million tokens, or a GB and month: far above every known price; more is a mistake
Usd = Annotated[Decimal, BeforeValidator(read_exact), Field(ge=0, le=MOST, decimal_places=6), PlainSerializer(float)]
Name = Annotated[str, Field(min_length=1)]
PRETEND = "pretend price"  # how the `source` of a price begins that nobody is billed: the plan's total says so
SEPARATOR = ":"  # before the variant of a model in its id


class Price(SpecModel):
    """Prices of a model, in US dollars per million tokens; `source` and `date` say where they are from.

    `variant` is what follows the model in an id, such as `peft:131072`. A row without one is for all variants that have
    no row. A price that is left out is unknown.
    """

    model: Name
    variant: Name | None = None
    train: Usd | None = None
    prefill: Usd | None = None
    cached_prefill: Usd | None = None
    sample: Usd | None = None
    source: str
    date: date

    @property
    def name(self) -> str:
        """Return the id of the model that the price is for."""
        return self.model if self.variant is None else f"{self.model}{SEPARATOR}{self.variant}"

    def rates(self, forward: Forward) -> Rates:
        """Convert the prices to micro-dollars."""
        train, prefill, cached, sample = map(_micro, (self.train, self.prefill, self.cached_prefill, self.sample))
        return Rates(train, prefill, cached, sample, forward)


class Storage(SpecModel):
    """Prices of stored checkpoints, in US dollars per GB and month."""

    usd_per_gb_month: Usd
    source: str
    date: date


class PriceFile(SpecModel):
    """The rows of a file."""

    prices: tuple[Price, ...] = ()
    storage: tuple[Storage, ...] = ()

    @model_validator(mode="after")
    def _refuse_repeated(self) -> Self:
        names, again = set[tuple[str, date]](), list[Finding]()
        for number, price in enumerate(self.prices):
            if (price.name, price.date) in names:
                again.append(
                    (
                        ("prices", number),
                        f"expected one row for each model and date, got a second for {price.name} of {price.date}",
                    )
                )
            names.add((price.name, price.date))
        if again:
            raise Findings(again)
        return self


class PriceBook(SpecModel):
    """The prices of a plan. `name` is the file where you add a missing one.

    The newest of several rows for the same model counts. `forward` is the rate at which a service bills a forward pass.
    """

    name: str = "the price list"
    prices: tuple[Price, ...] = ()
    storage: tuple[Storage, ...] = ()
    forward: Forward = "training"

    @cached_property
    def _newest(self) -> Mapping[str, Price]:
        return {price.name: price for price in sorted(self.prices, key=lambda price: price.date)}

    @cached_property
    def _rates(self) -> Mapping[str, Rates]:
        return {name: price.rates(self.forward) for name, price in self._newest.items()}

    def find_price(self, model: str) -> Price | None:
        """Find the row of a model, or None: the row with the longest name that the id begins with."""
        return self._newest.get(self._name_of(model))

    def rates(self, model: str) -> Rates:
        """Return the rates of a model; all unknown if it has no row."""
        return self._rates.get(self._name_of(model)) or Rates(forward=self.forward)

    def _name_of(self, model: str) -> str:
        while model and model not in self._newest:
            model = model.rpartition(SEPARATOR)[0]
        return model

    @property
    def kept(self) -> Storage | None:
        """Return the price of stored checkpoints, from the newest row."""
        return max(self.storage, key=lambda row: row.date, default=None)

    def billing(self, forward: Forward) -> "PriceBook":
        """Return the same prices with another rate for a forward pass."""
        return PriceBook(name=self.name, prices=self.prices, storage=self.storage, forward=forward)

    def override_with(self, other: "PriceBook") -> "PriceBook":
        """Merge with another book: for a model that the other book names, only its rows count."""
        named = {price.model for price in other.prices}
        rows = (*(price for price in self.prices if price.model not in named), *other.prices)
        return PriceBook(name=other.name, prices=rows, storage=other.storage or self.storage, forward=other.forward)


def parse_prices(text: str, *, name: str = "prices.yaml") -> PriceBook:
    """Read a price list from YAML: `prices:` and `storage:`, each a list of rows. Raises SpecError."""
    source = read(text, name)
    if not isinstance(source.value, dict) or not source.value:
        got = show(source.value)
        raise SpecError(f"{source.place(())}: expected lists under `prices:` and `storage:`, got {got}")
    try:
        rows = PriceFile.model_validate(source.value)
    except ValidationError as error:
        raise SpecError("\n".join(explain(error, source, PriceFile))) from None
    return PriceBook(name=name, prices=rows.prices, storage=rows.storage)


def list_unpriced_models(stages: Iterable[Stage]) -> tuple[str, ...]:
    """List the models of stages without a price: their row may lack one of the prices that they need."""
    return tuple(dict.fromkeys(str(stage.recipe["model"]) for stage in stages if stage.micro_usd is None))


def _micro(price: Decimal | None) -> int | None:
    return None if price is None else int(price * MILLION)
