"""Put this process out of reach of the others: Linux namespaces, and memory that nobody else may read.

The processes of one user may read each other's environment in /proc, and an API key is often in one: of a worker, of
the shell or the container that started it. In a process-id namespace with a /proc of its own, other people's code sees
its own processes and no others; when the first of them ends, the kernel ends all. Without the right to namespaces
(some containers forbid them) only `hide_memory` protects, and only the processes that call it.
"""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_DUMPABLE = 4
NEW_MOUNTS, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x0002_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000
PRIVATE = 0x0004_0000 | 0x0000_4000  # MS_PRIVATE | MS_REC
NOSUID_NODEV_NOEXEC = 2 | 4 | 8


class NoNamespaces(Exception):
    """The kernel does not let this process have namespaces of its own."""


def hide_memory() -> None:
    """Let no other process of this user read our memory and our environment. Does nothing but on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def enter_namespaces(*, network: bool) -> None:
    """Move to new namespaces of users and mounts; the next child is the first process of a new namespace of processes.

    Without `network` there is none but the own machine's loopback, which is down. To be called while there is one
    thread. Raises NoNamespaces.
    """
    if sys.platform != "linux":
        raise NoNamespaces("this system has no namespaces")
    user, group = os.getuid(), os.getgid()
    _call("unshare", NEW_USER | NEW_MOUNTS | NEW_PROCESSES | (0 if network else NEW_NETWORK))
    try:
        with suppress(FileNotFoundError):
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    except OSError as error:
        raise NoNamespaces(str(error)) from None


def mount_own_processes() -> None:
    """Show in /proc only the processes of this namespace. Raises NoNamespaces."""
    _call("mount", b"none", b"/", None, PRIVATE, None)
    _call("mount", b"proc", b"/proc", b"proc", NOSUID_NODEV_NOEXEC, None)


def _call(name: str, *arguments: bytes | int | None) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        raise NoNamespaces(f"{name}: {os.strerror(ctypes.get_errno())}")
