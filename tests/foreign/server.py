"""Install the foreign server and its translator into `.foreign`, and start, kill and restart them."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn

from scheduler.processes.free_ports import find_free_port
from tests.foreign.translator import Translator
from tests.support import wait_until

ROOT = Path(__file__).parents[2]
FOREIGN = ROOT / ".foreign"  # ignored: an environment of its own, and the model
REQUIREMENTS = ("skyrl[tinker,jax]==0.4.0", "aiohttp")
HERE = Path(__file__).parent
MODEL = "foreign/tiny"  # as a spec names it; a folder of this name stands where the commands run
ADAPTERS, RANK = 12, 16
STALE = 20  # seconds without a heartbeat after which the server frees what a session held: it has no call to finish one


def python() -> Path:
    """The interpreter of the server's environment: Python 3.12, which it asks for. Installs it first."""
    program = FOREIGN / "env" / "bin" / "python"
    if not (FOREIGN / "installed").exists():
        interpreter = shutil.which("python3.12")
        if interpreter is None:
            sys.exit("expected python3.12 on the PATH, which SkyRL tx asks for; found none")
        run([interpreter, "-m", "venv", str(FOREIGN / "env")])
        run([str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS])
        (FOREIGN / "installed").write_text("\n".join(REQUIREMENTS))
    return program


def model() -> Path:
    """The folder of the small model, made once."""
    folder = FOREIGN / "tiny"
    if not (folder / "tokenizer.json").exists():
        run([str(python()), str(HERE / "tiny.py"), str(folder)])
    return folder


def run(words: Sequence[str], **variables: str) -> None:
    """A step of the installation; its words are shown."""
    subprocess.run(words, check=True, env={**os.environ, **variables})


class Server:
    """SkyRL tx on the CPU. What it saved outlives it; its models do not, as with the service."""

    def __init__(self, folder: Path, desk: Path) -> None:
        """`folder` keeps what it writes; `desk` holds the model under the name that specs use."""
        self._folder = folder
        self._desk = desk
        self._port = find_free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        binaries = self._folder / "bin"
        binaries.mkdir(parents=True, exist_ok=True)
        uv = binaries / "uv"
        uv.write_text(f'#!/bin/sh\nexec "{python()}" "{HERE / "uv.py"}" "$@"\n')
        uv.chmod(0o755)
        options = {
            "base-model": MODEL,
            "backend": "jax",
            "backend-config": f'{{"max_lora_adapters": {ADAPTERS}, "max_lora_rank": {RANK}}}',
            "checkpoints-base": str(self._folder / "checkpoints"),
            "database-url": f"sqlite:///{self._folder / 'tinker.db'}",
            "session-cleanup-interval-sec": "2",
            "session-timeout-sec": str(STALE),
            "host": "127.0.0.1",
            "port": str(self._port),
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        variables = {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "HF_HUB_OFFLINE": "1",
            "JAX_PLATFORMS": "cpu",
            "OMP_NUM_THREADS": "1",
        }
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(uv), "run", "-m", "skyrl.tinker.api", *words],
                env={**os.environ, **variables},
                cwd=self._desk,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, "the foreign server", seconds=180)

    def kill(self) -> None:
        """As a power cut: the server and its engine."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the foreign server has ended: {self._folder / 'server.log'}"
        try:
            return httpx.get(f"{self.url}/api/v1/healthz", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def served(folder: Path, desk: Path) -> Iterator[tuple[Server, str]]:
    """The server, and the address at which the SDK finds it: the translator's, which outlives the server."""
    server = Server(folder, desk)
    server.start()
    port = find_free_port()
    front = uvicorn.Server(
        uvicorn.Config(Translator(server.url).app(), port=port, log_level="warning", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=front.run, daemon=True)
    thread.start()
    wait_until(lambda: front.started, "the translator")
    try:
        yield server, f"http://127.0.0.1:{port}"
    finally:
        front.should_exit = True
        thread.join(10)
        server.kill()
