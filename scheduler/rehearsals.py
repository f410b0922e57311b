"""Is the file that SWEEP_REHEARSAL names one? Only `tinker_offline` knows, so it is asked."""

import subprocess
import sys

from scheduler.errors import SettingInvalid
from scheduler.settings import Settings

CHECK = [sys.executable, "-m", "tinker_offline", "--check"]


def check_rehearsal(settings: Settings) -> None:
    """Raise SettingInvalid, with every finding and its line, unless the rehearsal can begin."""
    if settings.rehearsal is None or settings.offline_url is not None:  # one that runs already has its own
        return
    asked = subprocess.run([*CHECK, str(settings.rehearsal)], capture_output=True, text=True, check=False)
    if asked.returncode:
        said = asked.stderr.strip().splitlines()
        found = "\n".join(said[1:]) if len(said) > 1 else f"it cannot be checked: {' '.join(said)}"
        raise SettingInvalid(f"SWEEP_REHEARSAL={settings.rehearsal} is no document of faults:\n{found}")
