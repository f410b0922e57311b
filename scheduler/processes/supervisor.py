"""Start, restart and stop all processes of one machine. A child that ends is restarted and reported."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from scheduler.errors import SchedulerError, StoreUnavailable
from scheduler.plugins.containment.namespaces import hide_memory
from scheduler.processes.addresses import Addresses, hold_supervisor_lock, publish, withdraw
from scheduler.processes.child import tie_to_this_process
from scheduler.processes.free_ports import find_free_port
from scheduler.processes.own_environment import drop_secrets, start_process
from scheduler.settings import WEBHOOK_SECRET, Settings
from scheduler.state.server.embedded_redis import ensure_server
from scheduler.state.workers import INSTANCE, make_instance, make_process_name

Say = Callable[[str], None]

LOOK_EVERY = 0.25  # seconds between two checks of the children
LONGEST_WAIT = 30.0  # seconds before a child that keeps ending is restarted
STEADY = 60.0  # seconds after which a child counts as healthy again
START_SECONDS = 90.0  # that a process may take until it answers
IN_UTF8 = {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}  # logs, pipes and files of our processes
LOG_LINES = 3  # shown of the log of a process that does not start


@dataclass
class Child:
    """One process, and how often it ended."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    url: str = ""  # where it answers requests, if it does
    process: "subprocess.Popen[bytes] | None" = None
    instance: str = ""  # the random part of the name of the process
    deaths: int = 0
    started: float = 0.0
    start_at: float = field(default=0.0)

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches the supervisor alone."""
        self.instance = make_instance()
        with self.log.open("ab") as output:
            self.process = start_process(
                tie_to_this_process(self.command),
                {**self.environment, INSTANCE: self.instance},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started = time.monotonic()

    @property
    def process_name(self) -> str:
        """The name under which the running process reports."""
        return make_process_name(self.process.pid if self.process else 0, self.instance)

    def look_after(self, say: Say) -> None:
        """Start it if it is due; report it if it ended."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_at:
                self.start()
            return
        status = self.process.poll()
        if status is None:
            return
        self.process = None
        self.deaths = 1 if now - self.started > STEADY else self.deaths + 1
        wait = min(LONGEST_WAIT, 0.5 * 2 ** (self.deaths - 1))
        self.start_at = now + wait
        say(f"{self.name} ended ({_describe_exit(status)}); restarting it in {wait:g} s; its log: {self.log}")

    def ask_to_stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        """Kill it at once, also if it is stopped; the next look reports its end and starts another."""
        if self.process is not None:
            self.process.kill()

    def stop(self, patience: float) -> None:
        """Wait for it to end; kill it if it does not."""
        if self.process is None:
            return
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def bring_up(settings: Settings, server: str) -> Iterator[list[Child]]:
    """Start everything; when the block ends, stop it in order. Raises AlreadyUp or StoreUnavailable.

    `server` describes the Redis server. The embedded one is no child: its users keep it alive
    (scheduler/state/server/embedded_redis.py).
    """
    hide_memory()  # our environment may have the API key
    with hold_supervisor_lock(settings.home):
        withdraw(settings.home)  # of a killed supervisor
        ensure_server(settings)
        addresses = _choose_addresses(settings, server)
        children = _build_children(settings, addresses)
        try:
            _start_children(addresses, children)
            publish(settings.home, addresses)
            yield children
        finally:
            withdraw(settings.home)
            _bring_down(children, settings.grace)


@dataclass
class EmbeddedRedis:
    """The embedded Redis: no child, because its users keep it alive, but restarted like one."""

    settings: Settings
    look_at: float = 0.0

    def look_after(self, say: Say) -> None:
        """Restart it if it is gone; if that fails, report why and wait before the next try."""
        if time.monotonic() < self.look_at:
            return
        try:
            if ensure_server(self.settings):
                say("the built-in Redis ended and was restarted; no acknowledged write is lost")
        except StoreUnavailable as error:
            say(str(error))
            self.look_at = time.monotonic() + LONGEST_WAIT


def _build_children(settings: Settings, addresses: Addresses) -> list[Child]:
    """Build the children in the order in which they start. They stop in reverse."""
    python = sys.executable
    celery = [python, "-m", "celery", "-A"]
    port = addresses.offline_url.rpartition(":")[2]
    offline = ["--port", port, "--state", str(settings.home / "offline"), "--cache", str(settings.cache)]
    offline += ["--faults", str(settings.rehearsal)] if settings.rehearsal else []
    worker = [*celery, "worker.app", "worker"]
    quiet = ["--loglevel", "INFO", "--without-gossip", "--without-mingle"]
    commands = {
        "offline": [python, "-m", "tinker_offline", *offline],
        **{f"worker-{n}": [*worker, *quiet, "--hostname", f"worker-{n}@%h"] for n in range(1, settings.workers + 1)},
        "scheduler": [python, "-m", "scheduler"],
        "flower": [*celery, "scheduler.processes.flower_app", "flower", *_list_flower_options(addresses)],
        "page": [python, "-m", "scheduler.cli", "web"],
    }
    if settings.offline_url:
        del commands["offline"]
    if not addresses.page_url:
        del commands["page"]
    if not addresses.flower_url:
        del commands["flower"]
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    environment = _build_environment(settings, addresses)
    urls = {
        "offline": addresses.offline_url,
        "flower": f"{addresses.flower_url}/healthcheck",
        "page": f"{addresses.page_url}/healthz",
    }
    return [
        Child(name, command, _choose_own(name, environment), logs / f"{name}.log", urls.get(name, ""))
        for name, command in commands.items()
    ]


