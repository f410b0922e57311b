"""Read a file and plan it on this machine: data, tokenizers, environments and prices. Reads files; writes nothing."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from scheduler.artefacts import Artefacts, locate_records
from scheduler.errors import ServiceRefused
from scheduler.plugins.containment.contained_environment import load_contained, read_check_code
from scheduler.plugins.containment.sandbox import read_limits
from scheduler.plugins.spec_grounds import SpecGrounds, close_grounds, open_grounds
from scheduler.plugins.tokenizer_files import TokenizerPack
from scheduler.plugins.tokenizers import fit_to_model, tokenizer_for
from scheduler.refusals import (
    advise_on_model,
    find_day_budget_refusals,
    find_service_refusals,
    find_unset_addresses,
    refuse_impossible,
)
from scheduler.services import find_service
from scheduler.settings import Settings
from scheduler.state.milliseconds import write_moment
from scheduler.state.submission import Submission
from sweeps.cost import Forward
from sweeps.data import DataSource, load_dataset
from sweeps.errors import SpecError
from sweeps.planning.defaults import list_restated
from sweeps.planning.plan import plan
from sweeps.planning.prices import PriceBook, parse_prices
from sweeps.records import Dataset, Records
from sweeps.rendering.tokenizer import Tokenizer
from sweeps.spec.parse import Sweep, parse
from sweeps.stage import MICRO, Plan, Stage

MOST_BYTES = 4_000_000  # of a file that a person wrote


@dataclass(frozen=True)
class Prepared:
    """A sweep that was read and planned; nothing is written or spent yet."""

    sweep: Sweep
    plan: Plan
    records: Mapping[str, Records]  # by content address
    tokenizers: Sequence[TokenizerPack]  # that the file names
    prices: PriceBook
    user: str  # who submits it
    refused: tuple[str, ...] = ()  # why it cannot be submitted here and now
    notes: tuple[str, ...] = ()  # about this machine


def prepare(file: Path, overrides: Sequence[str], settings: Settings, forward: Forward = "training") -> Prepared:
    """Read and plan a file. Raises SweepsError or SchedulerError.

    Checks the same as submitting. What only the service or the day's budget refuses is listed in `refused`.
    """
    grounds = open_grounds(file.parent, settings)
    return _plan_checked(read_sweep(file, overrides), grounds, settings, forward, to_submit=False)


def prepare_to_submit(
    file: Path, overrides: Sequence[str], settings: Settings, forward: Forward = "training"
) -> Prepared:
    """Do the same for a file that is to run: raises what `refused` would list."""
    return plan_to_submit(read_sweep(file, overrides), file.parent, settings, forward)


def prepare_sent(
    text: str, overrides: Sequence[str], folder: Path, settings: Settings, forward: Forward, *, to_submit: bool
) -> Prepared:
    """Read and plan a spec that was sent, with its files in `folder`. Raises SweepsError or SchedulerError.

    It reads no other file of this machine, no URL but of a listed host, and no code but what the operator installed.
    """
    sweep = parse(text, name="the spec", overrides=overrides)
    return _plan_checked(sweep, close_grounds(folder, settings), settings, forward, to_submit=to_submit)


def plan_to_submit(sweep: Sweep, folder: Path, settings: Settings, forward: Forward = "training") -> Prepared:
    """Plan a sweep that is to run. Checks the key and the models first, and raises ServiceRefused."""
    return _plan_checked(sweep, open_grounds(folder, settings), settings, forward, to_submit=True)


def _plan_checked(
    sweep: Sweep, grounds: SpecGrounds, settings: Settings, forward: Forward, *, to_submit: bool
) -> Prepared:
    """Check and plan a sweep: the one way for those who only look and those who submit."""
    refuse_impossible(sweep, settings, datetime.now(UTC))
    errors = list(find_service_refusals(sweep, settings))
    if errors and to_submit:
        raise errors[0]
    prepared = _plan_on(grounds, sweep, settings, forward)
    errors += find_day_budget_refusals(prepared.plan, prepared.prices.name, settings)
    if errors and to_submit:
        raise errors[0]
    refusals = tuple("; ".join(line.rstrip(",;") for line in str(error).splitlines()) for error in errors)
    return replace(prepared, refused=refusals, notes=tuple(find_unset_addresses(sweep, os.environ)))


def read_sweep(file: Path, overrides: Sequence[str]) -> Sweep:
    """Read the sweep in a file. Raises SpecError."""
    return parse(_read_text(file), name=str(file), overrides=overrides)


def plan_sweep(sweep: Sweep, folder: Path, settings: Settings, forward: Forward = "training") -> Prepared:
    """Plan a sweep whose relative paths start at `folder`. `forward` is how Tinker bills a forward pass."""
    return _plan_on(open_grounds(folder, settings), sweep, settings, forward)


def _plan_on(grounds: SpecGrounds, sweep: Sweep, settings: Settings, forward: Forward) -> Prepared:
    records: dict[str, Records] = {}
    packs: dict[str, TokenizerPack] = {}
    code_folders: dict[str, Path] = {}  # by the name of an environment or a check

    def tokenizer(model: str, address: str | None = None) -> Tokenizer:
        if address is None:
            try:
                return tokenizer_for(model)
            except ServiceRefused as error:
                raise advise_on_model(model, prices, error) from None
        loaded, packed = grounds.load_tokenizer(address)
        packs[packed.digest] = packed
        return fit_to_model(loaded, model, address)

    def load(name: str, spec: DataSource) -> Dataset:
        dataset = load_dataset(name, spec, folder=grounds.folder, cache=settings.cache, reach=grounds.reach)
        records.update((part.sha256, part) for part in dataset.parts)
        return dataset

    def find_code_folder(name: str) -> Path:
        return code_folders.setdefault(name, grounds.find_code(name))

    live = all(find_service(model) == "tinker" for model in sweep.models)
    prices = read_price_book(settings).billing(forward if live else "training")
    limits = read_limits(settings)
    with ExitStack() as closing, sweep.origin.place_errors():
        planned = plan(
            sweep,
            load=load,
            tokenizers=tokenizer,
            prices=prices,
            environments=lambda name: load_contained(name, find_code_folder(name), limits, closing),
            checks=lambda name: read_check_code(name, find_code_folder(name), limits),
        )
    stages = tuple(_note_code_folder(stage, code_folders) for stage in planned.stages)
    return Prepared(sweep, replace(planned, stages=stages), records, tuple(packs.values()), prices, settings.user)


def _note_code_folder(stage: Stage, folders: Mapping[str, Path]) -> Stage:
    """Note for the workers of this machine in which folder the user's code of a stage was; it is no part of its id."""
    parts = (stage.recipe.get("environment"), stage.recipe.get("evaluator"))
    names = [part.get(key) for part in parts if isinstance(part, dict) for key in ("name", "check")]
    used = [folders[name] for name in names if isinstance(name, str) and name in folders]
    return replace(stage, execution={**stage.execution, "code_folder": str(used[0])}) if used else stage


