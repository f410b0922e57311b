"""What was found out about our account at a service by asking it (`sweep doctor --live`), and when.

The documentation leaves it open, and accounts may differ. What nobody has asked yet, or what could not be told, is
None; an inquiry that learns nothing new leaves what an earlier one learnt.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from scheduler import keys
from scheduler.services import SERVICES
from scheduler.store import Store
from sweeps.cost import Forward

ANSWERS = ("moments", "finish", "forward", "clients", "models")
MORE = "+"  # behind a number of clients: so many opened, and more might


@dataclass(frozen=True)
class Pending:
    """A session in which only `forward` was done: its bill, which the live service writes hours later, says as what."""

    session: str
    model: str
    since: datetime

    @property
    def name(self) -> str:
        """As it is kept."""
        return f"{self.session} {self.model}"


@dataclass(frozen=True)
class Answer:
    """To one question: `unknown` where it could not be told, and what was seen."""

    what: str  # one of ANSWERS
    answer: str  # yes, no; training, prefill, pending; a number of clients; unknown
    said: str


@dataclass(frozen=True)
class Report:
    """What an inquiry prints, as JSON: its answers, and the name of the session whose bill is still to come."""

    answers: Sequence[Answer]
    pending: str | None
    tokens: int  # that it took, at most
    usd: float  # that it cost, at most


@dataclass(frozen=True)
class Facts:
    """What is known of an account."""

    service: str
    moments: bool | None = None  # does a model restored with its optimizer go on as if it had never stopped
    finish: bool | None = None  # can a session be finished by another process than the one that opened it
    forward: Forward | None = None  # as what its tokens are billed
    clients: int | None = None  # training clients that were open at once
    capped: bool = False  # one more had to wait
    models: tuple[str, ...] = ()
    pending: Pending | None = None
    times: Mapping[str, datetime] = field(default_factory=dict)  # answer -> when it was given

    @property
    def asked_at(self) -> datetime | None:
        """When the oldest of the answers was given; None where there is none."""
        return min(self.times.values(), default=None)


def facts(store: Store, service: str) -> Facts:
    """What is known of the account at this service."""
    row = store.client.hgetall(keys.account(service))
    clients = row.get("clients", "")
    return Facts(
        service=service,
        moments=_yes(row.get("moments")),
        finish=_yes(row.get("finish")),
        forward=cast(Forward | None, row.get("forward")),
        clients=int(clients.removesuffix(MORE)) if clients else None,
        capped=clients.isdigit(),
        models=tuple(json.loads(row.get("models", "[]"))),
        pending=_pending(row),
        times={name: _moment(row[f"{name}_at"]) for name in ANSWERS if name in row},
    )


def known_accounts(store: Store) -> list[Facts]:
    """Those of which anything is known."""
    return [each for each in (facts(store, service) for service in SERVICES) if each.times]


def forward_class(store: Store, service: str) -> Forward:
    """As what `forward` is billed; training, the dearer, until it is known."""
    return facts(store, service).forward or "training"


def learn(store: Store, service: str, answers: Mapping[str, str], *, bill: Pending | None = None) -> bool:
    """Keep answers, and with an empty one forget; with `bill`, only if that is what is waited for still.

    `moments` and `finish` are yes or no, `forward` a Forward, `clients` a number that MORE may follow, `models` a
    JSON list, `pending` the name of a Pending.
    """
    flat = [word for pair in answers.items() for word in pair]
    return bool(store.scripts.run("learn", service, bill.name if bill else "", *flat))


def _yes(word: str | None) -> bool | None:
    return None if word is None else word == "yes"


def _pending(row: Mapping[str, str]) -> Pending | None:
    if "pending" not in row:
        return None
    session, _, model = row["pending"].partition(" ")
    return Pending(session, model, _moment(row["pending_at"]))


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
