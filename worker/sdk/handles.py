"""Is what we hold at the service there still? By what words it refuses what is lost, each server decides for itself."""

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
"""Does the service have it still? Blocks for a few seconds at most. True also where it cannot be asked."""


def assume_it_exists() -> bool:
    """Nothing was held before, or nobody can say: a refusal is taken at its word."""
    return True


def make_model_check(client: tinker.TrainingClient) -> StillExists:
    """Whether a model in training is there: `get_info`, which every service has, for the SDK opens none without it."""
    body = {"model_id": client.model_id}
    kind = tinker.types.GetInfoResponse
    return lambda: _ask_service(
        client.holder, lambda asked: asked.post(INFO, body=body, cast_to=kind, options=ONCE), answered=True
    )


def make_sampler_check(client: tinker.SamplingClient) -> StillExists:
    """The same of a sampler, where the service has a call that tells."""
    path = SAMPLER.format(client._sampling_session_id)  # noqa: SLF001 - the SDK says its name nowhere else
    kind = tinker.types.GetSamplerResponse
    return lambda: _ask_service(client.holder, lambda asked: asked.get(path, cast_to=kind, options=ONCE))


def _ask_service(holder: Any, question: Callable[[Any], Awaitable[object]], *, answered: bool = False) -> bool:
    """`answered`: the service has this call for sure. Who gives no good answer now is not believed when it refuses."""

    async def ask() -> None:
        with holder.aclient(ClientConnectionPoolType.TRAIN) as asked:
            await question(asked)

    try:
        holder.run_coroutine_threadsafe(ask()).result(WITHIN)
    except TimeoutError:
        return False
    except tinker.APIError as error:
        said = translate(error)
        return said.fault is Fault.ACCOUNT or (said.lacking and not answered)
    return True
