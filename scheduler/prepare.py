"""From a file to a plan that can be submitted: the one place where a question meets this machine."""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from scheduler.artefacts import Artefacts, records_path
from scheduler.errors import NotEnforced
from scheduler.service_check import check_models
from scheduler.settings import Settings
from scheduler.submission import Submission
from scheduler.tokenizers import tokenizer_for
from sweeps.cost import PriceBook, parse_prices
from sweeps.data import DataSource, load_dataset
from sweeps.errors import SpecError
from sweeps.plan import plan
from sweeps.records import Dataset, Records
from sweeps.spec import Sweep, parse
from sweeps.stage import Plan


@dataclass(frozen=True)
class Prepared:
    """A sweep that has been read and planned; nothing is written or spent yet."""

    sweep: Sweep
    plan: Plan
    records: Mapping[str, Records]  # by content address
    prices: PriceBook


def prepare(file: Path, overrides: Sequence[str], settings: Settings) -> Prepared:
    """Read and plan a file. Raises SweepsError or SchedulerError, each with what would be right."""
    return prepare_sweep(parse(_text(file), name=str(file), overrides=overrides), file.parent, settings)


def prepare_sweep(sweep: Sweep, folder: Path, settings: Settings) -> Prepared:
    """Plan a sweep whose relative paths start at `folder`."""
    records: dict[str, Records] = {}

    def load(name: str, spec: DataSource) -> Dataset:
        dataset = load_dataset(name, spec, folder=folder, cache=settings.home / "cache")
        for each in (dataset.train, dataset.holdout, dataset.validation):
            if each is not None:
                records[each.sha256] = each
        return dataset

    prices = price_book()
    planned = plan(sweep, load=load, tokenizers=tokenizer_for, prices=prices)
    return Prepared(sweep, planned, records, prices)


def price_book() -> PriceBook:
    """The prices that ship with us."""
    return parse_prices((files("scheduler") / "prices.yaml").read_text(), name="scheduler/prices.yaml")


def submission_of(prepared: Prepared) -> Submission:
    """What to write. Raises NotEnforced or ServiceRefused where submitting would promise too much."""
    sweep = prepared.sweep
    if prepared.plan.refused:
        reasons = "\n".join(f"  {reason}" for reason in prepared.plan.refused)
        raise NotEnforced(f"{sweep.sweep} asks for what nothing would enforce yet:\n{reasons}\ntake it out to go on")
    models = sorted({str(stage.recipe["model"]) for stage in prepared.plan.stages})
    check_models(models)
    return Submission(
        plan=prepared.plan,
        spec=sweep.model_dump(mode="json", exclude_defaults=True),
        user=getpass.getuser(),
        rates={model: _rate(prepared.prices, model) for model in models},
        limit=None if sweep.budget is None else round(sweep.budget.usd * 1_000_000),
        slots=sweep.limits.slots,
        priority=sweep.priority,
    )


def keep_data(prepared: Prepared, artefacts: Artefacts) -> None:
    """Put the data that the stages name into the store, under its content address."""
    for sha256, records in prepared.records.items():
        path = records_path(sha256)
        if not artefacts.has(path):
            artefacts.write(path, records.to_jsonl())


def _rate(prices: PriceBook, model: str) -> int:
    price = prices.of(model)
    return 0 if price is None else round(price.train * 1_000_000)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SpecError(f"{file}: {cause}; a file that states a sweep was expected here (see examples/)") from None
