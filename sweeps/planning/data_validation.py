"""Check that data suits the methods and evaluations of a sweep, and has enough examples."""

from collections.abc import Iterable, Mapping

from sweeps.errors import PlanError
from sweeps.evaluation.nll import NLL
from sweeps.evaluation.preference import PREFERENCE
from sweeps.records import Dataset, Records
from sweeps.spec.evaluation_section import Evaluation

PAIRS = PREFERENCE.formats  # what `method: dpo` trains on; all others train on anything else


def refuse_unsuited(dataset: Dataset, method: str | None, evaluations: Iterable[Evaluation]) -> None:
    """Raise PlanError if the method, or an evaluation, cannot do anything with the records."""
    form, where = dataset.train.format, f"data.{dataset.name} ({dataset.source})"
    if method is not None and (method == "dpo") != (form in PAIRS):
        raise PlanError(
            _describe_unsuited(where, form, PREFERENCE.data if method == "dpo" else NLL.data, "method", method)
        )
    measured = [evaluation for evaluation in evaluations if evaluation.evaluator.formats]
    for evaluation in measured:
        if form not in evaluation.evaluator.formats:
            raise PlanError(_describe_unsuited(where, form, evaluation.evaluator.data, "evaluate", evaluation.name))
    for evaluation in measured:
        if missing := evaluation.evaluator.find_missing(select_records(dataset, evaluation), evaluation.options):
            raise PlanError(
                f"{where}: the held-out questions have no {missing}; `evaluate: {evaluation.name}` needs them"
            )


def _describe_unsuited(where: str, form: str, data: str, what: str, name: str) -> str:
    pairs = f"; pairs go with `{what}: {'dpo' if what == 'method' else '[preference]'}`" if form in PAIRS else ""
    return f"{where}: expected {data} for `{what}: {name}`, got {form} records{pairs}"


def select_records(dataset: Dataset, evaluation: Evaluation) -> Records:
    """Select what an evaluation is about; one that varies the context needs more of it than training reads."""
    whole = evaluation.evaluator.reads_whole_context and dataset.whole is not None
    return dataset.whole if whole and dataset.whole is not None else dataset.holdout


def refuse_too_large(sizes: Mapping[str, set[int]], datasets: Mapping[str, Dataset]) -> None:
    """Raise PlanError that names every data set with fewer examples, or groups, than a size."""
    problems = []
    for name, asked in sizes.items():
        dataset = datasets[name]
        train = dataset.train
        over = sorted(size for size in asked if size > train.units)
        if over:
            what = f"groups, which have {len(train):,} training examples" if train.groups else "training examples"
            many = ", ".join(f"{size:,}" for size in over)
            account = f" ({dataset.account})" if dataset.account else ""
            problem = f"expected sizes of at most {train.units:,} {what}{account}, got {many}"
            problems.append(f"data.{name} ({dataset.source}): {problem}; use at most that many")
    if problems:
        raise PlanError("\n".join(problems))
