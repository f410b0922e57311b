"""Files that were asked for: whole or not at all. A full disk or a Ctrl-C costs the new one and never the old."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = 200  # characters of a name that its draft keeps: a file's may have 255 bytes


@contextmanager
def open_replacement(target: Path) -> Iterator[Path]:
    """Where to write what shall stand at `target`: beside it, until the block has ended well.

    A link leads to the file that is replaced, whose permissions are kept. What is no file, a device or a pipe, is
    written to as it stands. Raises OSError, which names the target.
    """
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    real = target.resolve()
    draft = real if real.exists() and not real.is_file() else real.with_name(f"{real.name[:NAME]}.{os.getpid()}.part")
    try:
        yield draft
        if draft != real:
            _flush_to_disk(draft)
            if real.exists():
                draft.chmod(real.stat().st_mode & 0o777)
            draft.replace(real)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from None
    finally:
        if draft != real:
            draft.unlink(missing_ok=True)


def write_whole(target: Path, content: bytes) -> None:
    """Put content into a file. Raises OSError, which names it."""
    with open_replacement(target) as draft:
        draft.write_bytes(content)


def _flush_to_disk(draft: Path) -> None:
    """On the disk, not on its way there: some file systems say only now that they are full."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
