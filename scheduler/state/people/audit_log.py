"""The audit log: who changed what, when, and from where. About the last 10,000 changes are kept."""

from dataclasses import dataclass

from scheduler.state import keys
from scheduler.state.people.actors import Actor
from scheduler.state.store import Store

LONGEST = 300  # characters of a detail


@dataclass(frozen=True)
class AuditLine:
    """One change by a person."""

    at: int  # milliseconds since 1970
    who: str
    origin: str
    what: str
    target: str
    detail: str


def audit_change(store: Store, actor: Actor, what: str, target: str, detail: str = "") -> None:
    """Write what a person is about to change. Call it before the change, so that no change is without a line."""
    store.scripts.run("audit_change", actor.user, actor.origin, what, target[:LONGEST], detail[:LONGEST])


def read_audit(store: Store, *, last: int) -> list[AuditLine]:
    """Read the `last` changes, newest last."""
    entries = store.client.xrevrange(keys.AUDIT, count=last)
    return [
        AuditLine(int(row["at"]), row["who"], row["from"], row["what"], row["target"], row["detail"])
        for _, row in reversed(entries)
    ]
