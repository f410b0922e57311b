"""Collect what a service's support needs to look into a sweep, without anything that people wrote.

Causes and events can quote prompts, answers and rows of data, and code of users can say anything. So of a text only
codes are kept: statuses, the names of errors, ids of requests, and which of our own phrases begins it.
"""

import io
import json
import os
import platform
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from scheduler.engine.retry import Fault
from scheduler.processes.secret_values import Redaction
from scheduler.services import find_pool
from scheduler.settings import Settings
from scheduler.state import keys
from scheduler.state.events import Event, read_events
from scheduler.state.keeping.archive import open_archive
from scheduler.state.pages import read_in_pages
from scheduler.state.server.failover import read_books
from scheduler.state.store import FAILED, Store
from scheduler.state.views import SweepView

PACKAGES = ("tinker-sweeps", "tinker", "celery", "redis", "httpx")
NUMBERS = (  # of the settings: none of them is a path, an address or a secret
    *("threads", "workers", "slots", "slots_start", "slots_least", "lease", "grace", "silence", "stall", "day_budget"),
    *("deaf", "frozen", "housekeeping", "usage_lag", "requests_per_second", "tokens_per_minute", "step"),
    *("environment_memory", "sandbox"),
)
STAGE_FIELDS = ("kind", "state", "attempt", "service", "lane", "started", "since", "steps", "tokens", "worker", "cause")
FAILURES = tuple(f"{FAILED}{fault}" for fault in Fault)
EVERY = 100_000  # events: more than are kept

STATUS = re.compile(r"(?<![\w.])[45]\d\d(?![\w.])")
ERROR = re.compile(r"\b[A-Z]\w*(?:Error|Exception|Timeout)\b")
REQUEST = re.compile(r"\brequest ([0-9A-Za-z][0-9A-Za-z_-]{7,63})\b")
PHRASES = (  # of ours, which begin a cause or the detail of an event
    *("the lease ran out", "no worker claimed it in time", "its claim may be lost", "no progress for", "charged to"),
    *("no answer from the service", "could not report progress", "lost twice", "continues from", "the service names"),
)


def build_bundle(
    store: Store, settings: Settings, view: SweepView, sessions: Mapping[str, Sequence[Mapping[str, Any]] | str]
) -> bytes:
    """Build the archive (.tar.gz) of a sweep.

    `sessions` maps each service to the sessions that it knows of this fleet, or to the reason why it did not tell.
    """
    stages: Sequence[str] = open_archive(store, view.name).client.zrange(keys.sweep_stages(view.name), 0, -1)
    mine = {name: _select_sessions(rows, set(stages)) for name, rows in sessions.items() if not isinstance(rows, str)}
    failed = {name: read_codes(why) for name, why in sessions.items() if isinstance(why, str)}
    files = {
        "manifest.json": [_make_manifest(store, settings, view) | {"services_that_did_not_tell": failed}],
        "stages.jsonl": _read_stages(store, view.name, stages),
        "events.jsonl": [_make_event_row(event) for event in read_events(store, view.name, last=EVERY)],
        "services.jsonl": _read_services(store, view.services, view.lanes),
        "sessions.jsonl": [{"service": name, **row} for name, rows in mine.items() for row in rows],
    }
    return _pack(f"{view.name}-incident", files, Redaction.read(os.environ))


def read_codes(text: str) -> dict[str, Any]:
    """Return what of a text may leave the house."""
    return {
        "phrase": next((phrase for phrase in PHRASES if text.startswith(phrase)), ""),
        "statuses": sorted(set(STATUS.findall(text))),
        "errors": sorted(set(ERROR.findall(text))),
        "requests": sorted(set(REQUEST.findall(text))),
    }


def _make_manifest(store: Store, settings: Settings, view: SweepView) -> dict[str, Any]:
    server = store.client.info("server")
    return {
        "written_at": store.read_now().isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version(), "server": str(server.get("redis_version", ""))},
        "system": f"{platform.system()} {platform.machine()}",
        "settings": {name: getattr(settings, name) for name in NUMBERS} | {"data_limit": settings.data.limit},
        "fleet": store.read_fleet_name(),
        "sweep": view.name,
        "state": view.state,
        "submitted_at": view.submitted / 1000,
        "stages": dict(view.counts),
        "tokens": view.tokens,
        "spent_usd": view.spent / 1e6,
        "reserved_usd": view.reserved / 1e6,
        "unreconciled_usd": view.unreconciled / 1e6,
        "gate": view.gate or "",
        "books_closed": bool(read_books(store).closed),
    }


def _read_stages(store: Store, sweep: str, stages: Sequence[str]) -> list[dict[str, Any]]:
    client, fields = open_archive(store, sweep).client, [*STAGE_FIELDS, *FAILURES]
    rows = read_in_pages(client, stages, lambda pipe, stage: pipe.hmget(keys.stage(stage), fields))
    return [_make_stage_row(stage, dict(zip(fields, row, strict=True))) for stage, row in rows]


def _make_stage_row(stage: str, row: Mapping[str, str | None]) -> dict[str, Any]:
    failures = {field.removeprefix(FAILED): int(row[field] or 0) for field in FAILURES if row[field]}
    known = {field: row[field] for field in STAGE_FIELDS if field != "cause"}
    return {"stage": stage, **known, "failures": failures, "cause": read_codes(row["cause"] or "")}


def _make_event_row(event: Event) -> dict[str, Any]:
    moved = {"from": event.from_state, "to": event.to, "attempt": event.attempt, "worker": event.worker}
    return {"at": event.at / 1000, "stage": event.stage, **moved, "detail": read_codes(event.detail)}


def _read_services(store: Store, services: Sequence[str], lanes: Sequence[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for service in services:
        breaker = store.client.hgetall(keys.breaker(service))
        state = {name: breaker.get(name) for name in ("state", "since", "next")}
        pools = {find_pool(lane) for lane in lanes if lane.startswith(f"{service}/")}
        limits = {pool: store.client.hget(keys.capacity(pool), "limit") for pool in sorted(pools)}
        rows.append({"service": service, **state, "cause": read_codes(breaker.get("cause", "")), "limits": limits})
    return rows


def _select_sessions(rows: Iterable[Mapping[str, Any]], stages: set[str]) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["stage"] in stages]


def _pack(folder: str, files: Mapping[str, Sequence[Mapping[str, Any]]], redaction: Redaction) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, rows in files.items():
            text = "".join(json.dumps(row, default=str) + "\n" for row in rows)
            content = redaction.apply(text).encode()
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()
