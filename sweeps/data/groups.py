"""Hold out whole groups that a spec names, such as patients: none is ever on two sides of a split.

Groups are ranked by a hash of their names alone. So neither the order of the rows nor a seed, nor further rows of a
group, move a group between train and holdout.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping

from sweeps.data.split import SALT, SplitRow, resolve_count
from sweeps.errors import DataError
from sweeps.formatting import format_count

Content = Mapping[bytes, SplitRow]
LARGE = 2.0  # times the share that was asked for: then the plan names the largest group


def hash_name(group: str) -> bytes:
    """Hash the name of a group; no prompt and no content has the same hash."""
    return hashlib.sha256(b"group:" + group.encode()).digest()


def refuse_single_group(rows: Content, column: str, where: str) -> None:
    """Raise DataError if all rows are in one group: nothing could be held out."""
    names = {row.labels.group for row in rows.values()}
    if len(names) == 1:
        got = f"got {format_count(len(rows), 'row')} of one group, {next(iter(names))!r}"
        advice = "name the column that tells your subjects apart, or leave out `group`"
        raise DataError(f"{where}: group: expected at least 2 groups in the column {column!r}, {got}; {advice}")


def hold_out_groups(
    part: str, wanted: int | float, rows: Content, taken: Content, column: str
) -> tuple[Content, tuple[str, ...]]:
    """Choose whole groups, none of which has a row in `taken`; `wanted` counts groups, or is a share of them."""
    sizes = Counter(row.group for row in rows.values())
    free = sizes.keys() - {row.group for row in taken.values()}
    count = resolve_count(part, wanted, len(sizes))
    if count > len(free) - 1:
        share = "" if count == wanted else f" ({wanted})"
        problem = f"{part}: you asked to hold out {format_count(count, 'group')}{share} by the column {column!r}, "
        why = "because one has to stay for training" + (" and other parts have groups already" if taken else "")
        there = f"but only {max(0, len(free) - 1):,} of {format_count(len(sizes), 'group')} can be held out, {why}"
        raise DataError(f"{problem}{there}; lower `{part}`, which counts groups, or add groups")
    chosen = {*sorted(free, key=lambda group: hashlib.sha256(SALT + group).digest())[:count]}
    held = {key: row for key, row in rows.items() if row.group in chosen}
    return held, (_describe_groups(part, held, rows, sizes, column),)


def _describe_groups(part: str, held: Content, rows: Content, sizes: Counter[bytes], column: str) -> str:
    groups = len({row.group for row in held.values()})
    largest, size = sizes.most_common(1)[0]
    name = next(row.labels.group for row in rows.values() if row.group == largest)
    chosen = (
        f"{groups:,} of {format_count(len(sizes), 'group')} by {column!r}, with {len(held):,} of {len(rows):,} rows"
    )
    uneven = size * len(sizes) > LARGE * len(rows)
    warning = f"; groups are uneven: the largest, {name!r}, has {size:,} rows" if uneven else ""
    few = "; one group says nothing about other groups: hold out more" if groups == 1 else ""
    return f"{part}: {chosen}, chosen by a hash of their names, so always the same groups{warning}{few}"


def describe_training(train: Content, column: str, *, in_rows: bool) -> str:
    """Say how many groups are trained on, and what counts groups."""
    groups = len({row.group for row in train.values()})
    counted = (
        f"`holdout` and `validation` count groups by {column!r}; `sizes`, `batch_size` and `epochs` count rows"
        if in_rows
        else f"`sizes`, `holdout` and `validation` count groups by {column!r}; `batch_size` and `epochs` count rows"
    )
    return f"train: {format_count(groups, 'group')} with {len(train):,} rows; {counted}"


def drop_shared_groups(rows: Content, held: Content) -> Content:
    """Drop the rows whose group is also held out."""
    gone = {row.group for row in held.values()}
    return {key: row for key, row in rows.items() if row.group not in gone}
