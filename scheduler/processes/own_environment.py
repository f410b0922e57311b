"""Keep secrets out of what the system shows of a process: its environment is a way in, and not a way that stays.

`/proc/PID/environ` shows what a process was started with, as long as it runs, to root and often to every process of the
same user. So a child gets its secrets in an anonymous file, and each process of ours wipes what it was started with.
Programs that it runs find its variables all the same: they are copied first.
"""

import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import IO, Any

HANDED = "SWEEP_HANDED_OVER"  # the descriptor of the anonymous file
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|WEBHOOK|_URL|_URI|DSN|COOKIE", re.IGNORECASE)
SECRET_VALUE = re.compile(r"https?://[^/\s]+/[^/\s]|://[^/\s@]+@")  # where notices go, in any variable; a login
PUBLIC = {"SWEEP_OFFLINE_URL", "SWEEP_SECRETS"}
ENVIRONMENT_IN_STAT = slice(47, 49)  # of the fields behind the name: where it begins and where it ends


def is_secret(name: str, environment: Mapping[str, str]) -> bool:
    """Say whether a variable may hold a secret: by its name, or because it holds an address of notices or a login.

    Notices of the fleet name their variables in a setting; those of a sweep are named in its spec, which is not known.
    """
    notified = environment.get("SWEEP_NOTIFY", "").replace(",", " ").split()
    may_be = SECRET.search(name) or SECRET_VALUE.search(environment.get(name, "")) or f"env:{name}" in notified
    return name not in PUBLIC and bool(may_be)


def drop_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that needs no secret."""
    return {name: value for name, value in environment.items() if not is_secret(name, environment)}


def start_process(command: Sequence[str], environment: Mapping[str, str], **options: Any) -> "subprocess.Popen[Any]":
    """Start a process of ours, which calls `take_environment`; its secrets are in no environment that others see."""
    public = drop_secrets(environment)
    with _open_anonymous() as file:
        file.write(json.dumps({name: environment[name] for name in environment.keys() - public.keys()}).encode())
        file.flush()
        return subprocess.Popen(
            command, env={**public, HANDED: str(file.fileno())}, pass_fds=[file.fileno()], **options
        )


def _open_anonymous() -> IO[bytes]:
    return os.fdopen(os.memfd_create("environment"), "w+b") if sys.platform == "linux" else tempfile.TemporaryFile()


def take_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Take what the parent handed over, and wipe what this process was started with. To be called early."""
    if descriptor := environment.pop(HANDED, ""):
        with os.fdopen(int(descriptor), "rb") as file:
            file.seek(0)
            environment.update(json.loads(file.read()))
    if sys.platform == "linux" and environment is os.environ:
        _wipe()


def _wipe() -> None:
    """Overwrite the secrets in the memory that /proc shows. Python and libraries read the copies from then on."""
    for name, value in [*os.environ.items()]:
        if is_secret(name, os.environ):
            os.environ[name] = value  # copies it, outside this memory
    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    start, end = map(int, fields[ENVIRONMENT_IN_STAT])
    at = start
    for entry in ctypes.string_at(start, max(0, end - start)).split(b"\0"):
        variable, _, secret = entry.partition(b"=")
        if is_secret(os.fsdecode(variable), os.environ):
            ctypes.memset(at + len(entry) - len(secret), 0, len(secret))
        at += len(entry) + 1
