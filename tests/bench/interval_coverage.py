"""`make bench-statistics`: how often the 95 % interval of the minimum data holds the truth, where the truth is known.

A thousand simulated experiments of each kind, through `fit_many` and so with the law chosen as for anybody. Fails below
0.92 of those that were answered, or where fewer than nine in ten were.
"""

import sys
import time

from tests.sweeps.planted import BEYOND, EVERY, WITHIN, Coverage

EXPERIMENTS = 1_000
LEAST, ANSWERED = 0.92, 0.9


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """One line for each kind and size."""
    say(f"{'kind':40} {'n*':>6} {'answered':>9} {'covered':>8} {'open':>6} {'high/low':>9} {'seconds':>8}")
    low = []
    for kind in EVERY:
        for size in (WITHIN, BEYOND):
            began = time.perf_counter()
            coverage = Coverage.of(kind.fits(EXPERIMENTS, size), size)
            took = time.perf_counter() - began
            say(
                f"{kind.name:40} {size:6.0f} {coverage.answered:9.3f} {coverage.covered:8.3f} {coverage.open:6.3f}"
                f" {coverage.width:9.2f} {took:8.1f}"
            )
            if coverage.covered < LEAST or coverage.answered < ANSWERED:
                low.append(f"{kind.name} at {size:.0f}")
    if low:
        sys.exit(f"below {LEAST} of those answered, or answered below {ANSWERED}: {'; '.join(low)}")


if __name__ == "__main__":
    main()
