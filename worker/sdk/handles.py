"""Check whether a model or sampler that we hold still exists at the service.

Servers differ in how they refuse a lost handle, so a refusal alone cannot be trusted. It calls
through the SDK's connection, with a deadline.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import tinker
from tinker.lib.client_connection_pool_type import ClientConnectionPoolType

from scheduler.engine.retry import Fault
from worker.sdk.failures import translate

INFO, SAMPLER = "/api/v1/get_info", "/api/v1/samplers/{}"
WITHIN = 5.0  # seconds for an answer
ONCE: Any = {"max_retries": 0}

StillExists = Callable[[], bool]
"""Does the service still have it? Blocks for a few seconds at most; True if the service cannot say."""


def assume_it_exists() -> bool:
    """Trust a refusal: nothing was held before, or no call can check it."""
    return True


def make_model_check(client: tinker.TrainingClient) -> StillExists:
    """Return a check for a model in training by `get_info`, which every service has: the SDK needs it to open one."""
    body = {"model_id": client.model_id}
    kind = tinker.types.GetInfoResponse
    return lambda: _ask_service(
        client.holder, lambda asked: asked.post(INFO, body=body, cast_to=kind, options=ONCE), answered=True
    )


def make_sampler_check(client: tinker.SamplingClient) -> StillExists:
    """Return a check for a sampler, if the service has a call for it."""
    path = SAMPLER.format(client._sampling_session_id)  # noqa: SLF001 - the SDK publishes the name nowhere else
    kind = tinker.types.GetSamplerResponse
    return lambda: _ask_service(client.holder, lambda asked: asked.get(path, cast_to=kind, options=ONCE))


def _ask_service(holder: Any, question: Callable[[Any], Awaitable[object]], *, answered: bool = False) -> bool:
    """Ask the question; True if the answer is good. `answered` means that every service has this call.

    A service that gives no good answer now is not believed when it refuses.
    """

    async def ask() -> None:
        with holder.aclient(ClientConnectionPoolType.TRAIN) as asked:
            await question(asked)

    try:
        holder.run_coroutine_threadsafe(ask()).result(WITHIN)
    except TimeoutError:
        return False
    except tinker.APIError as error:
        failure = translate(error)
        return failure.fault is Fault.ACCOUNT or (failure.lacking and not answered)
    return True
