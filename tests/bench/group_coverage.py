"""`make bench-statistics`: how often a 95 % interval over items in groups holds the truth, with and without the groups.

A thousand simulated experiments of each kind. Fails below 0.92 with the groups, or from 0.8 without them: then the
experiments would show nothing.
"""

import sys
import time

from tests.sweeps.grouped import COVERED, INTERVALS, MISSED, count_covered

EXPERIMENTS = 1_000


def main() -> None:
    """One line for each kind."""
    sys.stdout.write(f"{'interval':32} {'with groups':>12} {'without':>8} {'seconds':>8}\n")
    wrong = []
    for interval in INTERVALS:
        began = time.perf_counter()
        covered, alone = (count_covered(interval, EXPERIMENTS, grouped=grouped) for grouped in (True, False))
        took = time.perf_counter() - began
        sys.stdout.write(f"{interval.__name__:32} {covered:12.3f} {alone:8.3f} {took:8.1f}\n")
        if covered < COVERED or alone >= MISSED:
            wrong.append(interval.__name__)
    if wrong:
        sys.exit(f"below {COVERED} with groups, or not below {MISSED} without them: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
