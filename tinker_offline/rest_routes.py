"""What can be looked up: sessions, training runs, checkpoints, usage."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from tinker_offline import request_models
from tinker_offline.checkpoints import Run
from tinker_offline.errors import Refusal
from tinker_offline.model import characters
from tinker_offline.model.ngram import SIZES
from tinker_offline.service import Service
from tinker_offline.sessions import Session

Json = dict[str, Any]
Query = Mapping[str, str]
T = TypeVar("T")


def capabilities() -> Json:
    length = characters.CONTEXT_LENGTH
    return {
        "supported_models": [
            {"model_name": name, "max_context_length": length, "trainable": True, "sampleable": True} for name in SIZES
        ]
    }


def sessions(service: Service, query: Query) -> Json:
    chosen, _ = _page([session.session_id for session in service.sessions.all()], query)
    return {"sessions": chosen}


def session(service: Service, session_id: str) -> Json:
    found = service.sessions.get(session_id)
    return {
        "training_run_ids": found.runs,
        "sampler_ids": found.samplers,
        "user_metadata": found.request.user_metadata,
        "display_name": found.request.display_name,
    }


def search(service: Service, request: request_models.SearchSessions) -> Json:
    found = service.sessions.search(request)
    page, cursor = found[: request.limit], None
    if len(found) > request.limit:
        last = page[-1]
        cursor = {"last_created_at": last.created_at.isoformat(), "last_session_id": last.session_id}
    return {"sessions": [_summary(service, one) for one in page], "next_cursor": cursor}


def _summary(service: Service, found: Session) -> Json:
    checkpoints = [one for run in found.runs for one in service.checkpoints.list(run)]
    return {
        "session_id": found.session_id,
        "created_at": found.created_at.isoformat(),
        "owner": "offline",
        "project_id": "offline",
        "status": found.status(),
        "checkpoints_count": len(checkpoints),
        "display_name": found.request.display_name,
        "user_metadata": found.request.user_metadata,
        "checkpoint_storage_bytes": sum(one.size_bytes for one in checkpoints),
    }


def training_runs(service: Service, query: Query) -> Json:
    chosen, cursor = _page(service.checkpoints.runs(), query)
    return {"training_runs": [_run(service, run) for run in chosen], "cursor": cursor}


def training_run(service: Service, run_id: str) -> Json:
    return _run(service, service.checkpoints.run(run_id))


def _run(service: Service, run: Run) -> Json:
    checkpoints = service.checkpoints.list(run.run_id)
    last = {folder: next((one for one in checkpoints if one.folder == folder), None) for folder in _FOLDERS}
    described = {_FOLDERS[folder]: one.described() if one else None for folder, one in last.items()}
    return {
        "training_run_id": run.run_id,
        "base_model": run.base_model,
        "model_owner": "offline",
        "is_lora": True,
        "lora_rank": run.rank,
        "last_request_time": max([run.created_at, *(one.time for one in checkpoints)]),
        "user_metadata": run.user_metadata,
        **described,
    }


_FOLDERS = {"weights": "last_checkpoint", "sampler_weights": "last_sampler_checkpoint"}


def run_checkpoints(service: Service, run_id: str) -> Json:
    service.checkpoints.run(run_id)
    return {"checkpoints": [one.described() for one in service.checkpoints.list(run_id)]}


def checkpoints(service: Service, query: Query) -> Json:
    chosen, cursor = _page(service.checkpoints.list(), query)
    return {"checkpoints": [one.described() for one in chosen], "cursor": cursor}


def weights_info(service: Service, request: request_models.OfPath) -> Json:
    run = service.checkpoints.run(service.checkpoints.get(request.tinker_path).run_id)
    return {"base_model": run.base_model, "is_lora": True, "lora_rank": run.rank}


async def usage_events(service: Service, query: Query) -> Json:
    """Usage by hour and session: complete up to `cost_data_through`, where the live service lags by hours."""
    through = datetime.now(UTC)
    await service.futures.counted()
    events = service.usage.events(_moment(query, "starting_on"), _moment(query, "ending_before"))
    known = {event["session_id"]: service.sessions.get(event["session_id"]) for event in events}
    owners = {session_id: {"user_metadata": one.request.user_metadata} for session_id, one in known.items()}
    return {"data": events, "sessions": owners, "cost_data_through": through.isoformat()}


def _moment(query: Query, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(query.get(name, ""))
    except ValueError:
        raise Refusal(f"{name} is {query.get(name)!r}; a moment like 2026-07-13T00:00:00Z is needed") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _page(found: list[T], query: Query) -> tuple[list[T], Json]:
    try:
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 20))
    except ValueError:
        raise Refusal(f"offset and limit must be whole numbers, not {dict(query)}") from None
    return found[offset : offset + limit], {"offset": offset, "limit": limit, "total_count": len(found)}
