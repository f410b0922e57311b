"""Route each request: parse it, call one function, and encode its answer."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tinker_offline import external_files, request_models, rest_routes, samplers, training_ops, wire
from tinker_offline.api_keys import KeyCheck
from tinker_offline.errors import Refusal
from tinker_offline.faults.control_endpoint import make_control_routes
from tinker_offline.faults.fault_middleware import API, FaultMiddleware
from tinker_offline.faults.scenario import ACTIVE, Scenario
from tinker_offline.request_models import Message
from tinker_offline.service import Service

HOLD = 25.0  # seconds that a poll is held open: clients give up after 45 s, and would spin on instant answers
CLOSE = "ServiceClient.close"  # with this, a client finishes its own session; nothing else identifies clients
Endpoint = Callable[[Request], Awaitable[Response]]
M = TypeVar("M", bound=Message)
Json = dict[str, Any]

_log = logging.getLogger(__name__)


def create_app(
    service: Service, refused_keys: Sequence[str] = (), scenario: Scenario | None = None, *, control: bool = False
) -> Starlette:
    """Build the server. With a `scenario`, faults happen to requests whose key is valid; `control` adds /offline/."""
    fault_middleware = [Middleware(FaultMiddleware, scenario=scenario)] if scenario else []
    app = Starlette(
        routes=[*_make_routes(), *(make_control_routes() if control else ())],
        middleware=[Middleware(KeyCheck, refused=frozenset(refused_keys)), *fault_middleware],
        exception_handlers={Refusal: _answer_refusal, Exception: _answer_failure},
    )
    app.state.service, app.state.scenario, app.state.paths = service, scenario, list_paths()
    return app


def list_paths() -> list[str]:
    """List every path of the API without its common prefix, parameters in braces."""
    return [route.path.removeprefix(API) for route in _make_routes()]


def _make_routes() -> list[Route]:
    constants: dict[str, tuple[str, Json]] = {
        "/client/dynamic_config": ("POST", {"refresh_interval_sec": 3600}),  # the configuration never changes
        "/telemetry": ("POST", {"status": "accepted"}),
        "/healthz": ("GET", {"status": "ok"}),
        "/get_server_capabilities": ("GET", rest_routes.list_models()),
    }
    return [
        _make_route("POST", "/client/config", _get_client_config),
        *(_make_route(method, path, _answer_constant(answer)) for path, (method, answer) in constants.items()),
        _make_post("/create_session", request_models.CreateSession, _create_session),
        _make_post("/session_heartbeat", request_models.OfSession, _record_heartbeat),
        _make_route("POST", "/sessions/{session_id}/finish", _finish_session),
        _make_post("/create_model", request_models.CreateModel, training_ops.create_model),
        _make_post("/load_weights", request_models.LoadWeights, training_ops.load_weights),
        _make_post("/get_info", request_models.OfModel, training_ops.get_info),
        _make_route("POST", "/forward_backward", _forward_backward),
        _make_post("/optim_step", request_models.OptimStep, training_ops.optim_step),
        _make_post("/save_weights", request_models.SaveWeights, training_ops.save_weights),
        _make_post("/save_weights_for_sampler", request_models.SaveForSampler, training_ops.save_for_sampler),
        _make_post("/save_weights_external", request_models.SaveExternal, training_ops.save_external),
        _make_post("/create_sampling_session", request_models.CreateSampler, samplers.create_sampler),
        _make_post("/asample", request_models.Sample, samplers.sample),
        _make_get("/samplers/{id}", samplers.get_sampler),
        _make_route("POST", "/retrieve_future", _retrieve_future),
        _make_post("/sessions/search", request_models.SearchSessions, rest_routes.search_sessions),
        _make_query("/sessions", rest_routes.list_sessions),
        _make_get("/sessions/{id}", rest_routes.get_session),
        _make_query("/training_runs", rest_routes.list_training_runs),
        _make_get("/training_runs/{id}", rest_routes.get_training_run),
        _make_get("/training_runs/{id}/checkpoints", rest_routes.list_run_checkpoints),
        _make_route("DELETE", "/training_runs/{id}/checkpoints/{checkpoint:path}", _delete_checkpoint),
        _make_route("PUT", "/training_runs/{id}/checkpoints/{checkpoint:path}/ttl", _set_ttl),
        _make_route("GET", "/training_runs/{id}/checkpoints/{checkpoint:path}/external_weights_urls", _list_files),
        _make_route("GET", "/external_files/{id}/{name}/{file}", _send_file),
        _make_query("/checkpoints", rest_routes.list_checkpoints),
        _make_post("/weights_info", request_models.OfPath, rest_routes.get_weights_info),
        _make_route("GET", "/billing/usage/events", _list_usage_events),
    ]


def _make_route(method: str, path: str, endpoint: Endpoint) -> Route:
    return Route(f"{API}{path[1:]}", endpoint, methods=[method])


def _answer_constant(answer: Json) -> Endpoint:
    async def endpoint(_: Request) -> Response:
        return JSONResponse(answer)

    return endpoint


async def _get_client_config(_: Request) -> Response:
    """Return an empty configuration: every default of the client is right.

    The client asks once, on a connection that it never closes; so the server closes it.
    """
    return JSONResponse({}, headers={"Connection": "close"})


def _make_post(path: str, form: type[M], act: Callable[[Service, M], Json]) -> Route:
    async def endpoint(request: Request) -> Response:
        return JSONResponse(act(request.app.state.service, await _read(request, form)))

    return _make_route("POST", path, endpoint)


def _make_get(path: str, look_up: Callable[[Service, str], Json]) -> Route:
    async def endpoint(request: Request) -> Response:
        return JSONResponse(look_up(request.app.state.service, request.path_params["id"]))

    return _make_route("GET", path, endpoint)


def _make_query(path: str, look_up: Callable[[Service, rest_routes.Query], Json]) -> Route:
    async def endpoint(request: Request) -> Response:
        return JSONResponse(look_up(request.app.state.service, request.query_params))

    return _make_route("GET", path, endpoint)


async def _read(request: Request, form: type[M]) -> M:
    try:
        return form.model_validate_json(await request.body())
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise Refusal(f"not a valid {form.__name__}: {problems}", 422) from None


def _create_session(service: Service, request: request_models.CreateSession) -> Json:
    return {"type": "create_session", "session_id": service.sessions.create(request).session_id}


def _record_heartbeat(service: Service, request: request_models.OfSession) -> Json:
    service.sessions.heartbeat(request.session_id)
    return {"type": "session_heartbeat"}


async def _finish_session(request: Request) -> Response:
    service: Service = request.app.state.service
    session_id = request.path_params["session_id"]
    if not service.account.finish and request.headers.get("x-sdk-method") != CLOSE:
        raise Refusal(f"only the client that opened session {session_id} may finish it", 403)
    service.sessions.finish(session_id, await _read(request, request_models.FinishSession))
    service.release(service.sessions.get(session_id))
    return JSONResponse({})


async def _forward_backward(request: Request) -> Response:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal("expected an uncompressed body, as this server's client/config says", 415)
    return JSONResponse(training_ops.forward_backward(request.app.state.service, wire.read_pass(await request.body())))


async def _retrieve_future(request: Request) -> Response:
    service: Service = request.app.state.service
    scenario: Scenario | None = request.app.state.scenario
    request_id = (await _read(request, request_models.RetrieveFuture)).request_id
    if scenario is None:
        reply, why = await service.futures.wait(request_id, HOLD), ACTIVE
    else:
        reply, why = await scenario.wait(request_id, HOLD)
    if reply is None:
        return JSONResponse({"type": "try_again", "request_id": request_id, **why}, 408)
    if isinstance(reply, bytes):
        return Response(reply, media_type=wire.CONTENT_TYPE)
    return JSONResponse(reply)


async def _list_usage_events(request: Request) -> Response:
    return JSONResponse(await rest_routes.list_usage_events(request.app.state.service, request.query_params))


async def _delete_checkpoint(request: Request) -> Response:
    service: Service = request.app.state.service
    service.checkpoints.delete(_read_checkpoint_path(request))
    return Response(status_code=204)


async def _set_ttl(request: Request) -> Response:
    service: Service = request.app.state.service
    service.checkpoints.set_ttl(
        _read_checkpoint_path(request), (await _read(request, request_models.SetTtl)).ttl_seconds
    )
    return JSONResponse({})


async def _list_files(request: Request) -> Response:
    path, base = _read_checkpoint_path(request), str(request.base_url)
    return JSONResponse(external_files.list_urls(request.app.state.service, path, base))


async def _send_file(request: Request) -> Response:
    run_id, name, file = (request.path_params[part] for part in ("id", "name", "file"))
    content = external_files.read_file(request.app.state.service, run_id, name, file, dict(request.query_params))
    return Response(content, media_type="application/octet-stream")


def _read_checkpoint_path(request: Request) -> str:
    return f"tinker://{request.path_params['id']}/{request.path_params['checkpoint']}"


async def _answer_refusal(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return JSONResponse({"error": refusal.message}, refusal.status)


async def _answer_failure(_: Request, error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 500)
