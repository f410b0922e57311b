"""The list of servers: how each names itself, which are tested, and what each reads of another's data.

This is the only list. The check of a server, `sweep doctor`, the choice of the embedded server, the test matrix
(tests/servers.py) and the documents use it; a test compares the documents.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Version = tuple[int, int]  # major and minor

LEAST: Version = (6, 2)  # of `redis_version`, the Redis that a server is compatible with
OTHERS = ("valkey", "dragonfly", "redict", "garnet", "kvrocks")  # they name their own version, as in `valkey_version`


class ServerVersion(NamedTuple):
    """A server, as it names itself."""

    name: str  # Redis, Valkey, KeyDB, …
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def series(self) -> Version:
        return parse_version(self.version)


class ServerSeries(NamedTuple):
    """A series of a server, and what it reads of others' data, by the mark at the beginning of a file."""

    name: str
    series: Version
    reads: Mapping[str, int]  # "REDIS" or "VALKEY" -> the newest format that it reads; it writes the last one
    parts: bool  # does it know append-only files in several parts? If not, it ignores them silently

    def __str__(self) -> str:
        return f"{self.name} {_format_version(self.series)}"

    @property
    def key(self) -> str:
        """The series as a word: `redis-7.0`."""
        return f"{self.name.lower()}-{_format_version(self.series)}"

    @property
    def writes(self) -> tuple[str, int]:
        return list(self.reads.items())[-1]


TESTED = (
    ServerSeries("Redis", (6, 2), {"REDIS": 9}, parts=False),
    ServerSeries("Redis", (7, 0), {"REDIS": 10}, parts=True),
    ServerSeries("Redis", (7, 2), {"REDIS": 11}, parts=True),
    ServerSeries("Redis", (7, 4), {"REDIS": 12}, parts=True),
    ServerSeries("Redis", (8, 2), {"REDIS": 12}, parts=True),
    ServerSeries("Valkey", (8, 1), {"REDIS": 11}, parts=True),
    ServerSeries("Valkey", (9, 1), {"REDIS": 11, "VALKEY": 80}, parts=True),
)

# No tests run on these. What they read was tried once (2026-11-29).
TRIED = (
    ServerSeries("Redis", (8, 0), {"REDIS": 12}, parts=True),
    ServerSeries("Valkey", (8, 0), {"REDIS": 11}, parts=True),
    ServerSeries("Valkey", (9, 0), {"REDIS": 11, "VALKEY": 80}, parts=True),
)


class ServerData(NamedTuple):
    """The data in the folder of a server: their format, and who wrote them last if that is known."""

    mark: str | None  # the beginning of its snapshot, REDIS or VALKEY; None: no snapshot yet, or no mark
    number: int
    parts: bool
    writer: ServerVersion | None

    def __str__(self) -> str:
        if self.writer is not None:
            return str(self.writer)
        if self.mark is None:
            return "Redis 7.0 or newer" if self.parts else "Redis 6.2"
        writers = [str(series) for series in TESTED if series.writes == (self.mark, self.number)]
        return join_names(writers, "or") or f"an unknown server (format {self.mark} {self.number})"


def identify_server(info: Mapping[str, Any]) -> ServerVersion:
    """Identify the server by `INFO server`. Each server that imitates Redis names itself in its own way."""
    for other in OTHERS:
        if version := info.get(f"{other}_version"):
            return ServerVersion(other.capitalize(), str(version))
    imitates = "keydb" in str(info.get("executable", "")).lower()
    return ServerVersion("KeyDB" if imitates else "Redis", str(info.get("redis_version", "0")))


def identify_binary(text: str) -> ServerVersion | None:
    """Identify a program by what it prints for `--version`."""
    match = re.match(r"(\w+) server v=(\S+)", text)
    return ServerVersion(match[1], match[2]) if match else None


def parse_version(version: str) -> Version:
    """Parse major and minor of a version as people write it: `7.0.15`, `v1.24`, `8`, `7.4-rc1`."""
    numbers = [int(part) for part in re.findall(r"\d+", version)[:2]]
    return (numbers[0], numbers[1] if len(numbers) > 1 else 0) if numbers else (0, 0)


def is_too_old(info: Mapping[str, Any]) -> bool:
    """Does it lack commands that we need? `INFO server` names the Redis that it is compatible with."""
    return parse_version(str(info.get("redis_version", "0"))) < LEAST


def is_tested(server: ServerVersion) -> bool:
    return any((series.name, series.series) == (server.name, server.series) for series in TESTED)


def describe_tested() -> str:
    """List the tested series for messages and documents: `Redis 6.2, 7.0 and 7.2; Valkey 9.1`."""
    names = dict.fromkeys(series.name for series in TESTED)
    return "; ".join(
        f"{name} {join_names([_format_version(e.series) for e in TESTED if e.name == name])}" for name in names
    )


def can_read(server: ServerVersion, data: ServerData) -> bool:
    """Can it read all of these data? A version newer than all tested ones reads what its own kind wrote."""
    known = [series for series in (*TESTED, *TRIED) if series.name == server.name and series.series <= server.series]
    if not known:
        return False
    newest = max(known, key=lambda series: series.series)
    if data.parts and not newest.parts:
        return False
    if data.mark is None or data.number <= newest.reads.get(data.mark, -1):
        return True
    # A format that we do not know, under a server that we do not know.
    writer = data.writer
    return writer is not None and writer.name == server.name and newest.series < writer.series <= server.series


def list_readers(data: ServerData) -> Sequence[str]:
    """List the tested series that read these data."""
    return [
        str(series) for series in TESTED if can_read(ServerVersion(series.name, _format_version(series.series)), data)
    ]


def join_names(names: Sequence[str], word: str = "and") -> str:
    """Join names as `a, b and c`."""
    return f"{', '.join(names[:-1])} {word} {names[-1]}" if len(names) > 1 else "".join(names)


def _format_version(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
