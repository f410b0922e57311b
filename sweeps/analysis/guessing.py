"""Whether a score is better than guessing, or than always giving the commonest right answer.

Of three classes, .33 is what is scored without having learnt anything, and so is .60 where six answers of ten are the
same. A score that is no better has no law of sizes and is no success, however clearly it beats another one.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sweeps.analysis.seed_estimates import estimate_level, read_run_scores
from sweeps.evaluation.choice import CHANCE_MRR, CHANCE_NDCG
from sweeps.evaluation.item_rows import COMMONEST
from sweeps.evaluation.majority import MAJORITY
from sweeps.evaluation.metric_prefixes import find_fact, get_prefix
from sweeps.evaluation.rag import MIXED_GUESS
from sweeps.evaluation.registry import find_metric
from sweeps.metrics.ranges import clip_interval
from sweeps.results import RunResult, group_by_cell, read_values
from sweeps.stage import Json
from sweeps.stats.intervals import ALPHA, find_grain
from sweeps.stats.paired_items import Items, Scores, compare_items, item_key

BY_CHANCE = "a random order of the candidates"
GUESSES = {  # in words, of those that are no guessing
    MIXED_GUESS: "answering from any one of the passages",
    CHANCE_MRR: BY_CHANCE,
    CHANCE_NDCG: BY_CHANCE,
}


class Guess(NamedTuple):
    """What is scored without knowing anything."""

    share: float
    words: str  # guessing; always saying 'N'
    told_by: str  # the metric of the items that says whether it is right for one; "" where it is the same for all

    def document(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {"words": self.words, "share": self.share}


def find_guess(rows: Sequence[RunResult], metric: str, items: Items | None = None) -> Guess | None:
    """Find the best score without knowledge; None of a metric for which there is none."""
    known = find_metric(metric)
    if known is None or known.better != "higher" or find_fact(metric) is not None:
        return None
    prefix = get_prefix(metric)
    guesses = [Guess(known.chance, "guessing", "")] if known.chance else []
    if known.guessed:
        constant = _name_commonest(rows, items)
        by_majority = known.guessed.startswith(MAJORITY)
        is_share = known.guessed not in (CHANCE_MRR, CHANCE_NDCG)  # of right answers, of which majority is one, too
        words = constant if by_majority else GUESSES.get(known.guessed, "guessing")
        guesses += _read_guess(rows, f"{prefix}{known.guessed}", words)
        guesses += [] if by_majority or not is_share else _read_guess(rows, f"{prefix}{MAJORITY}", constant)
    return max(guesses, key=lambda guess: guess.share, default=None)


def _read_guess(rows: Sequence[RunResult], told_by: str, words: str) -> list[Guess]:
    shares = [row.metrics[told_by] for row in rows if told_by in row.metrics]
    return [Guess(shares[0], words, told_by)] if shares else []


def _name_commonest(rows: Sequence[RunResult], items: Items | None) -> str:
    kept = (item for row in rows for item in (items or {}).get(item_key(row.cell, row.seed), ())[:1])
    text = next((str(item.details[COMMONEST]) for item in kept if COMMONEST in item.details), None)
    return "always giving the commonest answer" if text is None else f"always saying {text[:40]!r}"


class Margin(NamedTuple):
    """By how much some runs are above a guess, with the 95 % interval that says whether it is clear."""

    mean: float
    low: float | None = None  # None where nothing says how sure they are
    high: float | None = None
    is_clear: bool = False


def measure_margin(runs: Sequence[RunResult], metric: str, guess: Guess, items: Items | None = None) -> Margin | None:
    """Measure how far runs that share a cell are above a guess; None without a value.

    With items it is judged item by item, for other items and seeds; without, by the spread of the seeds.
    """
    scores = read_run_scores(runs, metric, items)
    if scores:
        shares = read_run_scores(runs, guess.told_by, items) if guess.told_by else {}
        guessed = {seed: shares.get(seed) or _repeat(seed_scores, guess.share) for seed, seed_scores in scores.items()}
        difference = compare_items(scores, guessed, cross_check=False)
        claim = difference and (difference.recipe or difference.checkpoints)
        if difference and claim:
            low, high, _ = clip_interval(difference.mean, claim.half_width, difference.span)
            return Margin(difference.mean, low, high, difference.mean > claim.half_width and claim.p <= ALPHA)
    values = read_values(runs, metric)
    level = estimate_level(values, metric, find_grain(values.values()), scores)
    if level is None:
        return None
    if level.ends is None:
        return Margin(level.mean - guess.share)
    low, high = level.ends.low, level.ends.high
    return Margin(level.mean - guess.share, low - guess.share, high - guess.share, low > guess.share)


def is_better(runs: Sequence[RunResult], metric: str, guess: Guess, items: Items | None = None) -> bool | None:
    """Whether runs that share a cell are clearly better than a guess; None where nothing says how sure they are."""
    margin = measure_margin(runs, metric, guess, items)
    return None if margin is None or margin.low is None else margin.is_clear


def _repeat(scores: Scores, share: float) -> Scores:
    """Make the scores of a guess that is right for each item with the same probability."""
    return scores._replace(amounts={item: share * size for item, size in scores.sizes.items()})


def find_unbeaten(rows: Sequence[RunResult], metric: str, items: Items | None = None) -> Guess | None:
    """Find the guess that none of these cells is clearly better than; None if one is, or if it cannot be judged."""
    guess = find_guess(rows, metric, items)
    if guess is None:
        return None
    judged = [is_better(runs, metric, guess, items) for _, runs in group_by_cell(rows) if read_values(runs, metric)]
    return guess if judged and all(verdict is False for verdict in judged) else None


def find_beaten(runs: Sequence[RunResult], metric: str, items: Items | None = None) -> Guess | None:
    """Find the guess that runs that share a cell are clearly better than; None if they are not, or nothing says it."""
    guess = find_guess(runs, metric, items)
    measured = guess is not None and bool(read_values(runs, metric))
    return guess if guess and measured and is_better(runs, metric, guess, items) else None


def weigh_guess(runs: Sequence[RunResult], metric: str, items: Items | None = None, subject: str = "It") -> str:
    """Say in a sentence whether runs that share a cell are clearly better than a guess; or nothing."""
    beaten, unbeaten = (find(runs, metric, items) for find in (find_beaten, find_unbeaten))
    if guess := beaten or unbeaten:
        return f"{subject} is {'' if beaten else 'not '}clearly better than {guess.words} ({guess.share:.4f})."
    return ""


def describe_guess(rows: Sequence[RunResult], metric: str, items: Items | None = None) -> str:
    """Describe the guess that none of these cells is clearly better than: "always saying 'N' (0.3333)"; or nothing."""
    guess = find_unbeaten(rows, metric, items)
    return f"{guess.words} ({guess.share:.4f})" if guess else ""
