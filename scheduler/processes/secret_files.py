"""Read secrets from files: containers, systemd and Kubernetes all give a folder with one file for each.

What is read goes into the environment of this process alone: `docker inspect`, a unit file and `/proc/PID/environ`,
which shows what a process was started with, do not have it.
"""

import os
import re
from collections.abc import MutableMapping
from pathlib import Path

from scheduler.errors import SettingInvalid
from scheduler.processes.own_environment import take_environment
from scheduler.settings import SECRETS

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
LONGEST = 64_000  # bytes


def load_secrets(environment: MutableMapping[str, str] = os.environ) -> None:
    """Take what our parent handed over, and what is in the folder of SWEEP_SECRETS.

    The file NAME there says what the variable NAME is; an empty file sets nothing, and other names are skipped. Raises
    SettingInvalid, without the secret, if a variable already has another value.
    """
    take_environment(environment)
    if not (folder := environment.get(SECRETS)):
        return
    try:
        files = sorted(path for path in Path(folder).iterdir() if VARIABLE.fullmatch(path.name))
    except OSError as error:
        raise SettingInvalid(f"{SECRETS}={folder}: expected a folder with secrets: {error.strerror}") from None
    for path in files:
        if secret := _read_secret(path):
            if environment.get(path.name, secret) not in ("", secret):
                raise SettingInvalid(
                    f"{path.name} is set, and {path} has another value; unset the variable or empty the file"
                )
            environment[path.name] = secret


def _read_secret(path: Path) -> str:
    try:
        with path.open("rb") as file:
            secret = file.read(LONGEST + 1).decode().strip()
    except OSError as error:
        raise SettingInvalid(f"{SECRETS}: {path}: {error.strerror}; let the user of this process read it") from None
    except UnicodeDecodeError:
        raise SettingInvalid(f"{SECRETS}: {path}: expected text, got other bytes") from None
    if len(secret) > LONGEST or not secret.isprintable():
        raise SettingInvalid(f"{SECRETS}: {path}: expected one line of text")
    return secret
