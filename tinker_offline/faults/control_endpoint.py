"""Serve /offline/: read and set the faults, tick the clock, expire checkpoints, crash, and read usage.

It is beside the API, and offered only with --control.
"""

import os
import signal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tinker_offline.errors import Refusal
from tinker_offline.faults.accidents import Faults, FaultsInvalid, read_faults
from tinker_offline.faults.scenario import Scenario
from tinker_offline.service import Service


class Expire(BaseModel):
    """The checkpoints to expire now: their paths, or all."""

    model_config = ConfigDict(extra="forbid")
    paths: list[str] | Literal["all"]


def make_control_routes() -> list[Route]:
    return [
        Route("/offline/faults", _get_faults, methods=["GET"]),
        Route("/offline/faults", _set_faults, methods=["PUT"]),
        Route("/offline/faults", _clear_faults, methods=["DELETE"]),
        Route("/offline/tick", _tick, methods=["POST"]),
        Route("/offline/crash", _crash, methods=["POST"]),
        Route("/offline/expire", _expire, methods=["POST"]),
        Route("/offline/usage", _get_usage, methods=["GET"]),
    ]


async def _get_faults(request: Request) -> Response:
    return JSONResponse(_get_scenario(request).describe())


async def _set_faults(request: Request) -> Response:
    try:
        faults = read_faults((await request.body()).decode(errors="replace"), request.app.state.paths)
    except FaultsInvalid as invalid:
        raise Refusal(str(invalid), 422) from None
    _get_scenario(request).set(faults)
    return await _get_faults(request)


async def _clear_faults(request: Request) -> Response:
    _get_scenario(request).set(Faults())
    return await _get_faults(request)


async def _tick(request: Request) -> Response:
    _get_scenario(request).tick()
    return await _get_faults(request)


def _get_scenario(request: Request) -> Scenario:
    scenario: Scenario = request.app.state.scenario
    return scenario


async def _crash(_: Request) -> Response:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


async def _expire(request: Request) -> Response:
    service: Service = request.app.state.service
    try:
        asked = Expire.model_validate_json(await request.body())
    except ValidationError:
        raise Refusal('expected {"paths": ["tinker://…", …]} or {"paths": "all"}', 422) from None
    paths = [checkpoint.path for checkpoint in service.checkpoints.list()] if asked.paths == "all" else asked.paths
    service.checkpoints.expire(paths)
    return JSONResponse({"expired": paths})


async def _get_usage(request: Request) -> Response:
    """Return user_metadata, tokens by kind and operations by session, complete up to this request."""
    service: Service = request.app.state.service
    await service.futures.wait_for_work()
    return JSONResponse(
        {"sessions": {name: _describe_usage(service, name, sums) for name, sums in service.usage.sum_totals().items()}}
    )


def _describe_usage(service: Service, session_id: str, sums: dict[str, dict[str, int]]) -> dict[str, Any]:
    return {"user_metadata": service.sessions.get(session_id).request.user_metadata, **sums}
