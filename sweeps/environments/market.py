"""`offline:market`: trade on a made price, event by event, and be paid at the end for return and against drawdown.

    Prices F+-+ b L-++ h L+++ …

The model sees its position (`F` flat, `L` long, `S` short) and the directions of the last three moves, and says `b` to
be long during the next move, `s` to be short, `h` to stay as it is; anything else closes the position. A move tends
to go where the last one went, and a little more often upwards. Trading costs a share of what is traded. The reward
comes with the last event: the return less a quarter of the greatest drawdown, both in percent. The facts tell the
same of who buys and holds (`hold_…`) and of positions by chance (`random_…`) on the same path. The regime is `bull` or
`bear` where the price moves by TREND or more from the first event to the last, and `sideways` elsewhere.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from sweeps.environments import Environment, Episode, EpisodeShape, Split, Turn
from sweeps.environments.task_items import draw_task, seed_stream
from sweeps.stats.prng import RandomStream

FAMILY = "market"
EVENTS, SHOWN = 4, 3  # moves in an episode, and how many of the last ones are shown
UP, DOWN = 0.84, 0.80  # the chance that a move up, or down, is followed by its like
SMALLEST, LARGEST = 50, 150  # moves, in basis points
TREND = 200  # basis points that make a path bull or bear
COST = 0.0005  # of what is traded
AVERSION = 0.25  # percent of return that a percent of drawdown takes away
POSITIONS = {"b": 1, "s": -1}
HELD = [1] * EVENTS  # the positions of who buys and holds
NAMES = {-1: "S", 0: "F", 1: "L"}


class Outcome(NamedTuple):
    """Of positions held along a path: shares of the wealth at the start, or at the peak; the ratio per event."""

    gain: float
    drawdown: float
    sharpe: float

    @property
    def reward(self) -> float:
        return 100 * (self.gain - AVERSION * self.drawdown)

    def facts(self) -> dict[str, float]:
        return {"return": self.gain, "drawdown": self.drawdown, "sharpe": self.sharpe}

    def facts_of(self, other: str) -> dict[str, float]:
        """The same, and the reward, of another trader on the same path."""
        return {f"{other}_{name}": value for name, value in {**self.facts(), "reward": self.reward}.items()}


class Market(Environment):
    version = 1
    shape = EpisodeShape(turns=(EVENTS, EVENTS), action=(1, 1), observation=(SHOWN + 3, SHOWN + 3))
    stop: tuple[str, ...] = ()

    def episode(self, seed: int, split: Split) -> "Trading":
        return Trading(draw_task(FAMILY, seed, split, _moves))


class Trading(Episode):
    def __init__(self, moves: Sequence[int]) -> None:
        self._moves = moves
        self._positions: list[int] = []
        dice = seed_stream(f"{FAMILY} at random {moves}", 0)
        self._blind = [dice.draw_below(3) - 1 for _ in range(EVENTS)]  # what a trader without any view holds

    @property
    def prompt(self) -> str:
        return f"Prices{self._show_prices()}"

    def step(self, action: str) -> Turn:
        order = action.strip()
        self._positions.append(self._position if order == "h" else POSITIONS.get(order, 0))
        passed = self._moves[SHOWN:][: len(self._positions)]
        got = settle_trades(passed, self._positions)
        held, blind = (settle_trades(passed, positions[: len(passed)]) for positions in (HELD, self._blind))
        facts: dict[str, float | str] = {**got.facts(), "profitable": float(got.gain > 0)}
        facts |= {**held.facts_of("hold"), **blind.facts_of("random"), "regime": name_regime(self._moves)}
        done = len(passed) == EVENTS
        return Turn("" if done else self._show_prices(), got.reward if done else 0.0, done, facts)

    def _show_prices(self) -> str:
        at = len(self._positions)
        moves = "".join("+" if move > 0 else "-" for move in self._moves[at : at + SHOWN])
        return f" {NAMES[self._position]}{moves} "

    @property
    def _position(self) -> int:
        return self._positions[-1] if self._positions else 0

    def expert(self) -> str:
        """With the trend: a simple rule that beats holding, not the best that there could be."""
        return "b" if self._moves[len(self._positions) + SHOWN - 1] > 0 else "s"


def name_regime(moves: Sequence[int]) -> str:
    """Name the regime of a path by its moves after those that are shown first."""
    moved = sum(moves[SHOWN:])
    return "bull" if moved >= TREND else "bear" if moved <= -TREND else "sideways"


def settle_trades(moves: Sequence[int], positions: Sequence[int]) -> Outcome:
    """What it brings to hold each position (-1, 0 or 1 times the wealth) during its move (basis points)."""
    changes: list[float] = []
    wealth = peak = 1.0
    drawdown, before = 0.0, 0
    for move, position in zip(moves, positions, strict=True):
        changes.append(position * move / 10_000 - COST * abs(position - before))
        wealth *= 1 + changes[-1]
        peak, before = max(peak, wealth), position
        drawdown = max(drawdown, 1 - wealth / peak)
    return Outcome(wealth - 1, drawdown, _sharpe(changes))


def _sharpe(changes: Sequence[float]) -> float:
    """Mean by standard deviation of the changes, not annualised; 0 where they do not vary.

    `fsum` and `sqrt` are exact, so that every Python and every machine says the same.
    """
    mean = math.fsum(changes) / len(changes)
    variance = math.fsum((change - mean) ** 2 for change in changes) / len(changes)
    return mean / math.sqrt(variance) if variance > 1e-12 else 0.0


def _moves(dice: RandomStream) -> tuple[int, ...]:
    """The moves shown before the first event, and those of all events: basis points, with their signs."""
    up = dice.chance(0.5)
    moves = []
    for _ in range(SHOWN + EVENTS):
        size = SMALLEST + dice.draw_below(LARGEST - SMALLEST + 1)
        moves.append(size if up else -size)
        up = dice.chance(UP) if up else not dice.chance(DOWN)
    return tuple(moves)
