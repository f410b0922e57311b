"""Describe leaks between the parts of a split: the same question, or nearly the same text, on both sides."""

from collections.abc import Sequence

from sweeps.data.near_duplicates import MOST_TEXTS, find_shared_runs
from sweeps.data.split import SplitRow

SHOWN = 60  # characters of an example


def describe_leaks(part: str, held: Sequence[SplitRow], train: Sequence[SplitRow], what: str) -> tuple[str, ...]:
    """Notes about what of the held-out part is known from training; `what` names that which is compared."""
    known = {row.alike for row in train}
    equal = [row for row in held if row.alike and row.alike in known]
    wanted = {row.alike for row in equal}
    there = {row.alike: row for row in reversed(train) if row.alike in wanted}
    folded = {_folded(row.asked) for row in train if row.alike in wanted}
    same = [row for row in equal if _folded(row.asked) in folded]
    near = [row for row in equal if _folded(row.asked) not in folded]
    notes: tuple[str, ...] = ()
    if same:
        notes += (f"{part}: {len(same):,} of {len(held):,} rows have a {what} that train has, too",)
    if near:
        example = _example(near[0], there[near[0].alike])
        notes += (
            f"{part}: {len(near):,} rows have nearly a {what} that train has (punctuation, Unicode), such as {example}",
        )
    return (*notes, *_tell_near(part, [row for row in held if row.alike not in known], train, what))


def _tell_near(part: str, held: Sequence[SplitRow], train: Sequence[SplitRow], what: str) -> tuple[str, ...]:
    """Describe texts that share half of their words with one of train, in long runs, and are not equal to it."""
    looked_at = held[:MOST_TEXTS]
    pairs = find_shared_runs([row.alike for row in looked_at], [row.alike for row in train])
    if not pairs:
        return ()
    first, second = next(iter(pairs.items()))
    note = f"{part}: {len(pairs):,} of {len(looked_at):,} {what}s share half of their words or more with one of train's"
    return (f"{note}, such as {_example(looked_at[first], train[second])}",)


def _example(held: SplitRow, train: SplitRow) -> str:
    return " and ".join(f"{row.origin or 'a row'}: {' '.join(row.asked.split())[:SHOWN]!r}" for row in (held, train))


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
