"""`offline:tool_use`: look a value up with a tool, get over an error, and answer with the value.

    Item 4821, its size: s late w found 3=3

Every action is one letter or digit. What is wanted says which tool to call: `s` for the size, `c` for the cost, `a`
for the age. Every other call meets an error, from which another tool helps: `w` waits for what is late, `o` opens
what is locked. Then the value is there, and wants to be repeated. A wrong action ends the episode; each right one
before the answer is worth a little, and the whole is worth 1.

Each observation ends with all that the next action depends on, within the five characters that a small model sees.
"""

from typing import NamedTuple

from sweeps.environments import Environment, Episode, EpisodeShape, Split, Turn
from sweeps.environments.task_items import draw_task
from sweeps.stats.prng import RandomStream

FAMILY = "tool_use"
TOOLS = {"size": "s", "cost": "c", "age": "a"}
CURES = {"late": "w", "locked": "o"}
FAILING = 0.5  # of the first calls
VALUES = 4  # from 0
CALL, CURE = 0.2, 0.2  # what a right call, and a right way out of an error, are worth


class LookupTask(NamedTuple):
    number: int  # of four digits
    wanted: str  # a key of TOOLS
    error: str  # a key of CURES, or nothing
    value: int

    def __str__(self) -> str:
        """The text whose hash assigns the task to a split: another text would move tasks between the splits."""
        return f"Item(number={self.number}, wanted={self.wanted!r}, error={self.error!r}, value={self.value})"

    @property
    def actions(self) -> tuple[str, ...]:
        """The right ones, in their order."""
        return (TOOLS[self.wanted], *([CURES[self.error]] if self.error else []), str(self.value))

    @property
    def observations(self) -> tuple[str, ...]:
        """What each right action but the last is answered with."""
        return (*([f" {self.error} "] if self.error else []), f" found {self.value}=")


class ToolUse(Environment):
    version = 1
    shape = EpisodeShape(turns=(1, 3), action=(1, 1), observation=(6, 9))
    stop: tuple[str, ...] = ()

    def episode(self, seed: int, split: Split) -> "Lookup":
        return Lookup(draw_task(FAMILY, seed, split, _item))


class Lookup(Episode):
    def __init__(self, item: LookupTask) -> None:
        self._item = item
        self._right = 0  # actions so far

    @property
    def prompt(self) -> str:
        return f"Item {self._item.number}, its {self._item.wanted}: "

    def step(self, action: str) -> Turn:
        item = self._item
        right = action.strip() == item.actions[self._right]
        self._right += right
        solved = self._right == len(item.actions)
        facts = {"solved": float(solved)}
        if item.error and self._right:  # the error was met: was it got over?
            facts["recovered"] = float(self._right > 1)
        done = solved or not right
        return Turn("" if done else item.observations[self._right - 1], self._worth(right, solved), done, facts)

    def _worth(self, right: bool, solved: bool) -> float:
        """Of the last action."""
        if not right:
            return 0.0
        before = [CALL, CURE][: len(self._item.actions) - 1]
        return 1 - sum(before) if solved else before[self._right - 1]

    def expert(self) -> str:
        return self._item.actions[self._right]

    def list_actions(self) -> tuple[str, ...]:
        return (*TOOLS.values(), *CURES.values(), *map(str, range(VALUES)))


def _item(dice: RandomStream) -> LookupTask:
    wanted = [*TOOLS][dice.draw_below(len(TOOLS))]
    error = [*CURES][dice.draw_below(len(CURES))] if dice.chance(FAILING) else ""
    return LookupTask(1000 + dice.draw_below(9000), wanted, error, dice.draw_below(VALUES))
