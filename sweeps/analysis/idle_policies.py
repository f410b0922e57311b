"""Find conditions that do nothing: a drawdown of 0 is no skill if nothing was ever traded.

A policy may never act, a model may refuse every question, and all of its answers may be cut.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeVar

from sweeps.evaluation.metric_prefixes import CUT, FACT_PREFIX, get_base_name
from sweeps.evaluation.task_completion import RETURN, SOLVED, TASK_COMPLETION
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key

Inactivity = Literal["never_acts", "refuses_all", "all_cut"]
INACTIVE: Mapping[Inactivity, str] = {
    "never_acts": "it never acts",
    "refuses_all": "it refuses every question",
    "all_cut": "all of its answers were cut",
}
Ranked = TypeVar("Ranked")
REWARD = "reward"
SILENT = "silent"  # a value of questions: 1 where the model refuses although a passage answers
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


def find_inactivity(runs: Sequence[RunResult], items: Items | None) -> Inactivity | None:
    """Find out whether runs that share a cell do nothing, in all items of the evaluation of a metric; None if not."""
    kept = [row.values for run in keep_measured(runs) for row in (items or {}).get(item_key(run.cell, run.seed), ())]
    if not kept:
        return None
    if any(REWARD in values for values in kept):
        return "never_acts" if _never_acts(kept) else None
    cuts = [value for values in kept for name, value in values.items() if name.startswith(CUT)]
    if cuts and min(cuts) == 1:
        return "all_cut"
    answered = [values[SILENT] for values in kept if SILENT in values]
    return "refuses_all" if answered and min(answered) == 1 else None


def drop_inactive(ranked: Sequence[Ranked], inactive: Sequence[bool]) -> list[Ranked]:
    """Drop from a ranking, the best first, what does nothing and is ahead of what does something: that is no skill."""
    active = [place for place, idle in enumerate(inactive) if not idle]
    last = active[-1] if active else -1
    return [entry for place, entry in enumerate(ranked) if not inactive[place] or place > last]


def _never_acts(played: Sequence[Mapping[str, float]]) -> bool:
    deeds = {name for values in played for name in DEEDS if name in values}
    if any(values.get(name) for values in played for name in deeds - {"pnl", RETURN}):
        return False
    if not any(values.get(REWARD) for values in played):
        return True
    if deeds <= {CALLS} and any(values.get(REWARD, 0) > 0 for values in played):
        return False  # an answer without a call may be right
    return bool(deeds) and not any(values.get(name) for values in played for name in deeds)
