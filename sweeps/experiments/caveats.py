"""What limits a conclusion: codes from a closed list, each with the words that people read.

`docs/reference/json.md` lists the codes; a test compares the lists.
"""

from collections.abc import Collection, Mapping
from typing import Literal

Caveat = Literal[
    "one_class",
    "class_absent",
    "no_classes",
    "unknown_class",
    "failed_runs",
    "unfinished_runs",
    "diverged_runs",
    "unmeasured_runs",
    "one_seed",
    "missing_seeds",
    "no_shared_seed",
    "seeds_agree",
    "few_items",
    "class_rare",
    "some_items",
    "items_unknown",
    "items_unread",
    "clear_alone",
    "sizes_differ",
    "learning_unclear",
    "largest_only",
    "target_within_interval",
    "saturated",
    "answers_cut",
    "prompts_differ",
    "may_not_have_learnt",
    "not_trained",
    "parts_worse",
    "parts_not_learnt",
    "parts_below_target",
    "parts_too_small",
    "idle_policy",
    "one_of_several",
    "chosen_on_holdout",
    "may_be_luck",
    "control_as_good",
    "unequal_lengths",
    "shared_source",
    "no_direction",
    "no_target",
    "no_known_law",
    "too_few_sizes",
    "data_does_not_help",
    "flat",
    "law_failed",
    "chance_unknown",
    "extrapolated",
    "may_be_unreachable",
    "laws_tie",
    "law_misses",
    "seeds_contradict",
    "law_bends",
    "limit_unknown",
    "far_uncertain",
    "these_items_only",
    "unusable_rows",
    "unknown_experiment",
]

WORDS: Mapping[Caveat, str] = {
    "one_class": "all items are of one class, which cannot give the metric",
    "class_absent": "no item is of the class that the metric is about",
    "no_classes": "the questions are no classification, so they cannot give the metric",
    "unknown_class": "the metric is about a class that the questions do not have",
    "failed_runs": "some runs failed",
    "unfinished_runs": "some runs have not finished",
    "diverged_runs": "some runs diverged",
    "unmeasured_runs": "some runs were not measured",
    "one_seed": "there is one seed",
    "missing_seeds": "some seeds are missing",
    "no_shared_seed": "the two share no seed",
    "seeds_agree": "all seeds agree, and no items say more",
    "few_items": "few items tell the metric",
    "class_rare": "few items are of some class",
    "some_items": "not all items tell the metric",
    "items_unknown": "it is unknown how many items tell the metric",
    "items_unread": "some items could not be read",
    "clear_alone": "the difference is clear by itself, but not when all are judged together",
    "sizes_differ": "the gain differs between the sizes, so their mean is the gain at none of them",
    "learning_unclear": "no size is clearly better than the untrained model",
    "largest_only": "only the largest measured size reaches the target",
    "target_within_interval": "the interval of the value that reaches the target holds the target",
    "saturated": "the metric is as good as it can be",
    "answers_cut": "some answers were cut",
    "prompts_differ": "the conditions were asked with different prompts",
    "may_not_have_learnt": "some trainings may not have learnt",
    "not_trained": "some runs were not trained",
    "parts_worse": "parts of the items got clearly worse",
    "parts_not_learnt": "nothing was learnt in parts of the items",
    "parts_below_target": "parts of the items miss the target",
    "parts_too_small": "parts of the items are too few to say whether they reach the target",
    "idle_policy": "a policy that never acts is among the results",
    "one_of_several": "there are more answers below, one for each data set, setting and metric",
    "chosen_on_holdout": "the best was chosen on the holdout itself",
    "may_be_luck": "the best of so many may be luck",
    "control_as_good": "its control, which cannot learn, did about as well",
    "unequal_lengths": "the runs used unequal numbers of tokens",
    "shared_source": "each source was trained once for all seeds",
    "no_target": "the target is relative to an untrained model that was not measured",
    "no_direction": "nothing says which way the metric is better",
    "no_known_law": "no law of sizes is known for the metric",
    "too_few_sizes": "there are too few sizes for a law",
    "data_does_not_help": "the metric does not improve with more data",
    "flat": "a constant fits as well as a law",
    "law_failed": "laws that were fitted to the smaller sizes missed the larger ones",
    "chance_unknown": "the score of guessing is unknown",
    "extrapolated": "the size is beyond the measured ones",
    "may_be_unreachable": "the curve may level off before the target",
    "laws_tie": "several scaling laws fit about equally well",
    "law_misses": "a curve that is fitted without the two largest sizes misses them",
    "law_bends": "fitted to the smaller sizes, a law with a bend was nearer to the largest",
    "seeds_contradict": "the law misses sizes by more than their seeds differ",
    "limit_unknown": "the answer or its interval reaches beyond the measured sizes, and the curve's limit is unknown",
    "far_uncertain": "the answer or its interval reaches beyond the measured sizes, where the curve is uncertain",
    "these_items_only": "the interval holds for these items only",
    "unusable_rows": "the rows cannot be compared",
    "unknown_experiment": "the kind of experiment is unknown",
}
CAVEATS: tuple[Caveat, ...] = tuple(WORDS)
SAID_IN_SENTENCE: frozenset[Caveat] = frozenset({"clear_alone", "sizes_differ", "learning_unclear", "largest_only"})
"""Caveats that the sentence itself says."""
SAID_WITH: Mapping[Caveat, Caveat] = {"limit_unknown": "extrapolated", "far_uncertain": "extrapolated"}
"""Caveats that a reader knows from another, where a claim has both: what is beyond the sizes is less certain."""
OF_EACH: frozenset[Caveat] = frozenset({"extrapolated", "law_misses"})
"""Caveats with a figure for each subject, which the line lists behind the words."""
REASONS: frozenset[Caveat] = frozenset(
    {
        *("one_class", "class_absent", "no_classes", "unknown_class"),
        *("no_direction", "no_known_law"),
        *("no_target", "too_few_sizes", "data_does_not_help", "flat", "law_failed", "chance_unknown"),
        *("few_items", "unusable_rows", "unknown_experiment", "failed_runs", "unmeasured_runs", "unfinished_runs"),
        "diverged_runs",
    }
)
"""Caveats that can be why there is no answer."""


def order_caveats(codes: Collection[Caveat]) -> tuple[Caveat, ...]:
    """Put caveats into the order in which they are listed."""
    return tuple(code for code in CAVEATS if code in codes)
