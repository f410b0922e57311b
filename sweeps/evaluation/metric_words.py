"""What each metric means, in one line for people; `docs/reference/evaluations.md` says it at length."""

from collections.abc import Iterable, Mapping
from typing import Any

from sweeps.evaluation.metric_prefixes import (
    CLASS_F1,
    CUT,
    FACT_PREFIX,
    UNCHECKED,
    find_fact,
    get_base_name,
    get_prefix,
)

MEANINGS: Mapping[str, str] = {
    "nll": "the loss: the mean negative log-likelihood of a token of the held-out items, in nats; lower is better",
    "bits_per_byte": "the same loss in bits for each byte of text, so that tokenizers can be compared; lower is better",
    "preference_accuracy": "the share of pairs in which the chosen answer gained more probability by training than "
    "the rejected one; of the untrained model it is .5 by definition",
    "preference_margin": "by how many nats training raised the chosen answer above the rejected one",
    "preference_kl": "how far the model has moved from where it began, in nats; neither good nor bad",
    "likelihood_accuracy": "the share of pairs in which the chosen answer is the likelier one; .5 is chance",
    "accuracy": "the share of items that are answered right",
    "ece": "expected calibration error: how far confidence, the probability of the whole answer, is from the share "
    "that is right; 0 is calibrated, which a model that is surely wrong is, too",
    "adaptive_ece": "expected calibration error (ece), over bins of equally many items",
    "brier": "the mean squared difference between confidence and right or wrong; lower is better",
    "aurc": "the mean error rate when only the surest items are answered, over all shares of them; lower is better",
    "selective_accuracy": "the accuracy among the half of the items that the model is surest of",
    "agreement": "the share of the samples of a question that give its most common answer; a model that is "
    "unsure, and should be, has less",
    "pairwise_agreement": "the share of pairs of samples of a question that agree",
    "semantic_entropy": "how much the answers to a question differ, in nats; 0 if all are equal",
    "pass_at_k": "the share of questions of which one sample or more is right",
    "pass_hat_k": "the share of questions of which all samples are right",
    "mrr": "the mean over the questions of 1 / the rank of the right candidate; 1 is best",
    "ndcg": "how far up the right candidates are ranked, each place discounted; 1 is best",
    "chance": "what guessing among the candidates scores",
    "chance_mrr": "the MRR that an order of the candidates by chance has on average",
    "chance_ndcg": "the nDCG that an order of the candidates by chance has on average",
    "majority": "the accuracy of always giving the most common answer",
    "macro_f1": "the mean over the classes of F1; each class counts the same, however rare",
    "balanced_accuracy": "the mean over the classes of the share that is recognised",
    "auroc": "how well the model ranks a class above the rest, over all classes; .5 is chance, 1 is best",
    "majority_macro_f1": "the macro-F1 of always giving the most common class",
    "majority_balanced_accuracy": "the balanced accuracy of always giving the most common class",
    "adjusted_rand": "how well items that the model takes for alike fall into the right groups; about 0 by chance, "
    "1 is best",
    "mean_accuracy": "the share that is right over all wordings of a question",
    "worst_accuracy": "the share of questions that are right in every wording",
    "spread": "the standard deviation of the score over the wordings of a question, on average",
    "flip_rate": "the share of questions that are right in some wordings and wrong in others",
    "open_book": "the share that is right with the right passage in the prompt",
    "closed_book": "the share that is right without a passage",
    "distracted": "the share that is right with the other passages of the record only",
    "mixed": "the share that is right with the right passage among others",
    "mixed_guess": "what answering from any one of the passages scores",
    "uplift": "what the right passage is worth: open_book less closed_book",
    "utilisation": "the share of what the passage could gain that it does gain",
    "distractor_robustness": "mixed divided by open_book: what is left of it when other passages stand beside",
    "harmful_context": "the share that other passages make wrong, of what was right without",
    "abstention": "the share of questions that the model refuses where its one passage is that of another question",
    "abstention_precision": "the share of refusals that were right to make, with that passage or with the right one",
    "false_answers": "the share of questions that get a wrong answer and no refusal where the other passages of the "
    "record are read; that is another prompt than that of abstention",
    "faithfulness": "the share of answers that follow the passage where another answer is planted in it",
    "token_support": "the share of the words of an answer that stand in the passage",
    "task_completion": "the share of episodes whose task is done",
    "reward": "what an episode earned in rewards, on average",
    "turns": "the turns of an episode, on average",
    "task_pass_at_k": "the share of tasks of which one attempt or more succeeds",
    "task_pass_hat_k": "the share of tasks of which all attempts succeed (pass^k)",
    "return_sharpe": "the mean return of an episode by its standard deviation: per episode, not per year",
    "return_sortino": "the mean return of an episode by the root mean square of the losses, per episode",
    "return_cvar": "the mean of the worst twentieth of the episodes' returns",
    "recovery_rate": "the share of the episodes with an error that got over it",
    "calls_over_fewest": "calls made by the fewest that would do, over the solved episodes; 1 is best",
}
OF_KINDS = {
    CLASS_F1: "F1 of this class",
    CUT: "the share of answers that were cut at `most` tokens",
    UNCHECKED: "the share of answers on which your check failed",
}


