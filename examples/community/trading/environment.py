"""A market in which news move prices: read the news, send an order, bear what follows.

    market: trade KLM
            0 rumour      agent: flat()       no position; there is a rumour
    market: 0 beat        agent: long(2)      buys two units
    market: +2 miss       agent: short(1)     the price has gapped with the news before the agent may trade

Two kinds of pay: `Market` pays the return after costs, `CarefulMarket` the mean of a risk-aware trader: return less
AVERSION·variance less FEAR·drawdown. `Crisis` is another regime to evaluate in, `Noise` the null twin without signal.
Replace `draw_path` by your own events and moves; see "Bring your own data" in README.md.
"""

import random
import re
from typing import NamedTuple

from sweeps.environments import EpisodeShape, Turn

PATHS = "fourth"  # another word draws other paths, in training and in the end
EVENTS = 2  # in an episode
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LIMIT = 2  # units: the largest position
COST = 0.1  # percent of the wealth for each unit that is traded
AVERSION, FEAR = 0.1, 0.1
ORDER = re.compile(r"(long|short)\(([1-9])\)|(flat|hold)\(\)")


class News(NamedTuple):
    """What a kind of news does to the price, in percent: a gap before anybody can trade, and the drift after it."""

    gap: float
    gap_spread: float
    drift: float
    spread: float


NORMAL = {
    "beat": News(1.0, 0.5, 2.0, 1.0),  # earnings above what was expected: the price goes on
    "miss": News(-1.0, 0.5, -2.0, 1.0),
    "rumour": News(0.0, 1.5, 2.8, 7.0),  # pays more on average, at a risk that is seven times as large
    "quiet": News(0.0, 0.2, 0.0, 0.5),
}
CRISIS = {  # prices gap further and follow the news less, and rumours are mostly bad
    "beat": News(1.5, 1.0, 1.0, 2.0),
    "miss": News(-2.5, 1.5, -1.5, 3.0),
    "rumour": News(-1.0, 3.0, -2.0, 8.0),
    "quiet": News(0.0, 0.5, 0.0, 1.0),
}
NOISE = {name: News(0.0, 0.7, 0.0, news.spread) for name, news in NORMAL.items()}


class Event(NamedTuple):
    news: str
    gap: float  # percent that the price jumps with the news: who holds a position bears it
    drift: float  # percent that it moves from then to the next news


def draw_path(chance: random.Random, regime: dict[str, News]) -> list[Event]:
    """Draw the events of an episode."""
    events = []
    for _ in range(EVENTS):
        name = chance.choice(sorted(regime))
        news = regime[name]
        events.append(Event(name, chance.gauss(news.gap, news.gap_spread), chance.gauss(news.drift, news.spread)))
    return events


class Book:
    """A position, its wealth in percent of what there was at the start, its risk, and what was traded.

    `variance` is what the risk desk expects of the positions that were taken, not what happened: a single path says
    little about risk, and a reward by it would mostly be luck.
    """

    def __init__(self) -> None:
        self.position = self.traded = 0
        self.wealth = self.peak = self.drawdown = self.variance = 0.0

    def bear(self, move: float) -> None:
        self.add(self.position * move)

    def trade(self, target: int, cost: float) -> None:
        self.traded += abs(target - self.position)
        self.add(-cost * abs(target - self.position))
        self.position = target

    def add(self, change: float) -> None:
        self.wealth += change
        self.peak = max(self.peak, self.wealth)
        self.drawdown = max(self.drawdown, self.peak - self.wealth)


class Session:
    """One path, traded by the agent, and beside it by one who buys and holds and by one who orders by chance."""

    def __init__(self, seed: int, split: str, market: "Market") -> None:
        chance = random.Random(f"{PATHS} {market.name} {split} {seed}")
        self.market, self.path = market, draw_path(chance, market.regime)
        self.blind = [chance.randrange(-LIMIT, LIMIT + 1) for _ in self.path]
        self.agent, self.holder, self.guesser = self.books = Book(), Book(), Book()
        self.refused, self.event = 0, 0
        share = "".join(chance.choice(LETTERS) for _ in range(3))  # its name, which means nothing
        self.prompt = [{"role": "user", "content": f"trade {share}\n{self.report()}"}]

    def report(self) -> str:
        """Tell the position and the news."""
        return f"{self.agent.position:+d} {self.path[self.event].news}".replace("+0", "0")

    def step(self, action: str) -> Turn:
        event = self.path[self.event]
        for book, target in zip(self.books, (self.read_order(action), 1, self.blind[self.event]), strict=True):
            book.trade(target, self.market.cost)
            book.variance += (target * self.market.regime[event.news].spread) ** 2
            book.bear(event.drift)
        self.event += 1
        done = self.event == EVENTS
        if not done:
            for book in self.books:
                book.bear(self.path[self.event].gap)
        reply = "" if done else [{"role": "user", "content": self.report()}]
        return Turn(reply, self.market.pay(self.agent) if done else 0.0, done, self.measure())

    def read_order(self, action: str) -> int:
        """Return the position that an order asks for; one that is no order, or beyond the limit, changes nothing."""
        order = ORDER.fullmatch(action.strip())
        if order is None or int(order[2] or 0) > LIMIT:
            self.refused += 1
            return self.agent.position
        if order[3]:
            return self.agent.position if order[3] == "hold" else 0
        return int(order[2]) * (1 if order[1] == "long" else -1)

    def measure(self) -> dict[str, float]:
        """Say what the metrics need, as shares of the wealth: see docs/reference/evaluations.md, "Episodes"."""
        earned, held, guessed = (book.wealth / 100 for book in self.books)
        return {
            "return": earned,
            "over_hold": earned - held,
            "over_random": earned - guessed,
            "drawdown": self.agent.drawdown / 100,
            "turnover": self.agent.traded,
            "refused": self.refused,
            "solved": float(earned > 0),
        }

    def list_actions(self) -> list[str]:
        sizes = range(1, LIMIT + 1)
        return [*(f"{side}({size})" for side in ("long", "short") for size in sizes), "flat()", "hold()"]


class Market:
    """Pays the return after costs, in percent."""

    version = 1
    name, regime, cost = "normal", NORMAL, COST
    shape = EpisodeShape(turns=(EVENTS, EVENTS), action=(7, 9), observation=(6, 10))
    stop: tuple[str, ...] = ("\n",)

    def episode(self, seed: int, split: str) -> Session:
        return Session(seed, split, self)

    def pay(self, book: Book) -> float:
        return book.wealth


class CarefulMarket(Market):
    """Pays the same, less what a risk-averse owner dislikes: variance, and the fall from a peak."""

    def pay(self, book: Book) -> float:
        return book.wealth - AVERSION * book.variance - FEAR * book.drawdown


class Crisis(Market):
    """Another regime: nobody was trained in it."""

    name, regime = "crisis", CRISIS


class Noise(Market):
    """The null twin: news say nothing of the price, and trading is free, for else not to trade would be a skill."""

    name, regime, cost = "noise", NOISE, 0.0


class CarefulNoise(CarefulMarket):
    name, regime, cost = "noise", NOISE, 0.0
