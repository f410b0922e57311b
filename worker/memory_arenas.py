"""Keep the memory of a process with many threads from being scattered."""

import ctypes
import sys
from contextlib import suppress

M_ARENA_MAX = -8
ARENAS = 2


def limit_arenas() -> None:
    """Let all threads share two arenas of glibc. Does nothing elsewhere.

    By default there are eight for each processor, and each keeps what its threads have freed.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another library of C
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
