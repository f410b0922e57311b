"""Check that data suits the methods of a sweep, and has enough rows."""

from collections.abc import Iterable

from sweeps.errors import PlanError
from sweeps.evaluation.nll import NLL
from sweeps.evaluation.preference import PREFERENCE
from sweeps.records import Dataset

PAIRS = PREFERENCE.formats  # what `method: dpo` trains on; all others train on anything else


def refuse_unsuited(dataset: Dataset, method: str | None) -> None:
    """Raise PlanError if the method cannot do anything with the records."""
    form, where = dataset.train.format, f"data.{dataset.name} ({dataset.source})"
    if method is not None and (method == "dpo") != (form in PAIRS):
        data = PREFERENCE.data if method == "dpo" else NLL.data
        pairs = "; pairs go with `method: dpo`" if form in PAIRS else ""
        raise PlanError(f"{where}: expected {data} for `method: {method}`, got {form} records{pairs}")


def find_too_large(key: str, sizes: set[int], datasets: Iterable[Dataset]) -> str:
    """Say which data sets have fewer rows, or groups, than the sizes that `key` gives; "" if none has."""
    short = [dataset for dataset in datasets if max(sizes, default=0) > dataset.train.units]
    if not short:
        return ""
    least = min(dataset.train.units for dataset in short)
    over = "; ".join(f"{size:,}" for size in sorted(sizes) if size > least)
    have = ", ".join(f"{dataset.name} has {_describe_rows(dataset)}" for dataset in short)
    return f"{key}: too large: {over}; use at most {least}: {have}"


def _describe_rows(dataset: Dataset) -> str:
    """Say how many rows, or groups, a data set has for training, and what became of the others."""
    train = dataset.train
    rows = f"{len(train):,} training rows"
    have = f"{train.units:,} groups, {rows}" if train.groups else rows
    return f"{have} ({dataset.account})" if dataset.account else have
