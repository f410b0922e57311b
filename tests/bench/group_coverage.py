"""`make bench-statistics`: how often a 95 % interval over items in groups holds the truth.

A thousand simulated experiments of each kind. With 20 groups it fails below 0.92, or from 0.8 if the groups are not
known: then the experiments would show nothing. With 4, 5, 6 and 8 groups it fails below 0.92, also for shares near 0
and 1 and for rare changes. With 20 groups or more no interval may be wider by more than 3 % than t with one degree of
freedom less than groups.
"""

import math
import sys
import time
from collections.abc import Iterator

import numpy as np

from sweeps.stats.clusters import average_clusters
from sweeps.stats.intervals import critical_t
from tests.sweeps.grouped import COVERED, FEW_GROUPS, GROUPS, INTERVALS, MISSED, OF_FEW, Asked, count_covered

EXPERIMENTS = 1_000
WIDER = 1.03


def main() -> None:
    """One line for each kind."""
    wrong = [*_cover_many(), *_cover_few(), *_compare_widths()]
    if wrong:
        sys.exit(f"coverage or width out of bounds: {', '.join(wrong)}")


def _cover_many() -> Iterator[str]:
    sys.stdout.write(f"{f'{GROUPS} groups':32} {'with groups':>12} {'without':>8} {'seconds':>8}\n")
    for interval in INTERVALS:
        began = time.perf_counter()
        covered, alone = (count_covered(interval, EXPERIMENTS, grouped=grouped) for grouped in (True, False))
        took = time.perf_counter() - began
        sys.stdout.write(f"{interval.__name__:32} {covered:12.3f} {alone:8.3f} {took:8.1f}\n")
        if covered < COVERED or alone >= MISSED:
            yield interval.__name__


def _cover_few() -> Iterator[str]:
    sys.stdout.write(f"\n{'few groups':32} {''.join(f'{groups:>7}' for groups in FEW_GROUPS)}\n")
    for interval in OF_FEW:
        shares = [count_covered(interval, EXPERIMENTS, groups=groups) for groups in FEW_GROUPS]
        sys.stdout.write(f"{interval.__name__:32} {''.join(f'{share:7.3f}' for share in shares)}\n")
        if min(shares) < COVERED:
            yield f"{interval.__name__} of few groups"


def _compare_widths() -> Iterator[str]:
    """Compare with t(G - 1) and G/(G - 1), which the intervals of equal groups have."""
    sys.stdout.write(f"\n{'groups':32} {'width':>7}\n")
    for groups in (GROUPS, 30, 50):
        ratios = [_compare_width(number, groups) for number in range(EXPERIMENTS)]
        width = float(np.mean(ratios))
        sys.stdout.write(f"{groups:<32} {width:7.3f}\n")
        if width > WIDER:
            yield f"width with {groups} groups"


def _compare_width(number: int, groups: int) -> float:
    asked = Asked.draw(number, groups)
    places = np.array(asked.of)
    values = asked.random.normal(size=groups)[places] + asked.random.normal(size=len(places))
    sums = np.bincount(places, values - values.mean())
    plain = critical_t(groups - 1) * math.sqrt(groups / (groups - 1) * float(sums @ sums)) / len(places)
    known = average_clusters(values, places).half_width
    assert known
    return known / plain


if __name__ == "__main__":
    main()
