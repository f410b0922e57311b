"""Money: a dated price book, and integer micro-dollars rounded up, so that an estimate is never too small."""

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import cached_property, lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from sweeps.errors import SpecError
from sweeps.fields import Model
from sweeps.source import read


def exact(value: Any) -> Any:
    """A price by its decimal digits, as it is written: 0.1 is a tenth."""
    if isinstance(value, bool | str):
        raise ValueError(f"{value!r} found; a number of US dollars is right")  # noqa: TRY004  pydantic collects ValueErrors
    return Decimal(str(value)) if isinstance(value, float | int) else value


Usd = Annotated[Decimal, BeforeValidator(exact), Field(ge=0), PlainSerializer(float)]


class Price(Model):
    """What a model costs, in US dollars per million tokens; `source` and `date` say who said so and when."""

    model: str
    train: Usd
    prefill: Usd
    cached_prefill: Usd
    sample: Usd
    source: str
    date: date


class PriceBook(Model):
    """The prices that a plan is reckoned with. `name` is where to add a missing one."""

    name: str = "the price book"
    prices: tuple[Price, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> "PriceBook":
        if len(self._rows) < len(self.prices):
            raise ValueError("a model has two rows; one is right")
        return self

    @cached_property
    def _rows(self) -> Mapping[str, Price]:
        return {price.model: price for price in self.prices}

    def of(self, model: str) -> Price | None:
        """The row of the model, or None."""
        return self._rows.get(model)


def parse_prices(text: str, *, name: str = "prices.yaml") -> PriceBook:
    """A price book from YAML: `prices:` and a list of rows. Raises SpecError."""
    document = read(text, name).value
    try:
        return PriceBook.model_validate({"name": name, **(document if isinstance(document, dict) else {})})
    except ValidationError as error:
        lines = [f"{name}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise SpecError("\n".join(lines)) from None


@lru_cache(maxsize=4096)
def micro_usd(tokens: int, usd_per_million: Decimal) -> int:
    """The price of `tokens` in whole micro-dollars, rounded up: a dollar per million is one each."""
    return int((tokens * usd_per_million).to_integral_value(rounding=ROUND_CEILING))


def usd(amount: int) -> float:
    """Micro-dollars as dollars, for people and JSON."""
    return amount / 1_000_000