def _choose_own(name: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Leave each process the secrets that it needs: the key is the workers', the password Flower's."""
    if name == "offline":
        return drop_secrets(environment)
    others = {"TINKER_API_KEY", "FLOWER_BASIC_AUTH", WEBHOOK_SECRET}
    secrets_of = {"scheduler": {WEBHOOK_SECRET}, "flower": {"FLOWER_BASIC_AUTH"}, "page": set[str]()}
    own = secrets_of.get(name, {"TINKER_API_KEY"})
    return {variable: value for variable, value in environment.items() if variable not in others - own}


def _list_flower_options(addresses: Addresses) -> list[str]:
    port = addresses.flower_url.rpartition(":")[2]
    # The arguments show a stage's label, the result its progress; the task's name is always the same.
    columns = "args,state,result,worker,received,runtime,uuid"
    return ["--address=127.0.0.1", f"--port={port}", "--max-tasks=20000", f"--tasks-columns={columns}"]


def _build_environment(settings: Settings, addresses: Addresses) -> dict[str, str]:
    return {
        **os.environ,
        "SWEEP_HOME": str(settings.home),
        "SWEEP_OFFLINE_URL": addresses.offline_url,
        # Never an argument: everybody on the machine can read arguments.
        "FLOWER_BASIC_AUTH": f"{addresses.flower_user}:{addresses.flower_password}",
        **({"SWEEP_PAGE": addresses.page_url.removeprefix("http://")} if addresses.page_url else {}),
        "TINKER_TELEMETRY": "0",  # a telemetry endpoint that hangs delays every error by 30 seconds
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        **IN_UTF8,
    }


def _choose_addresses(settings: Settings, server: str) -> Addresses:
    return Addresses(
        offline_url=settings.offline_url or f"http://127.0.0.1:{find_free_port()}",
        flower_url=_choose_flower_url(settings),
        flower_user="sweep",
        flower_password=_read_password(settings.home),
        supervisor=os.getpid(),
        server=server,
        page_url=_choose_page_url(settings),
    )


def _choose_flower_url(settings: Settings) -> str:
    """Return where Flower is to be; empty if it is off."""
    return "" if settings.flower_port is None else f"http://127.0.0.1:{settings.flower_port or find_free_port()}"


def _choose_page_url(settings: Settings) -> str:
    """Return where the page is to be; empty if it is off."""
    if settings.observation.page is None:
        return ""
    host, port = settings.observation.page
    return f"http://{f'[{host}]' if ':' in host else host}:{port or find_free_port()}"


def _read_password(home: Path) -> str:
    """Create Flower's password once for each state folder, readable only by its owner."""
    path = home / "flower.password"
    with suppress(FileNotFoundError):
        return path.read_text(encoding="utf-8").strip()
    password = secrets.token_urlsafe(12)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password + "\n")
    return password


def _start_children(addresses: Addresses, children: list[Child]) -> None:
    """Start all at once, but the scheduler last: Flower only shows what it has heard itself.

    Nothing waits for the page.
    """
    waiting = [child for child in children if child.name not in ("scheduler", "page")]
    for child in waiting:
        child.start()
    answering = {"offline": f"{addresses.offline_url}/api/v1/healthz", "flower": f"{addresses.flower_url}/healthcheck"}
    for child in waiting:
        if child.name in answering:
            _await_answer(child, answering[child.name])
    for child in children:
        if child not in waiting:
            child.start()


def _await_answer(child: Child, url: str) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not _is_answering(url):
        assert child.process is not None
        if child.process.poll() is not None or time.monotonic() > give_up:
            raise SchedulerError(
                f"{child.name} does not start; the end of its log, {child.log}:\n{_read_log_end(child.log)}"
            )
        time.sleep(0.05)


def _read_log_end(log: Path) -> str:
    with suppress(OSError):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])
    return ""


def _is_answering(url: str) -> bool:
    """Does a process of ours answer? Without TLS, because reading certificates would take 40 ms."""
    try:
        return httpx.get(url, timeout=2, trust_env=False, verify=False).is_success  # noqa: S501 - see above
    except httpx.HTTPError:
        return False


def _bring_down(children: list[Child], grace: float) -> None:
    """Stop the workers first, so that they can give their stages back; then what they need."""
    workers = [child for child in children if child.name.startswith("worker")]
    others = [child for child in reversed(children) if child not in workers]
    for group, patience in ((workers, grace + 5), (others, 10.0)):
        for child in group:
            child.ask_to_stop()
        for child in group:
            child.stop(patience)


def _describe_exit(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
