"""The names of the metrics: which evaluator measures each, and whether more of it is better or worse."""

from collections.abc import Mapping

PREFERENCES = ("preference_accuracy", "preference_margin", "preference_kl", "likelihood_accuracy")
CALIBRATION = ("ece", "adaptive_ece", "brier", "aurc")
JUDGED = ("accuracy", *CALIBRATION, "selective_accuracy")
SAMPLED = ("agreement", "pairwise_agreement", "semantic_entropy", "pass_at_k", "pass_hat_k")  # of several samples
RANKED = ("mrr", "ndcg", "chance")  # of candidates; the last is what guessing scores
UNCHECKED = "unchecked_"  # before the name of an evaluation: the share of its items that their check failed on
CUT = "cut_"  # before it: the share of its answers that were cut at `most`
# What each evaluator measures.
METRICS = {
    "nll": ("nll", "bits_per_byte"),
    "preference": PREFERENCES,
    "answers": (*JUDGED, *SAMPLED, *RANKED, f"{UNCHECKED}answers", f"{CUT}answers"),
    "reliability": (
        "mean_accuracy",
        "worst_accuracy",
        "spread",
        "flip_rate",
        f"{UNCHECKED}reliability",
        f"{CUT}reliability",
    ),
    "rag": (
        *("open_book", "closed_book", "distracted", "mixed", "uplift", "utilisation", "distractor_robustness"),
        *("harmful_context", "abstention", "abstention_precision", "false_answers"),
        *("faithfulness", "token_support", f"{UNCHECKED}rag", f"{CUT}rag"),
    ),
    "task_completion": ("task_completion", "reward", "turns"),
}
EVALUATORS = tuple(METRICS)
OF_EPISODES = "episode."  # before the name of what an environment itself says of its episodes: episode.drawdown
# The less the better.
LOSSES = (
    *("nll", "bits_per_byte", *CALIBRATION, "semantic_entropy", "spread", "flip_rate"),
    *("false_answers", "harmful_context"),
    *(metric for metrics in METRICS.values() for metric in metrics if metric.startswith((UNCHECKED, CUT))),
)
# What a law of sizes is known of: losses, and shares of what is right, each with what guessing scores. An accuracy of
# candidates is beside its own "chance".
FALLING = ("nll", "bits_per_byte")
RISING: Mapping[str, float] = {
    **dict.fromkeys(("accuracy", "pass_at_k", "pass_hat_k", "mean_accuracy", "worst_accuracy", "task_completion"), 0.0),
    **dict.fromkeys(("open_book", "closed_book", "distracted", "mixed", "abstention", "faithfulness"), 0.0),
    **dict.fromkeys(("preference_accuracy", "likelihood_accuracy"), 0.5),
}


# The more the better. Of the others, as of how many turns it took, nobody can say.
GAINS = (
    *(*RISING, "selective_accuracy", "agreement", "pairwise_agreement", "mrr", "ndcg", "reward", "preference_margin"),
    *("uplift", "utilisation", "distractor_robustness", "abstention_precision", "token_support"),
)


def find_measure(metric: str) -> str | None:
    """Which measure a metric is of: "source.accuracy" of "source.answers". None where no evaluation knows it."""
    if OF_EPISODES in metric:
        return f"{metric[: metric.index(OF_EPISODES)]}task_completion"
    prefix, dot, last = metric.rpartition(".")
    return next((f"{prefix}{dot}{name}" for name, known in METRICS.items() if last in known), None)
