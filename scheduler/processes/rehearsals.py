"""Check the fault document that SWEEP_REHEARSAL names, by a process of tinker_offline."""

import subprocess
import sys

from scheduler.errors import SettingInvalid
from scheduler.settings import Settings

CHECK = [sys.executable, "-m", "tinker_offline", "--check"]


def check_rehearsal(settings: Settings) -> None:
    """Raise SettingInvalid with every finding and its line, unless the document is valid."""
    if settings.rehearsal is None or settings.offline_url is not None:  # a running server has its own document
        return
    asked = subprocess.run([*CHECK, str(settings.rehearsal)], capture_output=True, text=True, check=False)
    if asked.returncode:
        lines = asked.stderr.strip().splitlines()
        findings = "\n".join(lines[1:]) if len(lines) > 1 else f"could not check it: {' '.join(lines)}"
        raise SettingInvalid(f"SWEEP_REHEARSAL={settings.rehearsal}: expected a fault document:\n{findings}")
