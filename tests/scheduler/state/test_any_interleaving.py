"""The books agree and the limits hold after any interleaving of verbs, clocks and changes of mind."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from scheduler.state.connection import Client
from tests import servers
from tests.scheduler.machine import Books
from tests.support import RedisServer

SETTINGS = settings(
    max_examples=20,
    stateful_step_count=40,
    deadline=None,  # a machine that others use as well
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(420)  # a counterexample is made small for up to five minutes
def test_after_any_interleaving_the_books_agree(client: Client, redis: RedisServer) -> None:
    class Machine(Books):
        """On the server of this test."""

        def __init__(self) -> None:
            super().__init__(client)

    few = redis.binary != servers.binary()  # of the others it is asked whether they do the same at all
    run_state_machine_as_test(Machine, settings=settings(SETTINGS, max_examples=8) if few else SETTINGS)
