"""The commands of docs/how-to/second-host.md bring up two workers elsewhere, which answer a question.

Without an engine, tests/deploy/engine.py starts each service's exact command as a process, with the environment and the
secrets that the compose files give it: Redis with TLS and a password, the store in a bucket.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from scheduler.processes.free_ports import find_free_port
from scheduler.state import keys, views
from scheduler.state.connection import connect
from scheduler.state.store import Store
from tests.buckets import CREDENTIALS, bucket
from tests.few_rows import find_few_rows
from tests.guarded import find_server_with_tls
from tests.repository import ROOT

PAGE = (ROOT / "docs/how-to/second-host.md").read_text()
COPIED = ("docker-compose.yml", "deploy", "docs/how-to")
SHIM = '#!/bin/sh\nexec {python} -m tests.deploy.engine "$@"\n'
SPEC = """
sweep: reference-scaling
experiment: data_scaling
model: offline/ngram-s
train: {{method: sl, rank: 8, learning_rate: 0.01, batch_size: 16, steps: 4}}
data: {{reference: {{source: "{rows}", holdout: 32}}}}
sizes: [32, 64]
seeds: 1
evaluate: [nll]
"""


def commands(where: str) -> list[str]:
    return re.findall(rf"^```sh{where}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


class Machines:
    """Two clones of the repository, and a shell in each."""

    def __init__(self, folder: Path, bucket_url: str) -> None:
        self.folder = folder
        self.bucket_url = bucket_url
        self.ports = {port: find_free_port() for port in ("6379", "5555", "8765")}
        for name in ("first", "second"):
            for part in COPIED:
                copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
                (folder / name / part).parent.mkdir(parents=True, exist_ok=True)
                copy(ROOT / part, folder / name / part)
        (folder / "bin").mkdir()
        (folder / "bin" / "docker").write_text(SHIM.format(python=sys.executable))
        (folder / "bin" / "docker").chmod(0o755)
        (folder / "questions").mkdir()
        (folder / "questions" / "data_scaling.yaml").write_text(SPEC.format(rows=find_few_rows()))
        self._environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "ENGINE": str(folder / "engine"),
            "PORTS": json.dumps(self.ports),
            "REDIS_SERVER": str(find_server_with_tls()),
            "SWEEP_QUESTIONS": str(folder / "questions"),
            "SWEEP_OFFLINE_URL": f"http://127.0.0.1:{self.ports['8765']}",
            "COMPOSE_PROFILES": "offline",
            "AWS_ENDPOINT_URL": bucket_url,
            "SWEEP_THREADS": "2",
            "SWEEP_USER": "ada",
        }

    def run(self, name: str, *blocks: str) -> str:
        script = "set -eu\n" + "\n".join(blocks).replace("10.0.0.5", "127.0.0.1")
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder / name,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def read_initial_environments(self) -> list[bytes]:
        """What the kernel shows of each process's environment."""
        lines = [line for file in self.folder.glob("engine/*/*.pids") for line in file.read_text().split()]
        return [Path(f"/proc/{line}/environ").read_bytes() for line in lines]

    def end(self) -> None:
        for file in (self.folder / "engine").glob("*/*.pids"):
            for line in file.read_text().split():
                with suppress(ProcessLookupError):
                    os.killpg(int(line), signal.SIGKILL)


@contextmanager
def two_machines(folder: Path) -> Iterator[Machines]:
    with bucket(folder) as url:
        machines = Machines(folder, url)
        try:
            yield machines
        finally:
            machines.end()


def write_keys(secrets: Path) -> None:
    for name, text in {"TINKER_API_KEY": "tml-test\n", "aws_credentials": CREDENTIALS}.items():
        (secrets / name).chmod(0o600)
        (secrets / name).write_text(text)


@pytest.mark.timeout(600)  # a dozen processes start, one after the other
def test_the_commands_of_the_page_bring_up_two_workers_elsewhere(tmp_path: Path) -> None:
    for program in ("openssl", "bash"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}")
    exports, secrets, start, submit = commands("")
    begin, stop = commands(" second")
    with two_machines(tmp_path) as machines:
        machines.run("first", exports, secrets)
        write_keys(tmp_path / "first" / "secrets")
        machines.run("first", exports, start)
        (tmp_path / "second" / "secrets").mkdir()
        for name in ("REDIS_URL", "redis_ca.pem", "TINKER_API_KEY", "aws_credentials"):
            shutil.copy(tmp_path / "first" / "secrets" / name, tmp_path / "second" / "secrets")
        machines.run("second", begin)
        machines.run("first", exports, submit)
        assert "<html" in (tmp_path / "first" / "report.html").read_text()
        url = (tmp_path / "second" / "secrets" / "REDIS_URL").read_text().strip()
        url = url.replace(":6379", f":{machines.ports['6379']}")
        client = connect(url.replace("/run/secrets", str(tmp_path / "second" / "secrets")))
        assert len(client.smembers(keys.WORKERS)) == 2
        row = client.hgetall(keys.sweep("reference-scaling"))
        assert (row["user"], row["state"]) == ("ada", "finished")
        initial = machines.read_initial_environments()
        machines.run("second", begin.splitlines()[0], stop)
        states = [stage.state for stage in views.read_stages(Store(client), "reference-scaling")]
        assert set(states) == {"succeeded"}
        assert len(states) >= 4
        client.close()
        listed = httpx.get(f"{machines.bucket_url}/bucket", params={"list-type": "2"}).text
        assert "<Key>sweeps/stages/" in listed
        assert len(initial) == 7, "the page is one of them"
        assert not [text for text in initial if b"tml-test" in text or b"rediss://" in text]
