"""Write files whole or not at all: a full disk or Ctrl-C never damages the old file."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = 200  # characters of the name in a draft's name: a file name may have 255 bytes


@contextmanager
def open_replacement(target: Path) -> Iterator[Path]:
    """Yield a draft beside `target` that replaces it when the block ends well.

    Follows links and keeps permissions. Writes directly to devices and pipes. Raises OSError, which names the target.
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
    """Write content to a file. Raises OSError, which names it."""
    with open_replacement(target) as draft:
        draft.write_bytes(content)


def _flush_to_disk(draft: Path) -> None:
    """Force the draft to the disk: some file systems report only then that they are full."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
