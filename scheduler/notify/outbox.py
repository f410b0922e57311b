"""Read and write the outbox: notices that Lua verbs add, and the health of the webhooks.

A notice names the variable that holds its address. Only the sender reads the address itself (`sender.py`,
`webhooks.py`).
"""

import json
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scheduler.state import keys
from scheduler.state.milliseconds import count_milliseconds
from scheduler.state.store import Store
from sweeps.formatting import format_count
from sweeps.stage import Json

SENDING_SECONDS = 60.0  # for which a notice belongs to its sender; after that the sender is taken for dead

FIRST_WAIT, GROWTH, TRIES = 10.0, 2.4, 8  # eight tries over about an hour
LONGEST_RETRY_AFTER = 900.0  # seconds: a receiver may not ask for more
DETAIL = 1000  # characters of a notice's detail

TITLES = {
    "started": "started",
    "failure": "first failure",
    "breaker_open": "outage: running stages are parked, no new stage starts",
    "breaker_closed": "outage over",
    "account": "the service refuses the key or the bill: spending has stopped until `sweep resume`",
    "no_worker": "stages are ready and no worker is running",
    "leases_lost": "many attempts were lost with their workers, one after the other",
    "disk": "the scheduler's disk is nearly full",
    "memory": "Redis has nearly no memory left",
    "books_closed": "the books are closed: nothing new starts",
    "books_uncertain": "the books are uncertain",
    "over": "over",
    "hours": "the window closed",
    "budget80": "80 % of the budget is spent or held",
    "budget": "budget reached",
    "finished": "finished",
    "cancelled": "cancelled",
}


@dataclass(frozen=True)
class OutboxNotice:
    """One message for one address."""

    id: str  # the same in every try
    address: str  # the name of the variable
    kind: str
    sweep: str  # '' for the whole fleet
    at: int  # milliseconds since 1970
    detail: str
    tries: int  # that failed

    @property
    def headline(self) -> str:
        """What happened, in one line."""
        detail = self.detail if len(self.detail) <= DETAIL else f"{self.detail[:DETAIL]}…"
        return f"{self.sweep or 'fleet'}: {TITLES.get(self.kind, self.kind)}" + (f": {detail}" if detail else "")


class Outbox:
    """The verbs that the sender uses."""

    def __init__(self, store: Store) -> None:
        self._scripts = store.scripts
        self._client = store.client

    def set_fleet_addresses(self, addresses: Sequence[str]) -> None:
        """Set the variables that hold the addresses for notices about the whole fleet."""
        pipe = self._client.pipeline()
        pipe.delete(keys.FLEET_ADDRESSES)
        if addresses:
            pipe.sadd(keys.FLEET_ADDRESSES, *addresses)
        pipe.execute()

    def take(self, most: int, busy: Collection[str]) -> list[OutboxNotice]:
        """Take due notices, at most one for each address that is not busy. They are ours for SENDING_SECONDS."""
        rows = self._scripts.run("take_notices", count_milliseconds(SENDING_SECONDS), most, *busy)
        return [
            OutboxNotice(name, address, kind, sweep, int(at), detail, int(tries))
            for name, address, kind, sweep, at, detail, tries in rows
        ]

    def mark_sent(self, notice: OutboxNotice) -> bool:
        """Remove a notice that was sent. False if it is not in the outbox any more."""
        return bool(self._scripts.run("mark_notice_sent", notice.id))

    def mark_failed(self, notice: OutboxNotice, reason: str, again_in: float | None) -> bool:
        """Try a notice again after some seconds, or give it up (None). False if it is not in the outbox any more."""
        delay = "" if again_in is None else count_milliseconds(again_in)
        return bool(self._scripts.run("mark_notice_failed", notice.id, notice.tries, reason, delay))


def choose_delay(tries: int, retry_after: float, chance: float) -> float | None:
    """Seconds until the next try, after `tries` failures and one more; None to give up.

    `retry_after`: what the receiver asked for, or 0. `chance`: 0 to 1, spreads the tries of several senders.
    """
    if tries + 1 >= TRIES:
        return None
    return max(FIRST_WAIT * GROWTH**tries * (0.75 + chance / 2), min(retry_after, LONGEST_RETRY_AFTER))


@dataclass(frozen=True)
class WebhookTrouble:
    """A webhook that does not take its notices."""

    variable: str
    failing_since: float  # seconds since 1970
    reason: str
    waiting: int  # notices
    given_up: int

    def __str__(self) -> str:
        """One line for people."""
        since = time.strftime("%H:%M", time.localtime(self.failing_since))
        waiting = f"; {format_count(self.waiting, 'notice')} waiting" if self.waiting else ""
        given_up = f"; {format_count(self.given_up, 'notice')} given up" if self.given_up else ""
        return f"webhook {self.variable}: failing since {since}: {self.reason}{waiting}{given_up}"

    def document(self) -> dict[str, Json]:
        """The same for programs."""
        return {
            "variable": self.variable,
            "failing_since": self.failing_since,
            "reason": self.reason,
            "waiting_notices": self.waiting,
            "given_up_notices": self.given_up,
        }


def list_troubled_webhooks(store: Store) -> list[WebhookTrouble]:
    """List the webhooks that do not take their notices."""
    rows = store.client.hgetall(keys.WEBHOOKS)
    health = {variable: json.loads(text) for variable, text in sorted(rows.items())}
    failing = {variable: row for variable, row in health.items() if row["reason"]}
    waiting = _count_waiting(store) if failing else Counter()
    return [
        WebhookTrouble(variable, int(row["since"]) / 1000, row["reason"], waiting[variable], int(row["given_up"] or 0))
        for variable, row in failing.items()
    ]


def _count_waiting(store: Store) -> Counter[str]:
    notices = store.client.zrange(keys.NOTICES, 0, -1)
    pipe = store.client.pipeline(transaction=False)
    for notice in notices:
        pipe.hget(keys.notice(notice), "address")
    return Counter(address for address in pipe.execute() if address)
