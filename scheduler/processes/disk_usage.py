"""Measure how full the disks are that a process fills."""

import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from scheduler.settings import Settings


def list_local_folders(settings: Settings) -> list[Path]:
    """List the folders of this machine that the fleet fills: the state folder, and the store if it is one."""
    folders = [settings.home] if settings.redis_url is None else []
    if "://" not in settings.store and not Path(settings.store).is_relative_to(settings.home):
        folders.append(Path(settings.store))
    return folders or [settings.home]


def measure_disks(folders: Collection[Path]) -> dict[str, float]:
    """Measure the share of each folder's disk that is used, as `df` says; without folders that cannot be read."""
    shares = {}
    for folder in folders:
        with suppress(OSError):
            usage = shutil.disk_usage(folder)
            shares[str(folder)] = usage.used / (usage.used + usage.free)  # without what root alone may use
    return shares
