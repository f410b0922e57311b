"""Keep files that were sent in the artefact store: each user's under the hash of their content, up to a limit."""

import threading
from pathlib import Path

from scheduler.artefacts import Artefacts, locate_upload, locate_uploads
from scheduler.settings import Settings
from web.api.problems import TooMuch

_keeping = threading.Lock()  # two files of a user do not both take the last room


def keep_upload(settings: Settings, user: str, sha256: str, draft: Path) -> bool:
    """Keep a file of a user; return whether it is new. Raise TooMuch if the user has no room for it."""
    artefacts, path = Artefacts(settings.store), locate_upload(user, sha256)
    if artefacts.has(path):
        return False
    with _keeping:
        taken = sum(file.size for file in artefacts.list_files(locate_uploads(user)))
        most, more = settings.data.uploads, draft.stat().st_size
        if taken + more > most:
            raise TooMuch(
                f"the files that you sent would have {taken + more:,} bytes, and {most:,} are allowed "
                "(SWEEP_UPLOADS at the server); the server deletes old ones by itself"
            )
        artefacts.write_file(path, draft)
    return True
