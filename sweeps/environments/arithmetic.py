"""`offline:arithmetic`: the last digit of a sum, in one turn.

`4717+6=` wants `3`, or `3` and whatever is no digit. The digit follows from the last digit of the one number and the
other number, which stand right before the answer, where even a model that sees four characters sees them. Only sums
that end in 0 to 3 are asked for: of the other digits the untrained models would say one so seldom that nothing could
be reinforced.
"""

import re
from typing import NamedTuple

from sweeps.environments import Environment, Episode, Shape, Split, Turn
from sweeps.environments.task_items import drawn
from sweeps.prng import Dice

FAMILY = "arithmetic"
ENDINGS = 4  # sums end in 0 to 3


class Item(NamedTuple):
    left: int  # of four digits
    right: int  # of one digit

    @property
    def answer(self) -> str:
        return str((self.left + self.right) % 10)


class Arithmetic(Environment):
    version = 1
    shape = Shape(turns=(1, 1), action=(1, 2), observation=(0, 0))
    stop = ("\n",)

    def episode(self, seed: int, split: Split) -> "Sum":
        return Sum(drawn(FAMILY, seed, split, _item))


class Sum(Episode):
    def __init__(self, item: Item) -> None:
        self._item = item

    @property
    def prompt(self) -> str:
        return f"{self._item.left}+{self._item.right}="

    def step(self, action: str) -> Turn:
        said = re.match(r"\d*", action)
        solved = float(said is not None and said[0] == self._item.answer)
        return Turn(reward=solved, done=True, facts={"solved": solved})

    def expert(self) -> str:
        return f"{self._item.answer}\n"

    def known(self) -> tuple[str, ...]:
        return tuple(f"{digit}\n" for digit in range(ENDINGS))


def _item(dice: Dice) -> Item:
    right, ending = dice.below(10), dice.below(ENDINGS)
    return Item(1000 + 10 * dice.below(900) + (ending - right) % 10, right)
