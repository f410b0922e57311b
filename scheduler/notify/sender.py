"""The post: takes what is due out of the outbox and sends it, in threads of its own. Nobody ever waits for it.

A notice that is under way when its sender dies is sent again, under the same name: at least once, and never lost.
"""

import logging
import os
import random
import threading
import time
from collections.abc import Mapping, Sequence

from scheduler.notify.outbox import Outbox, OutboxNotice, choose_delay
from scheduler.notify.webhooks import DEADLINE, Delivery, build_headers, compose, send
from scheduler.settings import WEBHOOK_SECRET
from scheduler.state.bug_log import NOBODY, record_bug
from scheduler.state.connection import Away, RedisError
from scheduler.state.store import Store

LOOK = 0.5  # seconds between two looks into the outbox
TROUBLE = 5.0  # seconds before the next one while Redis is in trouble
SENDERS = 16  # addresses that are told something at the same time

log = logging.getLogger("scheduler.notify.sender")


class NoticeSender:
    """A thread that looks, and one for each notice that is being sent; one address has one at a time."""

    def __init__(
        self,
        store: Store,
        fleet: Sequence[str] = (),
        environment: Mapping[str, str] = os.environ,
        *,
        deadline: float = DEADLINE,
    ) -> None:
        self._store = store
        self._outbox = Outbox(store)
        self._fleet = fleet
        self._environment = environment
        self._deadline = deadline
        self._busy: set[str] = set()
        self._left = threading.Event()

    def start(self) -> None:
        """Begin to look; what is under way when the process ends is somebody else's to send."""
        threading.Thread(target=self._look, name="post", daemon=True).start()

    def stop(self) -> None:
        """Take nothing more. Waits for nobody."""
        self._left.set()

    def send_due(self) -> int:
        """Have everything sent that is due now; how many notices that are. Returns before any of them is."""
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
                log.warning("notices wait: Redis does not do what is asked (%s)", error)
                wait = TROUBLE
            except Exception as error:  # noqa: BLE001 - no stage depends on it
                record_bug(self._store, error, "post", of=NOBODY)
                wait = TROUBLE

    def _deliver(self, notice: OutboxNotice) -> None:
        try:
            answer = self._tell(notice)
            if not answer.reason:
                self._outbox.mark_sent(notice)
                return
            again = choose_delay(notice.tries, answer.wish, random.random())
            self._outbox.mark_failed(notice, answer.reason, again)
            what = "is given up" if again is None else f"is tried again in {again:.0f} s"
            log.warning("webhook %s: %s; %s %s", notice.address, answer.reason, notice.id, what)
        except Away as error:
            log.warning("%s is told again: Redis does not do what is asked (%s)", notice.id, error)
        except Exception as error:  # noqa: BLE001 - no stage depends on it
            record_bug(self._store, error, "post", of=NOBODY)
        finally:
            self._busy.discard(notice.address)

    def _tell(self, notice: OutboxNotice) -> Delivery:
        address = self._environment.get(notice.address)
        if not address:
            return Delivery("the variable is not set where the scheduler runs")
        body = compose(address, notice, self._text(notice))
        secret = self._environment.get(WEBHOOK_SECRET, "")
        return send(address, body, build_headers(notice, body, secret, time.time()), deadline=self._deadline)

    def _text(self, notice: OutboxNotice) -> str:
        """The end of a sweep is told with what came of it, as it stands when it is told."""
        if notice.kind not in ("finished", "cancelled", "hours"):
            return notice.headline
        from scheduler.notify.digest import build_digest  # heavy, and seldom needed: a night may tell nobody anything

        try:
            return f"{notice.headline}\n{build_digest(self._store, notice.sweep).text}"
        except RedisError:
            raise
        except Exception:  # that it has ended is worth telling without it
            log.exception("there is no digest of %s", notice.sweep)
            return notice.headline
