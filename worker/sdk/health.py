"""Ask a service, without a session: does it respond, and does it still have a checkpoint?

Calls the SDK's REST client with a deadline. Raises ServiceError only.
"""

from collections.abc import Callable
from typing import Any

import tinker

from scheduler.engine.retry import Fault
from worker.sdk.endpoints import Endpoint
from worker.sdk.failures import ServiceError, translate
from worker.sdk.futures import run_abandonable

PATIENCE = 5.0  # seconds for one answer


def is_responding(endpoint: Endpoint) -> bool:
    """Check whether the service answers a trivial request. Blocks for a few seconds at most."""
    try:
        probe(endpoint, PATIENCE)
    except ServiceError:
        return False
    return True


def probe(endpoint: Endpoint, within: float) -> None:
    """Send a trivial request. Raises ServiceError unless a good answer arrives within `within` seconds."""
    try:
        _ask(endpoint, lambda client: client.get_server_capabilities(), within)
    except TimeoutError:
        raise ServiceError(Fault.OUTAGE, f"no answer to a trivial request within {within:.0f} s") from None
    except Exception as error:  # noqa: BLE001 - as in PendingAnswer.wait
        failure = translate(error)
        if not (failure.missing or failure.lacking):  # "no such call" is an answer too
            raise failure from None


def has_checkpoint(endpoint: Endpoint, path: str) -> bool | None:
    """Check whether the service still has a checkpoint; None if it has no call that can say.

    Blocks for a few seconds at most. Raises ServiceError if the service cannot answer now.
    """

    def list_run(client: tinker.RestClient) -> Any:
        return client.list_checkpoints(path.removeprefix("tinker://").partition("/")[0])

    try:
        _ask(endpoint, lambda client: client.get_weights_info_by_tinker_path(path))
    except Exception as error:  # noqa: BLE001 - as in PendingAnswer.wait
        failure = translate(error)
        if not failure.lacking:
            return _return_false_if_gone(failure)
    else:
        return True
    try:
        listing: Any = _ask(endpoint, list_run)
    except Exception as error:  # noqa: BLE001 - as in PendingAnswer.wait
        failure = translate(error)
        return None if failure.lacking else _return_false_if_gone(failure)
    return any(checkpoint.tinker_path == path for checkpoint in listing.checkpoints)


def _return_false_if_gone(failure: ServiceError) -> bool:
    """Return False if the failure says that the checkpoint is gone; otherwise raise it."""
    if failure.about_the_checkpoint:
        return False
    raise failure


def _ask(endpoint: Endpoint, question: Callable[[tinker.RestClient], Any], within: float = PATIENCE) -> object:
    """Return the answer to a request that needs no session."""

    def ask() -> object:
        client = tinker.RestClient(base_url=endpoint.base_url, api_key=endpoint.api_key)
        return question(client).result(within)

    return run_abandonable(ask).result(within)
