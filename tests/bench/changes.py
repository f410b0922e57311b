"""`make bench-statistics`: how often a change is claimed that is not there, and how often one is found that is.

A thousand simulated sweeps of each kind, those of `tests.sweeps.changed`. Fails where more than 8 % of nulls are
claimed, or fewer than 90 % of planted changes are found.
"""

import sys

from tests.sweeps.changed import MORE_NULLS, NULLS, PLANTED

SWEEPS = 1_000
MOST, LEAST = 0.08, 0.9


def main() -> None:
    """One line for each kind."""
    wrong = []
    for kinds, name in (((*NULLS, *MORE_NULLS), "nothing"), (PLANTED, "planted")):
        for kind in kinds:
            share = kind.claimed(SWEEPS)
            sys.stdout.write(f"{name}: {kind.name:48} {kind.items:4} items {kind.seeds} seeds {share:7.1%}\n")
            sys.stdout.flush()
            if share > MOST if name == "nothing" else share < LEAST:
                wrong.append(kind.name)
    if wrong:
        sys.exit(f"claimed of nothing above {MOST}, or of what is there below {LEAST}: {'; '.join(wrong)}")


if __name__ == "__main__":
    main()
