"""Which service a model is on: the model's name says it, and nothing falls back to anything."""

from collections.abc import Callable

from scheduler.engine.retry import Fault
from scheduler.services import OFFLINE_KEY, service_of
from scheduler.settings import Settings
from worker.sdk.failures import ServiceError
from worker.sdk.session import Endpoint


def make_endpoints(settings: Settings) -> Callable[[str], Endpoint]:
    """A function from a model to where it is served."""

    def endpoint(model: str) -> Endpoint:
        if service_of(model) != "offline":
            return Endpoint(base_url=None, api_key=None)  # the SDK reads TINKER_BASE_URL and TINKER_API_KEY itself
        if settings.offline_url is None:
            raise ServiceError(Fault.MACHINE, f"{model} needs tinker_offline, and SWEEP_OFFLINE_URL does not name one")
        return Endpoint(base_url=settings.offline_url, api_key=OFFLINE_KEY)

    return endpoint
