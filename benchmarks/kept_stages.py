"""What a finished stage takes in Redis, with its result and events, and what is left of it a year later."""

from benchmarks.row import Row
from tests.bench.keeping import measure_many

STAGES = 4_000
BARS = {"bytes a stage in Redis": 2_000, "bytes a stage in Redis a year later": 500}


def measure() -> list[Row]:
    """Do stages with the real verbs and files, clean up a year later, and count."""
    counted = {what: value for what, value, _ in measure_many(STAGES)}
    return [Row(what=what, unit="B", ours=[counted[what]], most=bar) for what, bar in BARS.items()]
