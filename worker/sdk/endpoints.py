"""Choose the service for a model by the model's name; no service stands in for another.

Reads the settings it is given and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass

from scheduler.engine.retry import Fault
from scheduler.services import OFFLINE_KEY, find_service
from scheduler.settings import Settings
from worker.sdk.failures import ServiceError


@dataclass(frozen=True)
class Endpoint:
    """Where a model is served, and with which key; a `base_url` of None means the SDK's default."""

    base_url: str | None
    api_key: str | None


def make_endpoints(settings: Settings) -> Callable[[str], Endpoint]:
    """Return a function from a model's name to its endpoint."""

    def endpoint(model: str) -> Endpoint:
        if find_service(model) != "offline":
            return Endpoint(base_url=None, api_key=None)  # the SDK reads TINKER_BASE_URL and TINKER_API_KEY itself
        if settings.offline_url is None:
            raise ServiceError(Fault.MACHINE, f"{model} needs tinker_offline; set SWEEP_OFFLINE_URL to its address")
        return Endpoint(base_url=settings.offline_url, api_key=OFFLINE_KEY)

    return endpoint
