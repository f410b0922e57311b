"""Find policies that never act: a drawdown of 0 is no skill if nothing was ever traded."""

from collections.abc import Iterator, Mapping, Sequence

from sweeps.evaluation.metric_prefixes import FACT_PREFIX, get_base_name
from sweeps.evaluation.task_completion import SOLVED, TASK_COMPLETION
from sweeps.results import RunResult, group_by_cell
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key

REWARD = "reward"


def list_idle(
    rows: Sequence[RunResult], items: Mapping[str, Items]
) -> Iterator[tuple[Mapping[str, Json], list[str], int]]:
    """List each cell whose episodes all have a reward of 0: with the facts that are 0 in all of them, and their number.

    Facts that are 0 in every episode of every cell are left out: they say nothing of a policy.
    """
    for measure, kept in items.items():
        if get_base_name(measure) != TASK_COMPLETION.name:
            continue
        prefix = f"{measure.removesuffix(TASK_COMPLETION.name)}{FACT_PREFIX}"
        episodes = (row.values for played in kept.values() for row in played)
        facts = {name for values in episodes for name, value in values.items() if value}
        facts -= {SOLVED, *TASK_COMPLETION.metric_names}
        for cell, runs in group_by_cell(rows):
            played = [row.values for run in runs for row in kept.get(item_key(run.cell, run.seed), ())]
            if played and not any(values.get(REWARD) for values in played):
                zero = [name for name in sorted(facts) if all(values.get(name) == 0 for values in played)]
                if zero:
                    yield cell, [f"{prefix}{name}" for name in zero], len(played)
