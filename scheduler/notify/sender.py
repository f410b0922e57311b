"""Send due notices from the outbox, in threads of its own, so that nothing ever waits for a webhook.

If the process dies while it sends a notice, the notice is sent again with the same id: at least once, never lost.
"""

import logging
import os
import random
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from scheduler.errors import SettingInvalid
from scheduler.notify.outbox import Outbox, OutboxNotice, choose_delay
from scheduler.notify.webhooks import DEADLINE, Delivery, build_headers, compose, send
from scheduler.settings import WEBHOOK_SECRET
from scheduler.state.bug_log import NOBODY, record_bug
from scheduler.state.connection import Away, RedisError
from scheduler.state.store import Store
from sweeps.stage import Json

LOOK = 0.5  # seconds between two reads of the outbox
TROUBLE = 5.0  # seconds until the next read while Redis fails
SENDERS = 16  # notices that are being sent at a time

log = logging.getLogger("scheduler.notify.sender")


class NoticeSender:
    """One thread that reads the outbox, and one for each notice being sent; one at a time for each address."""

    def __init__(
        self,
        store: Store,
        fleet: Sequence[str] = (),
        environment: Mapping[str, str] = os.environ,
        *,
        deadline: float = DEADLINE,
        url: str | None = None,  # where the items of evaluations lie
    ) -> None:
        self._store = store
        self._outbox = Outbox(store)
        self._fleet = fleet
        self._environment = environment
        self._deadline = deadline
        self._url = url
        self._busy: set[str] = set()
        self._left = threading.Event()

    def start(self) -> None:
        """Start reading. If the process ends, another one sends what was not delivered."""
        threading.Thread(target=self._look, name="notice-sender", daemon=True).start()

    def stop(self) -> None:
        """Take no more notices. Does not wait for those being sent."""
        self._left.set()

    def send_due(self) -> int:
        """Start to send every due notice, and return how many. Does not wait for them."""
        taken = self._outbox.take(SENDERS - len(self._busy), [*self._busy])
        for notice in taken:
            self._busy.add(notice.address)
            threading.Thread(target=self._deliver, args=(notice,), name="notice", daemon=True).start()
        return len(taken)

    def _look(self) -> None:
        named, wait = False, LOOK
        while not self._left.wait(wait):
            try:
                if not named:
                    self._outbox.set_fleet_addresses(self._fleet)
                    named = True
                self.send_due()
                wait = LOOK
            except Away as error:
                log.warning("notices wait: Redis does not answer (%s)", error)
                wait = TROUBLE
            except Exception as error:  # noqa: BLE001 - no stage depends on it
                record_bug(self._store, error, "notices", affected=NOBODY)
                wait = TROUBLE

    def _deliver(self, notice: OutboxNotice) -> None:
        try:
            answer = self._tell(notice)
            if not answer.reason:
                self._outbox.mark_sent(notice)
                return
            again = choose_delay(notice.tries, answer.retry_after, random.random())
            self._outbox.mark_failed(notice, answer.reason, again)
            what = "giving up" if again is None else f"trying again in {again:.0f} s"
            log.warning("webhook %s: %s; %s %s", notice.address, answer.reason, what, notice.id)
        except Away as error:
            log.warning("sending %s again: Redis does not answer (%s)", notice.id, error)
        except Exception as error:  # noqa: BLE001 - no stage depends on it
            record_bug(self._store, error, "notices", affected=NOBODY)
        finally:
            self._busy.discard(notice.address)

    def _tell(self, notice: OutboxNotice) -> Delivery:
        address = self._environment.get(notice.address)
        if not address:
            return Delivery("the variable is not set where the scheduler runs")
        body = compose(address, notice, *self._write_text(notice))
        secret = self._environment.get(WEBHOOK_SECRET, "")
        try:
            headers = build_headers(notice, body, secret, datetime.now(UTC))
        except SettingInvalid as error:
            return Delivery(str(error))
        return send(address, body, headers, deadline=self._deadline)

    def _write_text(self, notice: OutboxNotice) -> tuple[str, Mapping[str, Json] | None]:
        """Write the text; the end of a sweep carries the digest as it is now, and its conclusion as fields."""
        if notice.kind not in ("finished", "cancelled", "hours"):
            return notice.headline, None
        from scheduler.notify.digest import build_digest  # heavy and seldom needed

        try:
            digest = build_digest(self._store, notice.sweep, self._url)
            return f"{notice.headline}\n{digest.text}", digest.conclusion.document()
        except RedisError:
            raise
        except Exception:  # the end of a sweep is worth a notice without its digest
            log.exception("cannot write the digest of %s", notice.sweep)
            return notice.headline, None