JUDGED = "accuracy"  # what a check of the user's own decides
READ_WITH = {  # what a prompt of the evaluator `rag` has beside the question, by the metric that a check decides
    "open_book": "with the right passage",
    "closed_book": "without a passage",
    "distracted": "with the other passages of the record only",
    "mixed": "with the right passage among others",
    "abstention": "with the passage of another question",
    "faithfulness": "with another answer planted in the passage",
}
CITING = {
    "sweeps.metrics.citations:precision": "the share of its citations that are right, whatever else an answer says",
    "sweeps.metrics.citations:recall": "the share of the right passages that an answer cites, whatever else it says",
    "sweeps.metrics.citations:f1": "the harmonic mean of precision and recall of the citations of an answer",
}


def explain_metrics(names: Iterable[str], spec: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Explain metrics by their full names, each once, with what `spec` says of the user's own checks and environments.

    A fact that an environment tells is explained by the name of the environment, or left out if nothing names one.
    """
    checks, environments = _list_own_code(spec or {}, "check"), _list_own_code(spec or {}, "environment")
    explained = dict[str, str]()
    for name in names:
        base, fact = get_base_name(name), find_fact(name)
        if fact is not None:
            _, address = _find_code(environments, name[:fact])
            code = _name_code(address) if ":" in address else ""
            words = f"`{base}` of an episode, as {code} tells it, on average" if code else ""
            explained |= {f"{FACT_PREFIX}{base}": words} if words else {}
            continue
        label, address = _find_code(checks, get_prefix(name))
        code = _name_code(address) if ":" in address else ""
        if base == JUDGED and code:
            explained[f"{label}{base}"] = f"the share of items whose answer {code} calls right"
        elif base in READ_WITH and code:
            judged = CITING.get(address, f"the score that {code} gives an answer")
            explained[f"{label}{base}"] = f"{judged}; {READ_WITH[base]}"
        elif words := explain_metric(base):
            explained[base] = words
    return explained


def _find_code(own: Mapping[str, str], prefix: str) -> tuple[str, str]:
    """Find the label that ends what stands before a metric, and what its option names; the longest one counts."""
    known = [label for label in own if prefix.endswith(label)]
    label = max(known, key=len, default="")
    return label, own.get(label, "")


def _list_own_code(spec: Mapping[str, Any], option: str) -> dict[str, str]:
    """List what an option of evaluations names, by the label that stands before their metrics."""
    listed = spec.get("evaluate")
    every = [options for options in listed if isinstance(options, Mapping)] if isinstance(listed, list | tuple) else []
    code: dict[str, str] = {}
    for options in every:
        label, address = f"{options['label']}." if options.get("label") else "", str(options.get(option) or "")
        if option in options or label:
            code[label] = address
    return code


def _name_code(address: str) -> str:
    """Name code of the user: `behaves` in line_checks.py."""
    module, _, name = address.partition(":")
    return f"`{name}` in {module.replace('.', '/')}.py"


def explain_metric(name: str) -> str:
    """Explain a metric by its own name; "" where only the user knows it."""
    kind = next((words for prefix, words in OF_KINDS.items() if name.startswith(prefix)), "")
    return MEANINGS.get(name, kind)
