"""Say of each checkpoint at a service who needs it, and discard what nobody does. Housekeeping deletes it there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scheduler.state import keys
from scheduler.state.keeping.cleaning import SECOND
from scheduler.state.keeping.retention import DAY
from scheduler.state.pages import read_in_pages
from scheduler.state.states import FINISHED
from scheduler.state.store import Store

Use = Literal["needed", "kept", "orphan", "foreign"]
"""An unfinished sweep needs it; a finished stage keeps it; no stage of ours names it; it is not of this state."""


@dataclass(frozen=True)
class ServiceCheckpoint:
    """A checkpoint, as the service lists it, and what it is to us."""

    path: str
    bytes: int
    created: float  # seconds since 1970
    expires: float | None
    stage: str  # '' if its metadata name none
    sweep: str
    use: Use


def classify(store: Store, rows: Sequence[Mapping[str, Any]]) -> list[ServiceCheckpoint]:
    """Classify what a service lists: {"path", "bytes", "created", "expires", "metadata"}."""
    fleet = store.read_fleet_name()
    stages = sorted({stage for row in rows if (stage := str(row["metadata"].get("stage") or ""))})
    known = dict(read_in_pages(store.client, stages, lambda pipe, stage: pipe.hget(keys.stage(stage), "state")))
    lists = read_in_pages(store.client, stages, lambda pipe, stage: pipe.lrange(keys.checkpoints(stage), 0, -1))
    named = {stage: "\n".join(texts) for stage, texts in lists}
    needed = {stage for stage in stages if known[stage] and store.scripts.run("ask_need", stage)}
    return [
        ServiceCheckpoint(
            row["path"],
            row["bytes"],
            row["created"],
            row["expires"],
            stage := str(row["metadata"].get("stage") or ""),
            str(row["metadata"].get("sweep") or ""),
            _find_use(row, known.get(stage), named.get(stage, ""), ours=row["metadata"].get("fleet") == fleet)
            if stage not in needed
            else "needed",
        )
        for row in rows
    ]


def _find_use(row: Mapping[str, Any], state: str | None, named: str, *, ours: bool) -> Use:
    """Find the use of a checkpoint of a stage that no unfinished sweep needs.

    Another installation may have the same stage, and need what it saved.
    """
    if state is not None and state not in FINISHED:
        return "needed"
    if f'"{row["path"]}"' in named:
        return "kept"
    return "orphan" if ours and state is not None else "foreign"


def discard(store: Store, service_model: str, checkpoints: Iterable[ServiceCheckpoint], *, uses: Sequence[Use]) -> int:
    """Discard the checkpoints of these uses, but never one that is needed or younger than a day; return how many."""
    now, count = store.scripts.read_time(), 0
    for checkpoint in checkpoints:
        if checkpoint.use not in uses or checkpoint.use == "needed" or now / SECOND - checkpoint.created < DAY:
            continue
        if checkpoint.use == "kept" and not store.scripts.run("trim_stages", "checkpoints", now, checkpoint.stage):
            continue  # somebody needs it since
        store.client.zadd(keys.DISCARDED, {f"{service_model}|{checkpoint.path}": now})
        count += 1
    return count
