"""Lay files that were sent into a folder of their own, each whole and as it was announced."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from scheduler.artefacts import Artefacts, locate_upload
from scheduler.settings import Settings
from web.api.problems import NotSent, TooMuch


def lay_files(settings: Settings, files: Mapping[str, str], here: Path, folder: Path) -> None:
    """Lay files by their checked paths from `here` and their SHA-256, all in `folder`. Raise NotSent or TooMuch."""
    artefacts, room = Artefacts(settings.store), settings.data.limit
    for name, sha256 in files.items():
        target = here / name
        if not re.fullmatch("[0-9a-f]{64}", sha256) or not artefacts.has(locate_upload(sha256)):
            raise NotSent(f"{name}: no file {sha256[:64]!r} was sent; send it first: PUT /api/v1/data/SHA256")
        content = artefacts.read(locate_upload(sha256))
        room -= len(content)
        if room < 0:
            raise TooMuch(f"{name}: the files of one spec may have {settings.data.limit:,} bytes together")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise NotSent(f"{name}: the file {sha256} was changed in the store; send it again")
        if any(above.is_file() for above in target.parents if above.is_relative_to(folder)) or target.is_dir():
            raise NotSent(f"{name}: is a folder and a file; name each file once")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
