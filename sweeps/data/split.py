"""Choose which rows are held out: whole groups, by a hash of what they ask.

A group is all rows that ask the same; `sweeps.data.groups` splits by groups that a spec names, such as patients. It
lies on one side of a split and never on two. Groups are ranked by a hash of what they are known by, so that neither the
order of the rows nor any seed nor a further answer to the same question moves one between train and holdout.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sweeps.data.columns import RowLabels
from sweeps.errors import DataError
from sweeps.formatting import format_count
from sweeps.records import Origin, Row

SALT = b"sweeps split 1:"  # part of what a split is: never to be changed


class SplitRow(NamedTuple):
    """A row, where it stood if known, what it asks, what of that is compared, and what it is kept together by."""

    row: Row
    origin: Origin | None
    asked: str
    alike: str
    group: bytes
    labels: RowLabels = RowLabels()


def choose(groups: Mapping[bytes, bytes], wanted: int, *, spare: bool) -> set[bytes]:
    """Choose whole groups that come as close to `wanted` rows as they can, at least one; return their keys.

    `groups` says of each row's key to which group it belongs. With `spare` one group is always left.
    """
    sizes = Counter(groups.values())
    ranked = sorted(sizes, key=lambda group: hashlib.sha256(SALT + group).digest())
    chosen: set[bytes] = set()
    left = wanted
    for group in ranked:
        if sizes[group] <= left:
            chosen.add(group)
            left -= sizes[group]
        if not left:
            break
    others = [group for group in ranked if group not in chosen]
    if left and len(others) > spare:
        least = min(others, key=lambda group: sizes[group])
        if not chosen or sizes[least] - left < left:
            chosen.add(least)
    return {key for key, group in groups.items() if group in chosen}


def resolve_count(part: str, wanted: int | float, rows: int) -> int:
    """Return a count as it is, and a share as a count. Raises DataError."""
    if isinstance(wanted, int):
        if wanted < 1:
            raise DataError(f"{part}: expected a count from 1, a share between 0 and 1, or a file, got {wanted}")
        return wanted
    if not 0 < wanted < 1:
        raise DataError(f"{part}: expected a share between 0 and 1, or a whole number, got {wanted}")
    return max(1, round(wanted * rows))


def list_choosable(rows: Mapping[bytes, SplitRow], taken: Collection[bytes]) -> dict[bytes, bytes]:
    """List the rows that may be chosen, with their groups: nothing of their group is taken."""
    gone = {rows[key].group for key in taken if key in rows}
    return {key: kept.group for key, kept in rows.items() if key not in taken and kept.group not in gone}


def describe_choice(
    part: str, wanted: int, chosen: Collection[bytes], free: Mapping[bytes, bytes], *, own: bool, later: bool = False
) -> str:
    """Say how many rows were chosen, and how many prompts if some have several rows, which then stay together.

    `later` says that an earlier part has taken some rows already.
    """
    groups = {*free.values()}
    where = " in the source's test split" if own else ""
    left = " that are left" if later else ""
    if len(chosen) == len(free):
        return f"{part}: all {len(free):,} rows{where or ' that can be held out'}"
    if len(groups) == len(free):
        how = "a hash of their content chooses them, so they are always the same"
        return f"{part}: {len(chosen):,} of the {format_count(len(free), 'row')}{where}{left}; {how}"
    taken = len({free[key] for key in chosen})
    requested = "" if len(chosen) == wanted else f" ({wanted:,} requested)"
    rows = f"{part}: {len(chosen):,} of {len(free):,} rows{where}{left}{requested}"
    return f"{rows}: all rows of {taken:,} of {len(groups):,} prompts, because rows that ask the same stay together"
