"""How long a plan takes, in cycles of the service: a bound, for nobody knows how busy a service will be.

The service works in clock cycles. One step of a training that is kept one batch ahead takes a cycle, one that has to
look before it moves takes two; a client that is opened takes one, and so does an evaluation, whatever its size. What
acts takes one more for each turn: the next cannot be asked for before the last is answered.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sweeps.stage import Stage

OPENING = 1  # cycles before the first step
OF_A_STEP = {"dpo": 2}  # by method: it has to see its pairs as they stand before it knows how to pull them apart
EVALUATION = 1


@dataclass(frozen=True, slots=True)
class Cycles:
    """What is left to do."""

    longest: int  # of the stages that must follow one another
    total: int  # of all stages, one after the other

    def with_slots(self, slots: int) -> int:
        """Cycles with so many stages at a time: the longest chain at least, and a fair share of all at least."""
        return max(self.longest, -(-self.total // slots))


def estimate_cycles(stages: Sequence[Stage], done: Collection[str] = ()) -> Cycles:
    """Of stages in the order of a plan, parents first; those that are done take no time."""
    ends: dict[str, int] = {}
    total = 0
    for stage in stages:
        own = 0 if stage.id in done else _own(stage)
        total += own
        ends[stage.id] = own + max((ends[parent] for parent in stage.parents), default=0)
    return Cycles(max(ends.values(), default=0), total)


def _own(stage: Stage) -> int:
    turns = int(str(stage.execution.get("turns") or 0))
    if stage.kind == "evaluate":
        return EVALUATION + turns
    trains = 0 if stage.recipe.get("lag") else 1  # with a lag, it trains while it plays
    each = trains + turns if turns else OF_A_STEP.get(str(stage.recipe.get("method")), 1)
    return OPENING + stage.steps * each
