"""Keep checkpoints longer, and export them: python -m worker.maintenance.weights_main MODEL JSON.

JSON is {"paths", "seconds", "download"}: checkpoints of trainings of this model, how long they live from now (null: as
they are), and whether to export them. It prints one JSON object: {"checkpoints": [{"path", "exists", "external",
"urls"}]}, or {"error": ...}.
"""

import json
import logging
import sys
from collections.abc import Callable
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


def keep_and_export(
    endpoint: Callable[[], Endpoint], path: str, seconds: int | None, *, download: bool
) -> dict[str, Any]:
    """Do both for one checkpoint. Raises ServiceError."""
    account = AccountClient(endpoint())
    exists = account.extend(path, seconds) if seconds else None
    if not download or exists is False:
        return {"path": path, "exists": exists, "external": None, "urls": {}}
    session = Session(endpoint, {"purpose": "sweep weights"})
    try:
        trainer = session.restore(path, optimizer=False).wait(lambda: None)
        external = trainer.export(NAME, ttl_seconds=LASTS).wait(lambda: None)
    finally:
        with suppress(Exception):  # else it times out by itself
            session.close("success").result(CLOSING)
    return {"path": path, "exists": True, "external": external, "urls": account.list_files(external)}


def main(arguments: list[str]) -> int:
    """Return the exit status: 0, or 1 if the service does not do it."""
    model, asked = arguments[0], json.loads(arguments[1])
    try:
        endpoints = make_endpoints(read_settings())
        rows = [
            keep_and_export(lambda: endpoints(model), path, asked["seconds"], download=asked["download"])
            for path in asked["paths"]
        ]
    except (SchedulerError, ServiceError) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return 1
    sys.stdout.write(json.dumps({"checkpoints": rows}) + "\n")
    return 0


if __name__ == "__main__":
    logging.getLogger("tinker").setLevel(logging.ERROR)
    sys.exit(main(sys.argv[1:]))
