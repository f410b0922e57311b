"""What was found out about our account at a service by asking it (`sweep doctor --live`), and when.

The documentation leaves it open, and accounts may differ. What nobody has asked yet, or what could not be told, is
None; an inquiry that learns nothing new leaves what an earlier one learnt.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from scheduler.services import SERVICES
from scheduler.state import keys
from scheduler.state.store import Store
from sweeps.cost import Forward

ANSWERS = ("moments", "finish", "forward", "clients", "models")
ALL = "all"  # to the question of which calls there are
MORE = "+"  # behind a number of clients: so many opened, and more might


@dataclass(frozen=True)
class PendingBill:
    """A session in which only `forward` was done: its bill, which the live service writes hours later, says as what."""

    session: str
    model: str
    since: datetime

    @property
    def name(self) -> str:
        """As it is kept."""
        return f"{self.session} {self.model}"


@dataclass(frozen=True)
class ProbeAnswer:
    """To one question: `unknown` where it could not be told, and what was seen."""

    what: str  # one of ANSWERS, or calls
    answer: str  # yes, no; training, prefill, pending; a number of clients; ALL, or CALL=STATUS for each lack; unknown
    said: str


@dataclass(frozen=True)
class ProbeReport:
    """What an inquiry prints, as JSON: its answers, and the name of the session whose bill is still to come."""

    answers: Sequence[ProbeAnswer]
    pending: str | None
    tokens: int  # that it took, at most
    usd: float  # that it cost, at most


LACKED: Mapping[str, str] = {
    "search": "sessions of workers that died are not found: they end by themselves, and what they saved stays until it "
    "expires",
    "finish": "sessions of workers that died end by themselves",
    "ttl": "checkpoints are not kept alive: give more `ttl_days` than a sweep takes",
    "delete": "checkpoints that nobody needs stay until they expire",
    "checkpoints": "what a worker that died had saved is not found, and stays until it expires",
    "usage": "what an unreconciled attempt cost stays booked as it was feared, for good after two weeks",
    "capabilities": "which models it serves is not looked at before a sweep starts",
}
"""Calls that a service may not have, and what that means."""
ASKED_ANEW = timedelta(hours=6)
"""After which a call that was lacking is tried again: the service may have learnt it."""
_LACKS = "lacks:"


@dataclass(frozen=True)
class Lack:
    """A call that a service answered as one that it does not have."""

    call: str  # one of LACKED
    status: int | None
    at: datetime

    def describe(self, service: str) -> str:
        """What that means for us."""
        return f"{service} does not offer `{self.call}` ({self.status}): so {LACKED[self.call]}"


@dataclass(frozen=True)
class ServiceFacts:
    """What is known of an account."""

    service: str
    moments: bool | None = None  # does a model restored with its optimizer go on as if it had never stopped
    finish: bool | None = None  # can a session be finished by another process than the one that opened it
    forward: Forward | None = None  # as what its tokens are billed
    clients: int | None = None  # training clients that were open at once
    capped: bool = False  # one more had to wait
    models: tuple[str, ...] = ()
    pending: PendingBill | None = None
    lacks: tuple[Lack, ...] = ()
    times: Mapping[str, datetime] = field(default_factory=dict)  # answer -> when it was given

    def list_lacking(self, now: datetime) -> frozenset[str]:
        """The calls that it did not have lately."""
        return frozenset(lack.call for lack in self.lacks if now - lack.at < ASKED_ANEW)

    @property
    def asked_at(self) -> datetime | None:
        """When the oldest of the answers was given; None where there is none."""
        return min(self.times.values(), default=None)


def read_facts(store: Store, service: str) -> ServiceFacts:
    """What is known of the account at this service."""
    row = store.client.hgetall(keys.account(service))
    clients = row.get("clients", "")
    return ServiceFacts(
        service=service,
        moments=_parse_yes(row.get("moments")),
        finish=_parse_yes(row.get("finish")),
        forward=cast(Forward | None, row.get("forward")),
        clients=int(clients.removesuffix(MORE)) if clients else None,
        capped=clients.isdigit(),
        models=tuple(json.loads(row.get("models", "[]"))),
        pending=_parse_pending(row),
        lacks=tuple(
            Lack(call, int(row[_LACKS + call]), _parse_moment(row[f"{_LACKS}{call}_at"]))
            for call in LACKED
            if _LACKS + call in row
        ),
        times={name: _parse_moment(row[f"{name}_at"]) for name in ANSWERS if name in row},
    )


def read_known_accounts(store: Store) -> list[ServiceFacts]:
    """Those of which anything is known."""
    return [each for each in (read_facts(store, service) for service in SERVICES) if each.times or each.lacks]


def find_forward_class(store: Store, service: str) -> Forward:
    """As what `forward` is billed; training, the dearer, until it is known."""
    return read_facts(store, service).forward or "training"


def record_facts(store: Store, service: str, answers: Mapping[str, str], *, bill: PendingBill | None = None) -> bool:
    """Keep answers, and with an empty one forget; with `bill`, only if that is what is waited for still.

    `moments` and `finish` are yes or no, `forward` a Forward, `clients` a number that MORE may follow, `models` a
    JSON list, `pending` the name of a Pending.
    """
    flat = [word for pair in answers.items() for word in pair]
    return bool(store.scripts.run("record_facts", service, bill.name if bill else "", *flat))


def record_lack(store: Store, service: str, call: str, status: int | None) -> None:
    """Keep that a service has no such call, or, without a status, that it has."""
    record_facts(store, service, {_LACKS + call: "" if status is None else str(status)})


def _parse_yes(word: str | None) -> bool | None:
    return None if word is None else word == "yes"


def _parse_pending(row: Mapping[str, str]) -> PendingBill | None:
    if "pending" not in row:
        return None
    session, _, model = row["pending"].partition(" ")
    return PendingBill(session, model, _parse_moment(row["pending_at"]))


def _parse_moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
