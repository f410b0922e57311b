"""The same server, clock and store as the tests of the scheduler have."""

from tests.scheduler.conftest import _plain_environment, client, clock, redis, store

__all__ = ["_plain_environment", "client", "clock", "redis", "store"]
