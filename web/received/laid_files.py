"""Lay files that were sent into a folder of their own, each whole and as it was announced."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from scheduler.artefacts import Artefacts, locate_upload
from scheduler.settings import Settings
from web.api.problems import NotSent, TooMuch


def lay_files(settings: Settings, user: str, files: Mapping[str, str], here: Path, folder: Path) -> None:
    """Lay a user's files by their checked paths from `here` and their SHA-256. Raise NotSent or TooMuch."""
    artefacts, room = Artefacts(settings.store), settings.data.limit
    for name, sha256 in files.items():
        target, size = here / name, None
        if re.fullmatch("[0-9a-f]{64}", sha256):
            size = artefacts.find_size(locate_upload(user, sha256))
        if size is None:
            raise NotSent(f"{name}: no file {sha256[:64]!r} was sent; send it first: PUT /api/v1/data/SHA256")
        room -= size
        if room < 0:
            raise TooMuch(f"{name}: the files of one spec may have {settings.data.limit:,} bytes together")
        if any(above.is_file() for above in target.parents if above.is_relative_to(folder)) or target.is_dir():
            raise NotSent(f"{name}: is a folder and a file; name each file once")
        target.parent.mkdir(parents=True, exist_ok=True)
        artefacts.copy(locate_upload(user, sha256), target)
        with target.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise NotSent(f"{name}: the file {sha256} was changed in the store; send it again")
