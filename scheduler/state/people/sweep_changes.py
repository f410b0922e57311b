"""What people change of sweeps: each change is allowed, noted in the audit log, and made, in this order.

The command line and the web use these and no other way.
"""

from collections.abc import Collection
from typing import NamedTuple

from scheduler.errors import BudgetTooSmall, NotAllowed, SchedulerError
from scheduler.services import SERVICES
from scheduler.state import keys
from scheduler.state.people.actors import Actor, Scope
from scheduler.state.people.audit_log import audit_change
from scheduler.state.states import ENDED_SWEEPS, FAILURES, StageState, SweepState
from scheduler.state.store import Store
from scheduler.state.views import name_unknown_sweep, read_sweep
from sweeps.formatting import format_usd

HIGHEST_PRIORITY = 1_000_000
NOT_ENDED = frozenset(SweepState).difference(ENDED_SWEEPS)


class Held(NamedTuple):
    """Micro-dollars of a sweep."""

    spent: int
    reserved: int
    unreconciled: int


class Moved(NamedTuple):
    """The state of a sweep before a change, and after it."""

    before: str
    after: str


class Retried(NamedTuple):
    """What a retry opened again."""

    stages: int
    was_cancelled: bool


def begin_change(store: Store, actor: Actor, what: str, name: str, detail: str = "") -> None:
    """Let the actor change a sweep, and note it. Raise UnknownSweep or NotAllowed."""
    owner = store.client.hget(keys.sweep(name), "user")
    if owner is None and not store.client.exists(keys.sweep(name)):
        raise name_unknown_sweep(store, name)
    if not actor.may_change(owner or ""):
        if not actor.scope.allows(Scope.SUBMIT):
            raise NotAllowed(f"{what} {name}: a token with the scope {actor.scope} changes nothing; ask for `submit`")
        raise NotAllowed(f"{what} {name}: it belongs to {owner}; ask {owner}, or an admin")
    audit_change(store, actor, what, name, detail)


def pause_sweep(store: Store, actor: Actor, name: str) -> Moved:
    """Pause a sweep, if it is active. Raise UnknownSweep or NotAllowed."""
    begin_change(store, actor, "pause", name)
    return _find_move(store.scripts.run("pause_sweep", name), {SweepState.ACTIVE}, SweepState.PAUSED)


def resume_sweep(store: Store, actor: Actor, name: str) -> Moved:
    """Resume a sweep, if it is paused. Raise UnknownSweep or NotAllowed."""
    begin_change(store, actor, "resume", name)
    return _find_move(store.scripts.run("resume_sweep", name), {SweepState.PAUSED}, SweepState.ACTIVE)


def resume_services(store: Store, actor: Actor, *, by_the_way: bool) -> list[str]:
    """Let services be tried that refused the key or were not paid; return which they are.

    They serve everybody, so only an admin may. Raise NotAllowed, unless this is `by_the_way`.
    """
    if not actor.scope.allows(Scope.ADMIN):
        if by_the_way:
            return []
        raise NotAllowed("resume: a service is everybody's; ask an admin, or name a sweep of yours")
    return [service for service in SERVICES if store.scripts.run("resume_service", service)]


def cancel_sweep(store: Store, actor: Actor, name: str) -> Moved:
    """Cancel a sweep that has not ended. Raise UnknownSweep or NotAllowed."""
    begin_change(store, actor, "cancel", name)
    return _find_move(store.scripts.run("cancel_sweep", name), NOT_ENDED, SweepState.CANCELLED)


def _find_move(before: str, movable: Collection[str], after: SweepState) -> Moved:
    """Say where a sweep is after a change. One in another state than the movable ones stays as it is."""
    return Moved(before, str(after) if before in movable else before)


def retry_sweep(store: Store, actor: Actor, name: str, *, failed: bool) -> Retried:
    """Open stages again: those that failed or were skipped, and without `failed` those that were cancelled.

    Raise UnknownSweep, NotAllowed, or SchedulerError if the sweep is archived.
    """
    begin_change(store, actor, "retry", name, "failed" if failed else "")
    how, states = ("reopen_failed", FAILURES) if failed else ("reopen", (*FAILURES, StageState.CANCELLED))
    view = read_sweep(store, name)
    again = sum(view.counts.get(state, 0) for state in states)
    cancelled = view.state == SweepState.CANCELLED and not failed  # perhaps before its stages were
    opens = again or (not failed and view.state != SweepState.FINISHED)  # else it would be active, and end at once
    if opens and store.scripts.run("retry_sweep", name, how) == "archived":
        raise SchedulerError(f"{name} is archived: its stages are gone; submit its file under another name")
    return Retried(again, cancelled)


def set_priority(store: Store, actor: Actor, name: str, number: int) -> int:
    """Set the priority of a sweep. Return the priority before. Raise UnknownSweep or NotAllowed."""
    begin_change(store, actor, "priority", name, str(number))
    return int(store.scripts.run("set_priority", name, number))


def set_budget(store: Store, actor: Actor, name: str, micro_usd: int) -> Held:
    """Set what a sweep may spend in all. Return what it spent and holds.

    Raise UnknownSweep, NotAllowed, or BudgetTooSmall: it cannot be less than that.
    """
    begin_change(store, actor, "budget", name, format_usd(micro_usd))
    _, done, *amounts = store.scripts.run("set_budget", name, micro_usd)
    held = Held(*map(int, amounts))
    if not done:
        least, used = format_usd(sum(held)), describe_held(held)
        raise BudgetTooSmall(f"budget of {name}: expected at least {least}, got {format_usd(micro_usd)} ({used})")
    return held


def describe_held(held: Held) -> str:
    """Say what a sweep spent and holds."""
    spent, reserved, unreconciled = map(format_usd, held)
    return f"{spent} spent, {reserved} reserved for running stages, {unreconciled} unreconciled"
