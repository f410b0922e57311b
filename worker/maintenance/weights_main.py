"""Keep checkpoints longer, and export them: python -m worker.maintenance.weights_main MODEL JSON.

JSON is {"paths", "seconds", "download"}: checkpoints of trainings of this model, how long they live from now at least,
and whether to export them. It prints one JSON object: {"checkpoints": [{"path", "exists", "external", "urls"}]}, or
{"error": ...}.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from scheduler.errors import SchedulerError
from scheduler.settings import read_settings
from worker.sdk.endpoints import Endpoint, make_endpoints
from worker.sdk.failures import ServiceError
from worker.sdk.rest import AccountClient
from worker.sdk.session import Session

NAME = "export"
LASTS = 86_400  # seconds that an export is kept at the service
CLOSING = 15.0  # seconds


def keep_and_export_all(
    endpoint: Callable[[], Endpoint], paths: Sequence[str], seconds: int, *, download: bool
) -> list[dict[str, Any]]:
    """Let each of these checkpoints live so many seconds from now at least, and export it. Raises ServiceError.

    None lives shorter than before: an earlier command, or housekeeping, may have given it longer.
    """
    account = AccountClient(endpoint())
    expiries = {checkpoint.path: checkpoint.expires for checkpoint in account.list_all_checkpoints()}
    until, answered = time.time() + seconds, []
    for path in paths:
        exists, expires = path in expiries, expiries.get(path)
        if expires is not None and expires < until:
            exists = account.extend(path, seconds)
        answered.append(_export(endpoint, account, path) if download and exists else _describe(path, exists))
    return answered


def _describe(
    path: str, exists: bool, external: str | None = None, urls: Mapping[str, str] | None = None
) -> dict[str, Any]:
    return {"path": path, "exists": exists, "external": external, "urls": dict(urls or {})}


def _export(endpoint: Callable[[], Endpoint], account: AccountClient, path: str) -> dict[str, Any]:
    session = Session(endpoint, {"purpose": "sweep weights"})
    try:
        trainer = session.restore(path, optimizer=False).wait(lambda: None)
        external = trainer.export(NAME, ttl_seconds=LASTS).wait(lambda: None)
    finally:
        with suppress(Exception):  # else it times out by itself
            session.close("success").result(CLOSING)
    return _describe(path, True, external, account.list_files(external))


def main(arguments: list[str]) -> int:
    """Return the exit status: 0, or 1 if the service does not do it."""
    model, asked = arguments[0], json.loads(arguments[1])
    try:
        endpoints = make_endpoints(read_settings())
        rows = keep_and_export_all(
            lambda: endpoints(model), asked["paths"], asked["seconds"], download=asked["download"]
        )
    except (SchedulerError, ServiceError) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return 1
    sys.stdout.write(json.dumps({"checkpoints": rows}) + "\n")
    return 0


if __name__ == "__main__":
    logging.getLogger("tinker").setLevel(logging.ERROR)
    sys.exit(main(sys.argv[1:]))
