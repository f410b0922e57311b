"""Compare the sessions that a service knows with the books. Reads the store and writes nothing.

The metadata of a session name the attempt that opened it. Evaluations continue on the live client of their training,
in its session, so tokens are compared for a training together with its evaluations.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from scheduler.state import keys
from scheduler.state.milliseconds import write_moment
from scheduler.state.pages import read_in_pages
from scheduler.state.states import StageState
from scheduler.state.store import Store

State = Literal["booked", "running", "unreconciled", "archived", "lost", "canary", "missing", "orphan"]
LACKING: Sequence[State] = ("missing", "orphan")  # what the books do not have
FIELDS = ("state", "attempt", "tokens", "kind", "parents", "label", "since")


@dataclass(frozen=True)
class KnownSession:
    """A session as the service tells of it."""

    session: str
    status: str | None
    began: float  # seconds since 1970
    sweep: str
    stage: str
    attempt: str
    canary: str
    tokens: int | None  # None if the service does not tell
    usd: float | None


@dataclass(frozen=True)
class ComparedSession:
    """A session, and what the books know of it."""

    session: KnownSession
    state: State


@dataclass(frozen=True)
class TokenDifference:
    """A training with its evaluations, or an evaluation by itself, of which the service counted other tokens."""

    stage: str
    label: str
    booked: int
    counted: int
    unreconciled: bool  # attempts of unknown cost are among them, so the difference may go away


@dataclass(frozen=True)
class SessionComparison:
    """What a comparison found."""

    sessions: tuple[ComparedSession, ...]
    differences: tuple[TokenDifference, ...]
    compared: int  # trainings and single evaluations whose tokens were compared

    @property
    def lacking(self) -> list[ComparedSession]:
        """The sessions that the books do not have."""
        return [row for row in self.sessions if row.state in LACKING]


def compare_sessions(
    store: Store, sessions: Sequence[KnownSession], since: datetime, counted: datetime
) -> SessionComparison:
    """Compare all sessions of this fleet that began since a moment with the books.

    `counted` is until when the service's count of tokens is complete.
    """
    opened = sorted({session.stage for session in sessions if session.stage})
    stages = _read_stages(store, opened)
    unreconciled = set(store.client.zrange(keys.UNRECONCILED, 0, -1))
    lost, archived = set(store.client.hgetall(keys.LOST_SESSIONS)), _find_archived(store, sessions)
    compared = tuple(
        ComparedSession(session, _judge(session, stages, unreconciled, lost, archived)) for session in sessions
    )
    untold = {session.stage for session in sessions if session.tokens is None}
    ends = write_moment(counted)
    groups = {
        head: members
        for head, members in _group_stages(store, stages, write_moment(since)).items()
        if untold.isdisjoint(members) and all(_is_over(stages[name], ends) for name in members)
    }
    differences = tuple(_find_differences(groups, stages, sessions, unreconciled))
    return SessionComparison(compared, differences, len(groups))


def _judge(
    session: KnownSession,
    stages: Mapping[str, Mapping[str, str]],
    unreconciled: set[str],
    lost: set[str],
    archived: set[str],
) -> State:
    if session.canary and not session.stage:
        return "canary"
    stage = stages.get(session.stage)
    if stage is None:
        if session.session in lost:
            return "lost"
        return "archived" if session.sweep in archived else "orphan"
    number = int(session.attempt or 0)
    if number > int(stage["attempt"] or 0):
        return "missing"
    if f"{session.stage}|{number}" in unreconciled:
        return "unreconciled"
    is_current = number == int(stage["attempt"] or 0) and stage["state"] == StageState.RUNNING
    return "running" if is_current else "booked"


def _read_stages(store: Store, stages: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read what the books know of these stages; those that they do not know are left out."""
    rows = read_in_pages(store.client, stages, lambda pipe, stage: pipe.hmget(keys.stage(stage), FIELDS))
    return {stage: dict(zip(FIELDS, (text or "" for text in row), strict=True)) for stage, row in rows if row[0]}


def _find_archived(store: Store, sessions: Sequence[KnownSession]) -> set[str]:
    names = sorted({session.sweep for session in sessions if session.sweep})
    there = read_in_pages(store.client, names, lambda pipe, name: pipe.exists(keys.sweep_archive(name)))
    return {name for name, exists in there if exists}


def _group_stages(store: Store, stages: dict[str, dict[str, str]], since: int) -> dict[str, list[str]]:
    """Group each training with its evaluations, which are added to `stages`. Leave out what may be older."""
    heads = sorted({_find_head(stage, row) for stage, row in stages.items()})
    groups = {}
    children = read_in_pages(store.client, heads, lambda pipe, head: pipe.smembers(keys.children(head)))
    for head, names in children:
        evaluations = sorted(name for name in names if name.startswith("evaluate-"))
        stages |= _read_stages(store, [name for name in [head, *evaluations] if name not in stages])
        groups[head] = [name for name in [head, *evaluations] if name in stages]
    young = _find_young(store, sorted({name for members in groups.values() for name in members}), since)
    return {head: members for head, members in groups.items() if members and young.issuperset(members)}


def _find_head(stage: str, row: Mapping[str, str]) -> str:
    """Return the training on whose client an evaluation may have run, or the stage itself."""
    parents = [parent for parent in row["parents"].split() if parent.startswith("train-")]
    return parents[0] if row["kind"] == "evaluate" and parents else stage


def _is_over(row: Mapping[str, str], ends: int) -> bool:
    """Did the stage come to its state before `ends` (milliseconds)? One that runs meters as it goes."""
    return row["state"] != StageState.RUNNING and int(row["since"] or 0) <= ends


def _find_young(store: Store, stages: Sequence[str], since: int) -> set[str]:
    """Return the stages that nobody wanted before a moment, so that all their sessions began later."""
    submitted = dict(store.client.zrange(keys.SWEEPS, 0, -1, withscores=True))
    wanted = read_in_pages(store.client, stages, lambda pipe, stage: pipe.smembers(keys.subscribers(stage)))
    return {stage for stage, names in wanted if names and all(submitted.get(name, 0) >= since for name in names)}


def _find_differences(
    groups: Mapping[str, Sequence[str]],
    stages: Mapping[str, Mapping[str, str]],
    sessions: Sequence[KnownSession],
    unreconciled: set[str],
) -> Iterator[TokenDifference]:
    counted: dict[str, int] = {}
    for session in sessions:
        counted[session.stage] = counted.get(session.stage, 0) + (session.tokens or 0)
    for head, members in groups.items():
        booked = sum(int(stages[name]["tokens"] or 0) for name in members)
        total = sum(counted.get(name, 0) for name in members)
        is_open = any(attempt.rpartition("|")[0] in members for attempt in unreconciled)
        if booked != total:
            yield TokenDifference(head, stages[members[0]]["label"], booked, total, is_open)
