"""Which servers can hold the truth: how each names itself, which were tested, and what each can read of another's data.

This list is the only one. The check of a server, `sweep doctor`, the choice of the embedded server, the matrix of
tests (tests/servers.py) and the documents, which a test compares, all go by it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Version = tuple[int, int]  # major and minor: what a promise is made about

LEAST: Version = (6, 2)  # of what a server says as `redis_version`, which is what it is compatible with
OTHERS = ("valkey", "dragonfly", "redict", "garnet", "kvrocks")  # they say whose version that is: `valkey_version`


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
    """A series that the tests run on, and what it was seen to read: data of others, by the mark a file begins with."""

    name: str
    series: Version
    reads: Mapping[str, int]  # "REDIS" or "VALKEY" -> the newest number behind it; the last is what it writes
    parts: bool  # an append-only file in several parts; without, such data are silently taken for none

    def __str__(self) -> str:
        return f"{self.name} {_format_version(self.series)}"

    @property
    def key(self) -> str:
        """As a word: `redis-7.0`."""
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

# No promise is made of these, and no test runs on them; what they read was tried once (2026-11-29).
TRIED = (
    ServerSeries("Redis", (8, 0), {"REDIS": 12}, parts=True),
    ServerSeries("Valkey", (8, 0), {"REDIS": 11}, parts=True),
    ServerSeries("Valkey", (9, 0), {"REDIS": 11, "VALKEY": 80}, parts=True),
)


class ServerData(NamedTuple):
    """What lies in the folder of a server: how it is kept, and who wrote it last where that is known."""

    mark: str | None  # what its snapshot begins with, REDIS or VALKEY; None: there is none yet, or it tells nothing
    number: int
    parts: bool
    writer: ServerVersion | None

    def __str__(self) -> str:
        if self.writer is not None:
            return str(self.writer)
        if self.mark is None:
            return "Redis 7.0 or newer" if self.parts else "Redis 6.2"
        writers = [str(each) for each in TESTED if each.writes == (self.mark, self.number)]
        return join_names(writers, "or") or f"a server unknown here (format {self.mark} {self.number})"


def identify_server(told: Mapping[str, Any]) -> ServerVersion:
    """Who answers, by `INFO server`. Those that imitate Redis tell it, each in its own way."""
    for other in OTHERS:
        if version := told.get(f"{other}_version"):
            return ServerVersion(other.capitalize(), str(version))
    imitates = "keydb" in str(told.get("executable", "")).lower()
    return ServerVersion("KeyDB" if imitates else "Redis", str(told.get("redis_version", "0")))


def identify_binary(said: str) -> ServerVersion | None:
    """Who a program is, by what it says to `--version`."""
    found = re.match(r"(\w+) server v=(\S+)", said)
    return ServerVersion(found[1], found[2]) if found else None


def parse_version(version: str) -> Version:
    """Major and minor of a version as people write it: `7.0.15`, `v1.24`, `8`, `7.4-rc1`."""
    found = [int(part) for part in re.findall(r"\d+", version)[:2]]
    return (found[0], found[1] if len(found) > 1 else 0) if found else (0, 0)


def is_too_old(told: Mapping[str, Any]) -> bool:
    """Does it lack commands that we need? By `INFO server`: imitators say which Redis they are compatible with."""
    return parse_version(str(told.get("redis_version", "0"))) < LEAST


def is_tested(server: ServerVersion) -> bool:
    return any((each.name, each.series) == (server.name, server.series) for each in TESTED)


def describe_tested() -> str:
    """`Redis 6.2, 7.0 and 7.2; Valkey 9.1`, for messages and documents."""
    names = dict.fromkeys(each.name for each in TESTED)
    return "; ".join(
        f"{name} {join_names([_format_version(e.series) for e in TESTED if e.name == name])}" for name in names
    )


def can_read(server: ServerVersion, data: ServerData) -> bool:
    """Will it take over these data, whole? Of a version newer than all that were tested, what its own kind wrote."""
    known = [each for each in (*TESTED, *TRIED) if each.name == server.name and each.series <= server.series]
    if not known:
        return False
    newest = max(known, key=lambda each: each.series)
    if data.parts and not newest.parts:
        return False
    if data.mark is None or data.number <= newest.reads.get(data.mark, -1):
        return True
    # A format that nobody here knew, under a server that nobody here knew.
    writer = data.writer
    return writer is not None and writer.name == server.name and newest.series < writer.series <= server.series


def list_readers(data: ServerData) -> Sequence[str]:
    """Which of the tested would read these data."""
    return [str(each) for each in TESTED if can_read(ServerVersion(each.name, _format_version(each.series)), data)]


def join_names(names: Sequence[str], word: str = "and") -> str:
    """`a, b and c`."""
    return f"{', '.join(names[:-1])} {word} {names[-1]}" if len(names) > 1 else "".join(names)


def _format_version(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
