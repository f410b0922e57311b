"""What stands before a name in the names of metrics. Loads nothing, so that every command can name metrics."""

VALIDATION = "validation."  # before the name of a metric: measured on the validation set
SOURCE = "source."  # before it: measured on the source's holdout
TRAINING = "train_"  # before it: what the training itself saw in its last step
UNCHECKED = "unchecked_"  # before the name of an evaluator: the share of its items whose check failed
CUT = "cut_"  # before it: the share of its answers that were cut at `most`
CLASS_F1 = "f1_"  # before the name of a class: its F1
FACT_PREFIX = "episode."  # before the name of what an environment says of its episodes: episode.drawdown
RESERVED = tuple(name.rstrip(".") for name in (VALIDATION, SOURCE, FACT_PREFIX))  # no label and no test set


def find_fact(metric: str) -> int | None:
    """Return where FACT_PREFIX begins in the full name of a metric; None if no environment says the metric.

    It begins a part of the name: a data set may be called "my_episode".
    """
    place = f".{metric}".find(f".{FACT_PREFIX}")
    return None if place < 0 else place


def get_base_name(metric: str) -> str:
    """Return the name of a metric or measure without what stands before it: "accuracy" of "source.accuracy"."""
    return metric.rpartition(".")[2]


def get_prefix(metric: str) -> str:
    """Return what stands before the name of a metric or measure, with its dot: "source.rhythm." or nothing."""
    return metric[: metric.rfind(".") + 1]


def strip_validation(metric: str) -> str:
    """Return the metric on the holdout that a metric of the validation set stands for."""
    return metric.removeprefix(VALIDATION)
