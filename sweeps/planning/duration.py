"""Estimate how long a plan takes, in cycles of the service. It is a lower bound: the service may be busy.

The service works in clock cycles. A training step takes one cycle, because the next batch is always queued; a step of
dpo takes two, because it needs a forward pass first. Opening a client takes one cycle, and so does an evaluation of any
size. An episode takes one more for each turn, because each turn needs the answer to the one before.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sweeps.stage import Stage

OPENING = 1  # cycles before the first step
PASSES = {"dpo": 2}  # over the examples of a step, if more than one: dpo needs a forward pass before each step
EVALUATION = 1


@dataclass(frozen=True, slots=True)
class Cycles:
    """The cycles that are left."""

    longest: int  # of the longest chain of stages
    total: int  # of all stages together

    def count_for_slots(self, slots: int) -> int:
        """Estimate the cycles with a number of slots: at least the longest chain, and an equal share of all."""
        return max(self.longest, -(-self.total // slots))


def estimate_cycles(stages: Sequence[Stage], done: Collection[str] = ()) -> Cycles:
    """Estimate the cycles of stages in the order of a plan, parents first; stages that are done take none."""
    ends: dict[str, int] = {}
    total = 0
    for stage in stages:
        own = 0 if stage.id in done else _count_cycles(stage)
        total += own
        ends[stage.id] = own + max((ends[parent] for parent in stage.parents), default=0)
    return Cycles(max(ends.values(), default=0), total)


def _count_cycles(stage: Stage) -> int:
    turns = int(str(stage.execution.get("turns") or 0))
    if stage.kind == "evaluate":
        return EVALUATION + turns
    trains = 0 if stage.recipe.get("lag") else 1  # with a lag, it trains while it samples
    per_step = trains + turns if turns else PASSES.get(str(stage.recipe.get("method")), 1)
    return OPENING + stage.steps * per_step