def read_price_book(settings: Settings) -> PriceBook:
    """Read the built-in prices, and over them those of SWEEP_PRICES. Raises SpecError."""
    ours = _read_our_prices()
    if settings.prices is None:
        return ours
    theirs = _read_text(settings.prices, "a list of `prices:`")
    return ours.override_with(parse_prices(theirs, name=str(settings.prices)))


@cache
def _read_our_prices() -> PriceBook:
    """Read the file of the package once: it cannot change while the process runs, and takes 20 ms."""
    return parse_prices((files("scheduler") / "prices.yaml").read_text(encoding="utf-8"), name="scheduler/prices.yaml")


def build_submission(prepared: Prepared) -> Submission:
    """Build what is written when the sweep is submitted."""
    sweep = prepared.sweep
    return Submission(
        plan=prepared.plan,
        spec=complete_spec(prepared),
        restated=dict(list_restated(sweep)),
        user=prepared.user,
        rates={model: prepared.prices.rates(model) for model in sweep.models},
        limit=None if sweep.budget is None else round(sweep.budget.usd * MICRO),
        slots=sweep.limits.slots,
        priority=sweep.priority,
        weight=sweep.weight,
        window="" if sweep.window is None else sweep.window.model_dump_json(),
        deadline=None if sweep.deadline is None else write_moment(sweep.deadline),
        notify=tuple(dict.fromkeys(notice.address for notice in sweep.notify)),
    )


def complete_spec(prepared: Prepared) -> dict[str, Any]:
    """Complete the spec by what its answer is about, where only the data could say it."""
    metrics = [{"metric": metric} for metric in prepared.plan.metrics]
    dumped = prepared.sweep.model_dump(mode="json", exclude_defaults=True)
    return {**dumped, **({"metrics": metrics} if metrics else {})}


def store_data(prepared: Prepared, artefacts: Artefacts) -> None:
    """Write the data and tokenizers that the stages name to the store, under their content addresses."""
    for sha256, records in prepared.records.items():
        path = locate_records(sha256)
        if not artefacts.has(path):
            artefacts.write(path, records.to_jsonl())
    for packed in prepared.tokenizers:
        if not artefacts.has(packed.path):
            artefacts.write(packed.path, packed.content)


def _read_text(file: Path, expected: str = "a sweep file (examples/ has some)") -> str:
    """Read a file as UTF-8 text, and no more than MOST_BYTES. Raises SpecError."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SpecError(f"{file}: expected {expected}, got more than {MOST_BYTES / 1e6:g} MB")
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            raise SpecError(f"{file}: {error.strerror}; give the path of {expected}") from None
        raise SpecError(f"{file}: expected {expected}, got text that is not UTF-8") from None
