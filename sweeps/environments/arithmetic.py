"""`offline:arithmetic`: the last digit of a sum, in one turn.

`4717+6=` wants `3`, or `3` and whatever is no digit. The digit follows from the last digit of the one number and the
other number, which stand right before the answer, where even a model that sees four characters sees them. Only sums
that end in 0 to 3 are asked for: of the other digits the untrained models would say one so seldom that nothing could
be reinforced.
"""

import re
from typing import NamedTuple

from sweeps.environments import Environment, Episode, EpisodeShape, Split, Turn
from sweeps.environments.task_items import draw_task
from sweeps.stats.prng import RandomStream

FAMILY = "arithmetic"
ENDINGS = 4  # sums end in 0 to 3


class Addition(NamedTuple):
    left: int  # of four digits
    right: int  # of one digit

    def __str__(self) -> str:
        """The text whose hash assigns the task to a split: another text would move tasks between the splits."""
        return f"Item(left={self.left}, right={self.right})"

    @property
    def answer(self) -> str:
        return str((self.left + self.right) % 10)


class Arithmetic(Environment):
    version = 1
    shape = EpisodeShape(turns=(1, 1), action=(1, 2), observation=(0, 0))
    stop = ("\n",)

    def episode(self, seed: int, split: Split) -> "Sum":
        return Sum(draw_task(FAMILY, seed, split, _item))


class Sum(Episode):
    def __init__(self, item: Addition) -> None:
        self._item = item

    @property
    def prompt(self) -> str:
        return f"{self._item.left}+{self._item.right}="

    def step(self, action: str) -> Turn:
        digits = re.match(r"\d*", action)
        solved = float(digits is not None and digits[0] == self._item.answer)
        return Turn(reward=solved, done=True, facts={"solved": solved})

    def expert(self) -> str:
        return f"{self._item.answer}\n"

    def list_actions(self) -> tuple[str, ...]:
        return tuple(f"{digit}\n" for digit in range(ENDINGS))


def _item(dice: RandomStream) -> Addition:
    right, ending = dice.draw_below(10), dice.draw_below(ENDINGS)
    return Addition(1000 + 10 * dice.draw_below(900) + (ending - right) % 10, right)
