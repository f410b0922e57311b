"""Answer the requests that list sessions, training runs, checkpoints and usage."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from tinker_offline import request_models
from tinker_offline.checkpoints import TrainingRun
from tinker_offline.errors import Refusal
from tinker_offline.model import characters
from tinker_offline.model.ngram import SIZES
from tinker_offline.service import Service
from tinker_offline.sessions import ClientSession

Json = dict[str, Any]
Query = Mapping[str, str]
T = TypeVar("T")


def list_models() -> Json:
    length = characters.CONTEXT_LENGTH
    return {
        "supported_models": [
            {"model_name": name, "max_context_length": length, "trainable": True, "sampleable": True} for name in SIZES
        ]
    }


def list_sessions(service: Service, query: Query) -> Json:
    chosen, _ = _paginate([session.session_id for session in service.sessions.list_newest()], query)
    return {"sessions": chosen}


def get_session(service: Service, session_id: str) -> Json:
    session = service.sessions.get(session_id)
    return {
        "training_run_ids": session.runs,
        "sampler_ids": session.samplers,
        "user_metadata": session.request.user_metadata,
        "display_name": session.request.display_name,
    }


def search_sessions(service: Service, request: request_models.SearchSessions) -> Json:
    sessions = service.sessions.search(request)
    page, cursor = sessions[: request.limit], None
    if len(sessions) > request.limit:
        last = page[-1]
        cursor = {"last_created_at": last.created_at.isoformat(), "last_session_id": last.session_id}
    return {"sessions": [_summarise_session(service, session) for session in page], "next_cursor": cursor}


def _summarise_session(service: Service, session: ClientSession) -> Json:
    saved = [checkpoint for run in session.runs for checkpoint in service.checkpoints.list(run)]
    return {
        "session_id": session.session_id,
        "created_at": session.created_at.isoformat(),
        "owner": "offline",
        "project_id": "offline",
        "status": session.status(),
        "checkpoints_count": len(saved),
        "display_name": session.request.display_name,
        "user_metadata": session.request.user_metadata,
        "checkpoint_storage_bytes": sum(checkpoint.size_bytes for checkpoint in saved),
    }


def list_training_runs(service: Service, query: Query) -> Json:
    chosen, cursor = _paginate(service.checkpoints.list_runs(), query)
    return {"training_runs": [_describe_run(service, run) for run in chosen], "cursor": cursor}


def get_training_run(service: Service, run_id: str) -> Json:
    return _describe_run(service, service.checkpoints.get_run(run_id))


def _describe_run(service: Service, run: TrainingRun) -> Json:
    saved = service.checkpoints.list(run.run_id)
    last = {
        folder: next((checkpoint for checkpoint in saved if checkpoint.folder == folder), None) for folder in _FOLDERS
    }
    described = {_FOLDERS[folder]: checkpoint.describe() if checkpoint else None for folder, checkpoint in last.items()}
    return {
        "training_run_id": run.run_id,
        "base_model": run.base_model,
        "model_owner": "offline",
        "is_lora": True,
        "lora_rank": run.rank,
        "last_request_time": max([run.created_at, *(checkpoint.time for checkpoint in saved)]),
        "user_metadata": run.user_metadata,
        **described,
    }


_FOLDERS = {"weights": "last_checkpoint", "sampler_weights": "last_sampler_checkpoint"}


def list_run_checkpoints(service: Service, run_id: str) -> Json:
    service.checkpoints.get_run(run_id)
    return {"checkpoints": [checkpoint.describe() for checkpoint in service.checkpoints.list(run_id)]}


def list_checkpoints(service: Service, query: Query) -> Json:
    chosen, cursor = _paginate(service.checkpoints.list(), query)
    return {"checkpoints": [checkpoint.describe() for checkpoint in chosen], "cursor": cursor}


def get_weights_info(service: Service, request: request_models.OfPath) -> Json:
    run = service.checkpoints.get_run(service.checkpoints.get(request.tinker_path).run_id)
    return {"base_model": run.base_model, "is_lora": True, "lora_rank": run.rank}


async def list_usage_events(service: Service, query: Query) -> Json:
    """List usage by hour and session, complete up to `cost_data_through`; the live service lags by hours."""
    through = datetime.now(UTC)
    await service.futures.wait_for_work()
    events = service.usage.list_events(_parse_moment(query, "starting_on"), _parse_moment(query, "ending_before"))
    known = {event["session_id"]: service.sessions.get(event["session_id"]) for event in events}
    owners = {session_id: {"user_metadata": session.request.user_metadata} for session_id, session in known.items()}
    return {"data": events, "sessions": owners, "cost_data_through": through.isoformat()}


def _parse_moment(query: Query, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(query.get(name, ""))
    except ValueError:
        raise Refusal(f"{name}: expected a time like 2026-07-13T00:00:00Z, got {query.get(name)!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _paginate(items: list[T], query: Query) -> tuple[list[T], Json]:
    try:
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 20))
    except ValueError:
        raise Refusal(f"offset and limit: expected whole numbers, got {dict(query)}") from None
    return items[offset : offset + limit], {"offset": offset, "limit": limit, "total_count": len(items)}
