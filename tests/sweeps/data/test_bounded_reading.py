"""Whatever a spec names as data, reading it ends within bounded memory and time, and the error says what to do."""

import bz2
import gzip
import lzma
import os
import socket
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from sweeps.data.bounded_reading import DataReach
from sweeps.data.source_files import read_file
from sweeps.errors import DataError

MEGABYTE = 2**20
LINE = b'{"text": "one"}\n'
BOMBED = 40 * MEGABYTE  # more than may be held, by so much that what counts the memory does not hide it


def read(path: Path) -> int:
    return len(read_file(str(path), None, path.parent, reach=DataReach(MEGABYTE)).rows)


def test_a_pipe_to_which_nobody_writes_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data.jsonl")
    with pytest.raises(DataError, match=r"data\.jsonl.*named pipe"):
        read(tmp_path / "data.jsonl")


def test_a_socket_is_no_file(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "data.jsonl"))
        with pytest.raises(DataError, match="a socket"):
            read(tmp_path / "data.jsonl")


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/urandom", "/proc/self/environ", "/sys/kernel/profiling"])
def test_a_link_to_the_system_itself_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "data.jsonl").symlink_to(target)
    if not Path(target).exists():
        pytest.skip(f"there is no {target} here")
    with pytest.raises(DataError, match="expected a regular file"):
        read(tmp_path / "data.jsonl")


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("ending", PACKERS)
def test_a_packed_file_is_read_to_the_limit_and_no_further(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data.jsonl{ending}"
    path.write_bytes(PACKERS[ending](LINE * 3))
    assert read(path) == 3
    path.write_bytes(PACKERS[ending](b" " * BOMBED))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"at most 0\.000976562 GiB.*SWEEP_DATA_LIMIT.*packed"):
        read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30 * MEGABYTE


def test_a_line_without_end_is_read_to_the_limit(tmp_path: Path) -> None:
    with (tmp_path / "data.jsonl").open("wb") as file:
        file.truncate(10 * 2**30)  # it takes no space on the disk
    with pytest.raises(DataError, match="SWEEP_DATA_LIMIT"):
        read(tmp_path / "data.jsonl")


def test_a_packed_file_that_ends_early_says_so(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl.gz").write_bytes(gzip.compress(LINE * 100)[:-9])
    with pytest.raises(DataError, match=r"expected a whole \.gz file"):
        read(tmp_path / "data.jsonl.gz")
