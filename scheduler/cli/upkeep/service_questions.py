"""Ask a service through a program of the worker, because only the worker speaks its protocol."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from scheduler.errors import SchedulerError
from scheduler.processes.addresses import is_up, read_addresses
from scheduler.services import find_service
from scheduler.settings import Settings

PATIENCE = 600.0  # seconds for the whole answer about a large account
LIVE = "tinker"  # any name that is no offline model


def ask_service(settings: Settings, model: str, program: str, *arguments: str) -> Mapping[str, Any]:
    """Run a program of the worker for the service of a model; return the JSON that it prints. Raises SchedulerError."""
    environment = dict(os.environ)
    if find_service(model) == "offline" and settings.offline_url is None:
        addresses = read_addresses(settings.home) if is_up(settings.home) else None
        if addresses is None:
            raise SchedulerError("this needs a running tinker_offline: start one with `sweep up`")
        environment["SWEEP_OFFLINE_URL"] = addresses.offline_url
    command = [sys.executable, "-W", "ignore", "-m", program, model, *arguments]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, timeout=PATIENCE, check=False)
    try:
        document: Mapping[str, Any] = json.loads(ended.stdout)
    except ValueError:
        raise SchedulerError(f"{program} ended with status {ended.returncode} and without an answer") from None
    if "error" in document:
        raise SchedulerError(str(document["error"]))
    return document
