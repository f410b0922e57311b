"""How many nights: a few with the other tests, many with `make nights`."""

import os


def seeds(few: int) -> list[int]:
    """The seeds of a law's nights, printed with each test's name."""
    return list(range(1, 1 + max(few, int(os.environ.get("NIGHT_SEEDS", "0")))))
