"""Find policies that never act: a drawdown of 0 is no skill if nothing was ever traded."""

from collections.abc import Iterator, Mapping, Sequence

from sweeps.evaluation.metric_prefixes import FACT_PREFIX, get_base_name
from sweeps.evaluation.task_completion import RETURN, SOLVED, TASK_COMPLETION
from sweeps.results import RunResult, group_by_cell
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key

REWARD = "reward"
CALLS = "calls"
DEEDS = ("acts", CALLS, "trades", "turnover", "pnl", RETURN)  # facts of what was done, and of what came of it


def list_idle(
    rows: Sequence[RunResult], items: Mapping[str, Items]
) -> Iterator[tuple[Mapping[str, Json], list[str], int]]:
    """List each cell that never acts: with the facts that are 0 in all of its episodes, and the number of these.

    A policy never acts if all facts of what it did are 0 in every episode, whatever penalties it pays; or if its reward
    is 0 in every episode. Other facts that are 0 in every episode of every cell are left out: they say nothing of a
    policy.
    """
    for measure, kept in items.items():
        if get_base_name(measure) != TASK_COMPLETION.name:
            continue
        prefix = f"{measure.removesuffix(TASK_COMPLETION.name)}{FACT_PREFIX}"
        every = [row.values for played in kept.values() for row in played]
        telling = {name for values in every for name, value in values.items() if value or name in DEEDS}
        facts = sorted(telling - {SOLVED, *TASK_COMPLETION.metric_names})
        for cell, runs in group_by_cell(rows):
            played = [row.values for run in runs for row in kept.get(item_key(run.cell, run.seed), ())]
            zero = [name for name in facts if all(values.get(name) == 0 for values in played)]
            if played and zero and _never_acts(played):
                yield cell, [f"{prefix}{name}" for name in zero], len(played)


def _never_acts(played: Sequence[Mapping[str, float]]) -> bool:
    if not any(values.get(REWARD) for values in played):
        return True
    deeds = {name for values in played for name in DEEDS if name in values}
    if deeds <= {CALLS} and any(values.get(REWARD, 0) > 0 for values in played):
        return False  # an answer without a call may be right
    return bool(deeds) and not any(values.get(name) for values in played for name in deeds)
