"""What probes of containers ask: is this process alive, and can it do its work?"""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from scheduler.processes.health_checks import check_redis, check_workers
from scheduler.state.connection import RedisError
from scheduler.state.workers import read_leader
from web.site import Here

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def is_alive() -> JSONResponse:
    """Answer while the process lives. It asks nobody else, and no login."""
    return JSONResponse({"alive": True})


@router.get("/readyz")
def is_ready(site: Here) -> JSONResponse:
    """Does Redis take writes, does a leader tick, does a worker live? Which of them is all that it says."""
    client = site.store.client
    parts = {"redis": False, "leader": False, "worker": False}
    try:
        parts["redis"] = bool(check_redis(client).healthy)
        _, ticked = read_leader(client)
        parts["leader"] = ticked.at > 0
        parts["worker"] = bool(check_workers(client, None).healthy)
    except RedisError:
        pass  # what was not found out is not ready
    return JSONResponse({"ready": all(parts.values()), **parts}, 200 if all(parts.values()) else 503)
