"""How much the whole fleet may send in a time: GCRA by throttled-py, on our connection, in the server's time."""

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

BATCH = 0.25  # seconds' worth of permits that are drawn at once
BURST = 1.0  # seconds' worth that a fleet which has sent nothing may send at once
NOT_YET = 0.001  # seconds: what is not there yet is waited for at least so long


class Rate:
    """One limit, shared by all who draw from it under the same name."""

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
        """Take a batch of permits: 0 if they were there, else the seconds until they can be. Raises Away or Broken.

        Always as many, and few of them: who asks for more at a time than the others would never find them all there.
        An answer that is lost on its way wastes a batch, and lets nobody send too much.
        """
        try:
            drawn = self._limit.limit(self._name, cost=self.batch)
        except StoreUnavailableError as error:
            raise error.__cause__ or error from None
        return max(NOT_YET, drawn.state.retry_after) if drawn.limited else 0.0


class _Store(RedisStore):
    """Theirs, on a connection of ours: its retries, its time-outs, and no second way to Redis."""

    def __init__(self, client: Client) -> None:
        self._backend = RedisStoreBackend()
        self._backend._client = cast(SyncRedisClientP, client)  # noqa: SLF001 - it would open its own
