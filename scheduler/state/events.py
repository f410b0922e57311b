"""Read the event log of a sweep's stages. This module writes nothing."""

from dataclasses import dataclass

from scheduler.state import keys
from scheduler.state.store import Store

PAGE = 1000  # entries of the log in one round trip
MOST_READ = 100_000  # the log keeps about this many, of all sweeps together


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
    events: list[Event] = []
    newest, read = "+", 0
    while len(events) < last and read < MOST_READ:
        page = store.client.xrevrange(keys.EVENTS, newest, count=PAGE)
        events += _select(store, sweep, stage, [row for _, row in page])
        read += len(page)
        if len(page) < PAGE:
            break
        newest = f"({page[-1][0]}"
    return events[:last][::-1]


def _select(store: Store, sweep: str, stage: str | None, rows: list[dict[str, str]]) -> list[Event]:
    pipe = store.client.pipeline(transaction=False)
    for row in rows:
        pipe.zscore(keys.sweep_stages(sweep), row["stage"])
        pipe.hget(keys.stage(row["stage"]), "label")
    answers = pipe.execute()
    return [
        _make_event(row, label)
        for row, position, label in zip(rows, answers[::2], answers[1::2], strict=True)
        if position is not None and stage in (None, row["stage"], label)
    ]


def _make_event(row: dict[str, str], label: str | None) -> Event:
    return Event(
        at=int(row["at"]),
        stage=row["stage"],
        what=label or row["stage"],
        from_state=row.get("from", ""),
        to=row.get("to", ""),
        attempt=int(row["attempt"]),
        worker=row["worker"],
        detail=row["detail"],
    )
