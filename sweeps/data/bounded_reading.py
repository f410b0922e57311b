"""Read and unpack a source within bounded memory and time, whatever the file is.

A spec names files, and a spec may come from somebody else. A device never ends, a pipe that nobody writes to never
begins, and a small packed file may hold a thousand times its size. So only regular files are opened, and reading and
unpacking stop at a limit.
"""

import bz2
import gzip
import lzma
import stat
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

import zstandard

from sweeps.errors import DataError
from sweeps.formatting import format_count

PACKED: Mapping[str, bytes] = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".xz": b"\xfd7zXZ\x00", ".zst": b"\x28\xb5\x2f\xfd"}
OPEN: Mapping[str, Callable[[IO[bytes]], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": lambda file: zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(file, read_across_frames=True),
}
BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
NO_FILES = ("/proc", "/sys", "/dev")  # what is there looks like files, and is the system itself
MOST_BYTES = 2**30  # of a source, unpacked
CHUNK = 2**20
SETTING = "SWEEP_DATA_LIMIT"


class DataReach(NamedTuple):
    """How far a source may lead: bytes of a file, also unpacked; which URLs; and what fetches one of the web.

    `check` raises DataError for a URL that may not be read; without it all may. `fetch` returns at most so many bytes,
    or raises DataError; without it the web is not read. `inside` is the only folder whose files may be read; without it
    all may.
    """

    most_bytes: int = MOST_BYTES
    check: Callable[[str], None] | None = None
    fetch: Callable[[str, int], bytes] | None = None
    inside: Path | None = None


ANYWHERE = DataReach()


def refuse_irregular(path: Path, where: str) -> None:
    """Raise DataError unless a path of this machine leads to a regular file. One that is missing passes."""
    try:
        kind, real = path.stat().st_mode, path.resolve()
    except OSError:
        return  # opening it says why
    what = next((name for is_it, name in KINDS if is_it(kind)), "")
    if not what and any(real.is_relative_to(folder) for folder in NO_FILES):
        what = "a part of the system"
    if what:
        raise DataError(f"{where}: expected a regular file, got {what}; copy its content to a file")


def refuse_outside(path: Path, inside: Path, where: str) -> None:
    """Raise DataError unless a path leads into a folder."""
    if not path.resolve().is_relative_to(inside.resolve()):
        raise DataError(f"{where}: expected a file that was sent, got a path of the server; send it with the spec")


KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def read_bounded(file: IO[bytes], where: str, most: int) -> bytes:
    """Read a whole file of at most `most` bytes. Raises DataError if there is more."""
    content = bytearray()
    while chunk := file.read(CHUNK):
        content += chunk
        if len(content) > most:
            raise DataError(f"{where}: {_describe_limit(most)}")
    return bytes(content)


def unpack_bounded(content: bytes, where: str, packing: str, most: int) -> bytes:
    """Unpack by the first bytes, to at most `most` bytes; a name that says that it is packed has to be right.

    Raises DataError.
    """
    seen = next((end for end, magic in PACKED.items() if content.startswith(magic)), "")
    if packing and not seen:
        raise DataError(f"{where}: expected {packing[1:]} data, got other data; remove {packing} to read it as it is")
    if not seen:
        return content
    try:
        with OPEN[seen](BytesIO(content)) as file:
            return read_bounded(file, where, most)
    except DataError:
        grown = f"it is {format_count(len(content), 'byte')} packed"
        raise DataError(f"{where}: {_describe_limit(most)}; {grown}") from None
    except BROKEN as error:
        raise DataError(f"{where}: expected a whole {seen} file, got {error}") from None


def _describe_limit(most: int) -> str:
    return f"expected at most {most / 2**30:g} GiB of data, got more; split it, or raise {SETTING} (GiB)"
