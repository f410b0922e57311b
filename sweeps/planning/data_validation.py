"""Check that data suits the methods of a sweep, and has enough rows."""

from collections.abc import Mapping

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


def refuse_too_large(sizes: Mapping[str, set[int]], datasets: Mapping[str, Dataset]) -> None:
    """Raise PlanError that names every data set with fewer rows, or groups, than a size."""
    problems = []
    for name, asked in sizes.items():
        dataset = datasets[name]
        train = dataset.train
        over = sorted(size for size in asked if size > train.units)
        if over:
            what = f"groups, which have {len(train):,} training rows" if train.groups else "training rows"
            many = ", ".join(f"{size:,}" for size in over)
            account = f" ({dataset.account})" if dataset.account else ""
            problem = f"expected sizes of at most {train.units:,} {what}{account}, got {many}"
            problems.append(f"data.{name} ({dataset.source}): {problem}; use at most that many")
    if problems:
        raise PlanError("\n".join(problems))
