"""Find the setting that a path comes from, for errors of the file system."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from scheduler.settings import DEFAULTS
from sweeps.spec.home_paths import expand


def find_setting(path: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the setting whose folder contains a path, or None."""
    for name in ("SWEEP_STORE", "SWEEP_CACHE", "SWEEP_ENVIRONMENTS", "SWEEP_HOME"):
        text = environment.get(name) or DEFAULTS.get(name)
        with suppress(ValueError):
            if text and Path(path).absolute().is_relative_to(Path(expand(text)).absolute()):
                return name
    return None
