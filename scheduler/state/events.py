"""Read what happened to the stages of a sweep. Each stage keeps its own events. This module writes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest

from scheduler.state import keys
from scheduler.state.pages import read_in_pages
from scheduler.state.states import StageState
from scheduler.state.store import Store

STATES = {state.value[:2]: state.value for state in StageState}  # as the event log spells them


@dataclass(frozen=True)
class Event:
    """A move of a stage, or a note about it."""

    at: int  # milliseconds since 1970
    stage: str
    what: str  # the stage's label
    from_state: str  # state before; '' for a note
    to: str
    attempt: int
    worker: str
    detail: str


def read_events(store: Store, sweep: str, *, stage: str | None = None, last: int) -> list[Event]:
    """Read the `last` events of a sweep's stages, or of one stage by its id or label, newest last."""
    stages: Sequence[str] = store.client.zrange(keys.sweep_stages(sweep), 0, -1)
    rows = read_in_pages(store.client, stages, lambda pipe, name: pipe.hmget(keys.stage(name), ["label", "events"]))
    chosen = ((name, label, log) for name, (label, log) in rows if stage in (None, name, label))
    numbered = enumerate(event for name, label, log in chosen for event in _read_lines(name, label, log))
    newest = nlargest(last, numbered, key=lambda pair: (pair[1].at, pair[0]))
    return [event for _, event in reversed(newest)]


def read_stage_events(store: Store, stage: str) -> list[Event]:
    """Read the events of one stage, newest last."""
    return [*_read_lines(stage, None, store.client.hget(keys.stage(stage), "events"))]


def _read_lines(stage: str, label: str | None, log: str | None) -> Iterator[Event]:
    for line in (log or "").splitlines():
        at, from_state, to, attempt, worker, detail = line.split("|", 5)
        moved = STATES.get(from_state, ""), STATES.get(to, "")
        yield Event(int(at), stage, label or stage, *moved, int(attempt), worker, detail)
