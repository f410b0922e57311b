"""Print what traders without learning get on the paths of the end, to compare the learnt ones with.

Holding cash earns 0 at no risk. `knows the rules` has read `environment.py`: it trades on earnings and keeps out of
rumours. No method is told these rules.
"""

import statistics
from collections.abc import Sequence

from environment import Book, Crisis, Market

PATHS = 200  # as `episodes` in sweep.yaml
RULES = {"beat": "long(2)", "miss": "short(2)", "rumour": "flat()", "quiet": "flat()"}
TRADERS = ("knows the rules", "buys and holds", "orders by chance")


def play_path(market: Market, seed: int) -> Sequence[Book]:
    """Return the books of the three traders at the end of a path."""
    session, done = market.episode(seed, "test"), False
    while not done:
        done = session.step(RULES[session.path[session.event].news]).done
    return session.books


def describe(books: Sequence[Book]) -> str:
    """Say mean return, Sharpe ratio, mean drawdown and mean turnover of a trader."""
    returns = [book.wealth / 100 for book in books]
    drawdown = statistics.fmean(book.drawdown / 100 for book in books)
    earned, ratio = statistics.fmean(returns), statistics.fmean(returns) / statistics.stdev(returns)
    return f"{earned:7.3f} {ratio:7.2f} {drawdown:9.3f} {statistics.fmean(book.traded for book in books):9.2f}"


if __name__ == "__main__":
    print("regime  trader            return  Sharpe  drawdown  turnover")
    for market in (Market(), Crisis()):
        played = [play_path(market, seed) for seed in range(PATHS)]
        for name, books in zip(TRADERS, zip(*played, strict=True), strict=True):
            print(f"{market.name:7} {name:16} {describe(books)}")
