"""Limit how many requests the fleet sends: GCRA by throttled-py, on our connection, in the server's time."""

import math
from datetime import timedelta
from typing import cast

from throttled import Throttled, per_duration
from throttled.constants import RateLimiterType
from throttled.exceptions import StoreUnavailableError
from throttled.store import RedisStore
from throttled.store.redis import RedisStoreBackend
from throttled.types import SyncRedisClientP

from scheduler.state import keys
from scheduler.state.connection import Client

BATCH = 0.25  # seconds' worth of permits in one draw
BURST = 1.0  # seconds' worth that an idle fleet may send at once
NOT_YET = 0.001  # seconds: the shortest wait for permits


class Rate:
    """One limit, shared by all processes that draw from it under the same name."""

    def __init__(self, client: Client, name: str, *, per_second: float) -> None:
        self.batch = math.ceil(per_second * BATCH)
        quota = per_duration(
            timedelta(hours=1), max(1, round(per_second * 3600)), max(self.batch, math.ceil(per_second * BURST))
        )
        self._name = name
        self._limit = Throttled(
            using=RateLimiterType.GCRA.value, quota=quota, store=_Store(client), key_prefix=keys.RATES
        )

    def draw(self) -> float:
        """Take a batch of permits. Return 0, or the seconds to wait for them. Raise Away or StoreBug.

        Batches are small and all of one size: a process that wants more at a time than the others never gets them.
        A lost answer wastes a batch, and never lets a process send too much.
        """
        try:
            drawn = self._limit.limit(self._name, cost=self.batch)
        except StoreUnavailableError as error:
            raise error.__cause__ or error from None
        return max(NOT_YET, drawn.state.retry_after) if drawn.limited else 0.0


class _Store(RedisStore):
    """throttled-py's store on our connection, with our retries and time-outs."""

    def __init__(self, client: Client) -> None:
        self._backend = RedisStoreBackend()
        self._backend._client = cast(SyncRedisClientP, client)  # noqa: SLF001 - it would open its own
