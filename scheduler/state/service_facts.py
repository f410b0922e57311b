"""Read and record facts about our account at a service, which `sweep doctor --live` probes.

The documentation leaves them open, and accounts may differ. A fact that is not probed yet, or that a probe could not
decide, is None. A probe that decides nothing keeps the earlier fact.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from scheduler.services import SERVICES
from scheduler.state import keys
from scheduler.state.milliseconds import read_moment
from scheduler.state.store import Store
from sweeps.cost import Forward

ANSWERS = ("moments", "finish", "forward", "clients", "models")
ALL = "all"  # the answer to `calls`: the service has them all
MORE = "+"  # after a number of clients: this many opened, and more might


@dataclass(frozen=True)
class PendingBill:
    """A session that only did `forward`. Its bill, hours later, tells at which price class `forward` is billed."""

    session: str
    model: str
    since: datetime

    @property
    def name(self) -> str:
        """Its name in Redis."""
        return f"{self.session} {self.model}"


@dataclass(frozen=True)
class ProbeAnswer:
    """The answer to one question (`unknown` if the probe could not decide), and what the probe saw."""

    what: str  # one of ANSWERS, or calls
    answer: str  # yes, no; training, prefill, pending; a number of clients; ALL, or CALL=STATUS for each lack; unknown
    detail: str


@dataclass(frozen=True)
class ProbeReport:
    """What a probe prints as JSON: its answers, and the name of the session whose bill is still to come."""

    answers: Sequence[ProbeAnswer]
    pending: str | None
    tokens: int  # that it used at most
    usd: float  # that it cost at most


LACKED: Mapping[str, str] = {
    "search": "we cannot find sessions of dead workers: they end by themselves, and their checkpoints stay until they "
    "expire",
    "finish": "we cannot end sessions of dead workers: they end by themselves",
    "ttl": "we cannot extend checkpoints: set `ttl_days` to more than a sweep takes",
    "delete": "we cannot delete checkpoints: those no longer needed stay until they expire",
    "checkpoints": "we cannot find checkpoints of dead workers: they stay until they expire",
    "usage": "the cost of an unreconciled attempt stays booked at its upper bound, for good after two weeks",
    "capabilities": "we cannot check before a sweep starts which models it serves",
}
"""Calls that a service may lack, and what follows."""
ASKED_AGAIN_AFTER = timedelta(hours=6)
"""How long a lack is believed. After that we try the call again."""
_LACKS = "lacks:"


@dataclass(frozen=True)
class Lack:
    """A call that a service does not offer."""

    call: str  # one of LACKED
    status: int | None
    at: datetime

    def describe(self, service: str) -> str:
        """Describe the lack and what follows."""
        return f"{service} does not offer `{self.call}` ({self.status}): {LACKED[self.call]}"


@dataclass(frozen=True)
class ServiceFacts:
    """The known facts about an account."""

    service: str
    moments: bool | None = None  # does a model restored with its optimizer continue exactly
    finish: bool | None = None  # can another process end a session
    forward: Forward | None = None  # the price class of its tokens
    clients: int | None = None  # training clients that were open at the same time
    capped: bool = False  # one more client had to wait
    models: tuple[str, ...] = ()
    pending: PendingBill | None = None
    lacks: tuple[Lack, ...] = ()
    times: Mapping[str, datetime] = field(default_factory=dict)  # answer -> when it was given

    def list_lacking(self, now: datetime) -> frozenset[str]:
        """Return the calls that it lacked lately."""
        return frozenset(lack.call for lack in self.lacks if now - lack.at < ASKED_AGAIN_AFTER)

    @property
    def asked_at(self) -> datetime | None:
        """The time of the oldest answer; None without answers."""
        return min(self.times.values(), default=None)


def read_facts(store: Store, service: str) -> ServiceFacts:
    """Read the facts about the account at this service."""
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
            Lack(call, int(row[_LACKS + call]), read_moment(row[f"{_LACKS}{call}_at"]))
            for call in LACKED
            if _LACKS + call in row
        ),
        times={name: read_moment(row[f"{name}_at"]) for name in ANSWERS if name in row},
    )


def read_known_accounts(store: Store) -> list[ServiceFacts]:
    """Read the facts of each service that has any."""
    return [facts for facts in (read_facts(store, service) for service in SERVICES) if facts.times or facts.lacks]


def find_forward_class(store: Store, service: str) -> Forward:
    """Return the price class of `forward`; until it is known, training, which is dearer."""
    return read_facts(store, service).forward or "training"


def record_facts(store: Store, service: str, answers: Mapping[str, str], *, bill: PendingBill | None = None) -> bool:
    """Record answers; an empty one deletes the fact. With `bill`, record only if that bill is still awaited.

    `moments` and `finish` are yes or no, `forward` a Forward, `clients` a number that MORE may follow, `models` a
    JSON list, `pending` the name of a PendingBill.
    """
    flat = [word for pair in answers.items() for word in pair]
    return bool(store.scripts.run("record_facts", service, bill.name if bill else "", *flat))


def record_lack(store: Store, service: str, call: str, status: int | None) -> None:
    """Record that a service lacks a call, or, without a status, that it has it."""
    record_facts(store, service, {_LACKS + call: "" if status is None else str(status)})


def _parse_yes(word: str | None) -> bool | None:
    return None if word is None else word == "yes"


def _parse_pending(row: Mapping[str, str]) -> PendingBill | None:
    if "pending" not in row:
        return None
    session, _, model = row["pending"].partition(" ")
    return PendingBill(session, model, read_moment(row["pending_at"]))
