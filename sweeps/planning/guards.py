"""What cannot be planned, said before anything is expanded."""

from collections.abc import Iterable, Mapping
from math import prod

from sweeps import axes
from sweeps.cells import counts
from sweeps.cost import PriceBook
from sweeps.errors import PlanError
from sweeps.records import Dataset
from sweeps.spec import Sweep
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


def refuse_unsuited(dataset: Dataset, method: str | None, evaluations: Iterable[str]) -> None:
    """Raise PlanError where a method, or an evaluation, cannot do anything with the format of the records."""
    form = dataset.train.format
    measured = (("evaluate", name) for name in evaluations if name != "task_completion")
    for what, asked in (("method", method), *measured):
        pairs = asked in ("dpo", "preference")
        if asked is not None and pairs != (form == "preference"):
            right = PAIRS if pairs else OTHERS
            said = f"data.{dataset.name} ({dataset.source}): {form} records found; {right} right for `{what}: {asked}`"
            other = "" if pairs else f"; pairs go with `{what}: {'dpo' if what == 'method' else '[preference]'}`"
            raise PlanError(said + other)


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
            found.append(f"data.{name} ({dataset.source}): {said}; at most what there is is right")
    if found:
        raise PlanError("\n".join(found))


def models(sweep: Sweep) -> tuple[str, ...]:
    """Every model that a cell may have."""
    varied = axes.values(sweep.vary["model"], "model") if "model" in sweep.vary else (sweep.model,)
    return tuple(str(model) for model in varied)
