"""What people are to be told: the outbox that the verbs fill, and what is known of the addresses.

A notice names the variable that holds its address; the address itself is known only to who sends it (`webhooks.py`,
`post.py`).
"""

import json
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scheduler.state import keys
from scheduler.state.store import Store
from sweeps.formatting import format_count

SENDING_SECONDS = 60.0  # for which a notice belongs to its sender; after that the sender is taken for dead

FIRST_WAIT, GROWTH, TRIES = 10.0, 2.4, 8  # eight tries over about an hour
LONGEST_RETRY_AFTER = 900.0  # seconds that an address may ask us to wait
DETAIL = 1000  # characters of what a notice says beside its kind

TITLES = {
    "started": "started",
    "failure": "the first failure",
    "breaker_open": "an outage: what runs is parked, and nothing new is started",
    "breaker_closed": "the outage is over",
    "account": "the key or the bill is refused: all spending has stopped, until `sweep resume`",
    "hours": "its hours are over for now",
    "budget80": "80 % of the budget is spent or held",
    "budget": "the budget is reached",
    "finished": "finished",
    "cancelled": "cancelled",
}


@dataclass(frozen=True)
class OutboxNotice:
    """One thing that one address is to be told."""

    id: str  # the same however often it is sent
    address: str  # the name of the variable
    kind: str
    sweep: str  # '' for the whole fleet
    at: int  # milliseconds since 1970
    detail: str
    tries: int  # in vain so far

    @property
    def headline(self) -> str:
        """What happened, in a line."""
        detail = self.detail if len(self.detail) <= DETAIL else f"{self.detail[:DETAIL]}…"
        return f"{self.sweep or 'fleet'}: {TITLES.get(self.kind, self.kind)}" + (f": {detail}" if detail else "")


class Outbox:
    """The verbs of whoever sends notices."""

    def __init__(self, store: Store) -> None:
        self._scripts = store.scripts
        self._client = store.client

    def set_fleet_addresses(self, addresses: Sequence[str]) -> None:
        """These variables, and no others, hold the addresses of who is told what concerns the whole fleet."""
        pipe = self._client.pipeline()
        pipe.delete(keys.FLEET_ADDRESSES)
        if addresses:
            pipe.sadd(keys.FLEET_ADDRESSES, *addresses)
        pipe.execute()

    def take(self, most: int, busy: Collection[str]) -> list[OutboxNotice]:
        """What is due, at most one for each address that is not busy. Nobody else gets it for a while."""
        rows = self._scripts.run("take_notices", round(SENDING_SECONDS * 1000), most, *busy)
        return [
            OutboxNotice(name, address, kind, sweep, int(at), detail, int(tries))
            for name, address, kind, sweep, at, detail, tries in rows
        ]

    def mark_sent(self, notice: OutboxNotice) -> bool:
        """It has been told. False if it is not in the outbox any more."""
        return bool(self._scripts.run("mark_notice_sent", notice.id))

    def mark_failed(self, notice: OutboxNotice, reason: str, again_in: float | None) -> bool:
        """It has not been told, and is tried again in so many seconds, or (None) given up. False as with `sent`."""
        delay = "" if again_in is None else round(again_in * 1000)
        return bool(self._scripts.run("mark_notice_failed", notice.id, notice.tries, reason, delay))


def choose_delay(tries: int, wish: float, chance: float) -> float | None:
    """Seconds to wait when it has been tried once more than `tries` times in vain; None gives it up.

    `wish`: what the address asked for, or 0; `chance`: 0 to 1, so that several senders do not come at once.
    """
    if tries + 1 >= TRIES:
        return None
    return max(FIRST_WAIT * GROWTH**tries * (0.75 + chance / 2), min(wish, LONGEST_RETRY_AFTER))


def describe_troubled_webhooks(store: Store) -> list[str]:
    """A sentence for each address that does not take what it is sent: since when, why, and what waits for it."""
    said = store.client.hgetall(keys.WEBHOOKS)
    health = {address: json.loads(text) for address, text in sorted(said.items())}
    troubled = {address: found for address, found in health.items() if found["reason"]}
    waiting = _waiting(store) if troubled else Counter()
    return [_sentence(address, found, waiting[address]) for address, found in troubled.items()]


def _sentence(address: str, found: dict[str, int | str], waiting: int) -> str:
    since = time.strftime("%H:%M", time.localtime(int(found["since"]) / 1000))
    wait = f"; {format_count(waiting, 'notice')} {'waits' if waiting == 1 else 'wait'}" if waiting else ""
    given_up = f"; {format_count(int(found['given_up']), 'notice')} given up" if found["given_up"] else ""
    return f"webhook {address}: fails since {since}: {found['reason']}{wait}{given_up}"


def _waiting(store: Store) -> Counter[str]:
    notices = store.client.zrange(keys.NOTICES, 0, -1)
    pipe = store.client.pipeline(transaction=False)
    for notice in notices:
        pipe.hget(keys.notice(notice), "address")
    return Counter(address for address in pipe.execute() if address)
