"""What cannot be planned, said before anything is expanded."""

from collections.abc import Iterable, Mapping
from math import prod

from sweeps.errors import PlanError
from sweeps.planning.cells import counts
from sweeps.planning.prices import PriceBook
from sweeps.records import Dataset, Records
from sweeps.rendering.prompts import ASKED, lacking
from sweeps.spec import axes
from sweeps.spec.evaluation_section import Evaluation
from sweeps.spec.model import Sweep
from sweeps.stage import Stage

MOST_RUNS = 200_000
PAIRS = "preference pairs (prompt, chosen, rejected) are"
OTHERS = "chat, prompt/completion or text is"


def refuse_unbuilt(sweep: Sweep) -> None:
    """Raise PlanError for what would make the plan another one than the file says."""
    if lacking := sweep.not_yet():
        raise PlanError("\n".join(lacking))


def refuse_too_many(sweep: Sweep) -> None:
    """Count the runs by arithmetic; raise PlanError, with the length of each axis, where there are too many.

    Exclusions are not counted off here: whoever excludes most of a grid means another grid.
    """
    factors = {**counts(sweep), **_of_kind(sweep)}
    runs = prod(factors.values())
    if runs > MOST_RUNS:
        said = " × ".join(f"{name} ({count:,})" for name, count in factors.items())
        raise PlanError(f"{sweep.sweep}: {runs:,} runs = {said}; at most {MOST_RUNS:,} are right, shorten an axis")


def _of_kind(sweep: Sweep) -> dict[str, int]:
    """The axes that the experiment itself has; the few zero-shot rows are nothing beside them."""
    seeds = {"seeds": sweep.seeds if isinstance(sweep.seeds, int) else len(sweep.seeds)}
    sizes = {"sizes": axes.length(sweep.sizes) + 1} if sweep.sizes is not None else {}
    if sweep.experiment == "transfer":
        pairs = sum(source != target for source in sweep.source_names for target in sweep.target_names)
        return {"pairs and targets": pairs + len(sweep.target_names), **sizes, **seeds}
    if sweep.methods is not None:
        return {"methods": len(sweep.methods), **seeds}
    return {"data": max(1, len(sweep.data)), **sizes, **seeds}


def refuse_unpriced(sweep: Sweep, prices: PriceBook) -> None:
    """A budget over a model without a price could not be kept: raise PlanError naming the model and the book."""
    missing = [model for model in models(sweep) if prices.of(model) is None]
    if sweep.budget is not None and missing:
        names = ", ".join(missing)
        raise PlanError(f"budget.usd: no price for {names} in {prices.name}; add a row there, or drop the budget")


def unpriced(stages: Iterable[Stage]) -> tuple[str, ...]:
    """The models of stages that need a price which nobody knows: a row may lack the one for training."""
    return tuple(dict.fromkeys(str(stage.recipe["model"]) for stage in stages if stage.micro_usd is None))


def refuse_half_priced(sweep: Sweep, stages: Iterable[Stage], prices: PriceBook) -> None:
    """The same where there is a row, but not for all that the stages need."""
    if sweep.budget is not None and (missing := unpriced(stages)):
        said = f"budget.usd: the price of {', '.join(missing)} in {prices.name} lacks what this sweep needs"
        raise PlanError(f"{said} (train, prefill); complete the row, or drop the budget")


def refuse_unsuited(dataset: Dataset, method: str | None, evaluations: Iterable[Evaluation]) -> None:
    """Raise PlanError where a method, or an evaluation, cannot do anything with the records."""
    form, where = dataset.train.format, f"data.{dataset.name} ({dataset.source})"
    measured = [each for each in evaluations if each.name != "task_completion"]
    for what, asked in (("method", method), *(("evaluate", each.name) for each in measured)):
        if asked is not None and not suits(asked, form):
            said = f"{where}: {form} records found; {_right(asked)} right for `{what}: {asked}`"
            other = f"; pairs go with `{what}: {'dpo' if what == 'method' else '[preference]'}`"
            raise PlanError(said + (other if form == "preference" else ""))
    for each in measured:
        if missing := lacking(each.name, each.options, records_for(dataset, each)):
            raise PlanError(f"{where}: the held-out questions lack {missing}, which `evaluate: {each.name}` needs")


def suits(asked: str, form: str) -> bool:
    """Can a method, or an evaluation, do anything with records of this format?"""
    if asked in ASKED:
        return form == "questions" or (asked == "answers" and form == "completion")
    return (asked in ("dpo", "preference")) == (form == "preference")


def _right(asked: str) -> str:
    if asked in ASKED:
        return "questions (question, answer) are" if asked != "answers" else "questions or prompt/completion are"
    return PAIRS if asked in ("dpo", "preference") else OTHERS


def records_for(dataset: Dataset, evaluation: Evaluation) -> Records:
    """What an evaluation is about: only where the context is what is varied, more than training reads."""
    return dataset.whole if evaluation.name == "rag" and dataset.whole is not None else dataset.holdout


def refuse_too_large(sizes: Mapping[str, set[int]], datasets: Mapping[str, Dataset]) -> None:
    """Raise PlanError naming every data set that has fewer examples than are asked of it."""
    found = []
    for name, asked in sizes.items():
        dataset = datasets[name]
        over = sorted(size for size in asked if size > len(dataset.train))
        if over:
            said = (
                f"{len(dataset.train):,} training examples found, {', '.join(f'{size:,}' for size in over)} asked for"
            )
            account = f" ({dataset.account})" if dataset.account else ""
            found.append(f"data.{name} ({dataset.source}): {said}{account}; at most what there is is right")
    if found:
        raise PlanError("\n".join(found))


def models(sweep: Sweep) -> tuple[str, ...]:
    """Every model that a cell may have."""
    varied = axes.values(sweep.vary["model"], "model") if "model" in sweep.vary else (sweep.model,)
    return tuple(str(model) for model in varied)
