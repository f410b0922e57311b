"""What stands before a name in the names of metrics. Loads nothing, so that every command can name metrics."""

UNCHECKED = "unchecked_"  # before the name of an evaluator: the share of its items whose check failed
CUT = "cut_"  # before it: the share of its answers that were cut at `most`
FACT_PREFIX = "episode."  # before the name of what an environment says of its episodes: episode.drawdown
