"""Say whose sweeps a machine submits."""

import getpass
import os
import re

from scheduler.errors import SettingInvalid


def read_user(variable: str, name: str | None) -> str:
    """Return the name that the variable gives, else that of the operating system, or the number if that has none."""
    if name and not re.fullmatch(r"[^\s=,]{1,64}", name):
        raise SettingInvalid(f"{variable}: expected up to 64 characters without space, = or comma, got {name!r}")
    try:
        return name or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
