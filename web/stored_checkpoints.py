"""What an account stores at a service: asked on request, beside the requests, and remembered with its time."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scheduler.cli.upkeep.service_questions import LIVE, ask_service
from scheduler.errors import SchedulerError
from scheduler.service_check import OFFLINE_MODELS
from scheduler.services import SERVICES
from scheduler.settings import Settings
from scheduler.state.connection import RedisError
from scheduler.state.people.actors import Actor
from scheduler.state.people.audit_log import audit_change
from scheduler.state.store import Store

if TYPE_CHECKING:  # it loads what opens stores: only who asks needs that
    from scheduler.state.keeping.service_checkpoints import ServiceCheckpoint, Use

LISTING = "worker.maintenance.checkpoint_main"
MODELS = {"tinker": LIVE, "offline": OFFLINE_MODELS[0]}
GB = 1e9

log = logging.getLogger("web.storage")


@dataclass(frozen=True)
class StoredAnswer:
    """What a service said last."""

    service: str
    is_asked: bool = False  # and has not answered yet
    at: int = 0  # milliseconds since 1970; 0: it never answered
    checkpoints: "Sequence[ServiceCheckpoint]" = ()
    usd_per_gb: float | None = None  # a month
    failed: str = ""  # why there is no newer answer

    def count(self, use: "Use") -> int:
        """Count the checkpoints of a use."""
        return Counter(checkpoint.use for checkpoint in self.checkpoints)[use]

    def sum_bytes(self, use: "Use") -> int:
        """Sum the bytes of a use."""
        return sum(checkpoint.bytes for checkpoint in self.checkpoints if checkpoint.use == use)

    def price(self, size: int) -> float | None:
        """What so many bytes cost a month, in US dollars."""
        return None if self.usd_per_gb is None else size / GB * self.usd_per_gb


class StoredCheckpoints:
    """The last answer of each service."""

    def __init__(self, pool: Executor, store: Store, settings: Settings) -> None:
        self._pool, self._store, self._settings = pool, store, settings
        self._lock = threading.Lock()
        self._answers = {service: StoredAnswer(service) for service in SERVICES}
        self._rows: dict[str, Sequence[Mapping[str, Any]]] = {}

    def list_answers(self) -> list[StoredAnswer]:
        """List what each service said last."""
        with self._lock:
            return list(self._answers.values())

    def ask(self, service: str) -> None:
        """Ask a service, unless it is asked already. It may take minutes."""
        with self._lock:
            if service not in self._answers or self._answers[service].is_asked:
                return
            self._answers[service] = replace(self._answers[service], is_asked=True)
        self._pool.submit(self._ask, service)

    def delete(self, actor: Actor, service: str, use: "Use") -> int:
        """Let a worker delete the checkpoints of a use, but none that is needed now or younger than a day."""
        from scheduler.state.keeping.service_checkpoints import classify, discard

        if service not in self._rows:
            raise SchedulerError(f"ask {service[:40]!r} first what is stored there")
        audit_change(self._store, actor, "delete checkpoints", service, use)
        return discard(self._store, MODELS[service], classify(self._store, self._rows[service]), uses=(use,))

    def _ask(self, service: str) -> None:
        from scheduler.state.keeping.service_checkpoints import classify

        try:
            rows = ask_service(self._settings, MODELS[service], LISTING)["checkpoints"]
            known = StoredAnswer(
                service,
                at=round(time.time() * 1000),
                checkpoints=classify(self._store, rows),
                usd_per_gb=_read_price(self._settings),
            )
            self._rows[service] = rows
        except (SchedulerError, RedisError) as error:
            known = replace(self._answers[service], is_asked=False, failed=str(error))
        except Exception as error:
            log.exception("cannot ask %s what is stored", service)
            known = replace(self._answers[service], is_asked=False, failed=f"{type(error).__name__}: see the log")
        with self._lock:
            self._answers[service] = known


def _read_price(settings: Settings) -> float | None:
    from scheduler.prepare import read_price_book  # what plans: only who asks needs it

    price = read_price_book(settings).kept
    return None if price is None else float(price.usd_per_gb_month)
