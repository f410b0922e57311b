"""What stands before a name in the names of metrics. Loads nothing, so that every command can name metrics."""

UNCHECKED = "unchecked_"  # before the name of an evaluator: the share of its items whose check failed
CUT = "cut_"  # before it: the share of its answers that were cut at `most`
FACT_PREFIX = "episode."  # before the name of what an environment says of its episodes: episode.drawdown


def find_fact(metric: str) -> int | None:
    """Return where FACT_PREFIX begins in the full name of a metric; None if no environment says the metric.

    It begins a part of the name: a data set may be called "my_episode".
    """
    place = f".{metric}".find(f".{FACT_PREFIX}")
    return None if place < 0 else place
