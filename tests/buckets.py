"""A bucket on this machine: moto's server, which speaks S3."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from scheduler.processes.free_ports import find_free_port
from tests.support import wait_until

NAME = "bucket"
CREDENTIALS = "[default]\naws_access_key_id = test\naws_secret_access_key = test\n"


@contextmanager
def bucket(folder: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """The address of a server with one bucket, named NAME."""
    if not (find_spec("moto") and find_spec("flask") and find_spec("s3fs")):
        pytest.skip("moto, flask and s3fs are not here: make setup")
    url = f"http://{host}:{(port := find_free_port())}"
    with (folder / "bucket.log").open("wb") as log:
        command = [sys.executable, "-c", "from moto.server import main; main()", "--host", host, "--port", str(port)]
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(lambda: _makes_a_bucket(url), "a bucket", seconds=60)
        yield url
    finally:
        server.kill()
        server.wait()


def _makes_a_bucket(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.put(f"{url}/{NAME}").is_success
    return False
