"""What a person waits for when they type a command: `sweep --help` and `sweep status`."""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.alternation import alternate
from benchmarks.row import Row
from tests.acceptance.command import Desk
from tests.support import TRUSTED, redis_server

PAIRS = 15  # a start takes little


def measure() -> list[Row]:
    """Compare each with the least that a program in Python can do instead."""
    sweep = str(Path(sys.executable).with_name("sweep"))
    helped, click = alternate(
        lambda: _time([sweep, "--help"]), lambda: _time([sys.executable, "-c", "import click"]), PAIRS
    )
    with TemporaryDirectory() as name, redis_server(Path(name), TRUSTED) as server:
        desk = Desk(Path(name), {"REDIS_URL": server.url})
        ask = f"import redis; redis.Redis.from_url({server.url!r}).ping()"
        status, ping = alternate(
            lambda: _time([sweep, "status"], desk), lambda: _time([sys.executable, "-c", ask]), PAIRS
        )
    return [
        Row(what="`sweep --help`", against="importing click", unit="s", ours=helped, theirs=click, most=2),
        Row(
            what="`sweep status`",
            against="a round trip to Redis from Python",
            unit="s",
            ours=status,
            theirs=ping,
            most=3,
        ),
    ]


def _time(command: list[str], desk: Desk | None = None) -> float:
    variables = desk.variables({}) if desk else None
    began = time.monotonic()
    subprocess.run(command, env=variables, capture_output=True, check=True)
    return time.monotonic() - began
