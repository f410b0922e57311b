"""Run the embedded Redis: a real server on a private unix socket in the state folder.

It runs as long as a process uses it. Each user holds a shared lock; the last one, which can take the lock exclusively,
shuts the server down. A server that a crash left behind is used again.
scheduler/state/server/server_choice.py chooses the program: one that reads the data in the folder, or none.
"""

import fcntl
import hashlib
import logging
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

from scheduler.errors import StoreUnavailable
from scheduler.processes.own_environment import drop_secrets
from scheduler.settings import Settings
from scheduler.state import keys
from scheduler.state.connection import Client, RedisError, connect
from scheduler.state.server.append_only import find_damage
from scheduler.state.server.redis_address import redact_redis_url
from scheduler.state.server.server_choice import choose_server
from scheduler.state.server.server_data import Author, write_author
from scheduler.state.server.server_versions import ServerVersion, describe_tested, is_tested

SOCKET_PATH_LIMIT = 100  # bytes: the kernel allows 108 on Linux and 104 on macOS
START_SECONDS = 20.0  # a server needs a while to load a long append-only file
PING_SECONDS = 2.0  # for the answer to a ping
TORN = b"Truncating the AOF"  # as in every server's log
KEPT = "No acknowledged write is lost."
ADVICE = re.compile(r"(?:[Mm]ake a backup|You can: 1\)|\S*(?:redis|valkey)-check-).*")

log = logging.getLogger("scheduler")


def find_server_url(settings: Settings) -> str:
    """Return REDIS_URL, or the URL of the embedded server of the state folder."""
    return settings.redis_url or f"unix://{_find_socket(settings.home)}"


def describe_server(version: ServerVersion, url: str, settings: Settings) -> str:
    """Describe in one line which server holds the state, and where. Warn about an untested one."""
    server = (
        f"{version} at {redact_redis_url(url)}" if settings.redis_url else f"built-in {version}, in {settings.home}"
    )
    warning = "" if is_tested(version) else f"; not tested (tested: {describe_tested()})"
    return f"database: {server}{warning}"


@contextmanager
def open_server(settings: Settings) -> Iterator[str]:
    """Run a server for as long as the block runs, and yield its URL. Raise StoreUnavailable."""
    url = find_server_url(settings)
    if settings.redis_url:
        yield url
        return
    _refuse_unreadable(settings)
    with _open(settings.home / "redis.users.lock") as users:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while the last user before us shuts the server down
        ensure_server(settings)
        try:
            yield url
        finally:
            if _is_alone(users):
                _stop(url)


def ensure_server(settings: Settings) -> bool:
    """Start the embedded server unless it answers. Return whether that was needed. Many processes may call at once."""
    if settings.redis_url:
        return False
    client = connect(find_server_url(settings), retries=0, patience=PING_SECONDS)
    with _lock_exclusively(settings.home / "redis.start.lock"), closing(client):
        if _is_up(client):
            return False
        _await(client, settings.home)
        return True


def _find_socket(home: Path) -> Path:
    """Find the path of the socket: in the state folder, or in a private folder if that path cannot be a socket's."""
    path = home / "redis" / "redis.sock"
    plain = quote(str(path)) == str(path)  # redis-py and Celery write a space or a `%` in a URL differently
    if plain and len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"tinker-sweeps-{os.getuid()}-{name}" / "redis.sock"


def _refuse_unreadable(settings: Settings) -> None:
    """Refuse data that no server here reads, before even a lock is written. A server that answers has read them."""
    try:
        choose_server(settings.home / "redis")
    except StoreUnavailable:
        with closing(connect(find_server_url(settings), retries=0, patience=PING_SECONDS)) as client:
            if not _is_up(client):
                raise


def _start(home: Path, author: Author) -> "subprocess.Popen[bytes] | None":
    """Start a server. Return None while one exists that loads its data, is shutting down, or hangs.

    A server holds a lock for as long as it lives. Two servers on one append-only file would destroy it, so a server
    that does not answer is no reason to start another.
    """
    folder = home / "redis"
    for parent in (folder, _find_socket(home).parent):
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        parent.chmod(0o700)
    options = {
        "port": "0",  # no TCP: only the owner may open the socket
        "unixsocket": str(_find_socket(home)),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "always",  # an acknowledged result is on disk
        "maxmemory-policy": "noeviction",
        "save": "",
        "hash-max-ziplist-value": "1024",  # so that the hash of a stage takes half; the name that every series knows
        "logfile": str(folder / "redis.log"),
        "daemonize": "no",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    with _open(home / "redis.server.lock") as lock:
        if not _is_alone(lock):
            return None
        process = subprocess.Popen(
            [str(author.binary), *arguments],
            env=drop_secrets(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(lock.fileno(),),
            start_new_session=True,  # a Ctrl-C at the terminal must not reach it
        )
    threading.Thread(target=process.wait, daemon=True).start()  # so that it leaves no zombie if it ends before us
    return process


def _await(client: Client, home: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    author, logged = choose_server(home / "redis"), _measure(_log_path(home))
    process = _start(home, author)
    while not _is_up(client):
        if process is not None and process.returncode is not None:
            raise StoreUnavailable(f"the built-in server, {author.server}, did not start; {_describe_trouble(home)}")
        if time.monotonic() > give_up:
            raise StoreUnavailable(f"the built-in server is running but does not answer; {_describe_trouble(home)}")
        time.sleep(0.02)
        process = process or _start(home, author)
    if process is not None:
        write_author(home / "redis", author)
        _accept_books(client)
        if TORN in _log_path(home).read_bytes()[logged:]:
            log.warning(
                "the last write before the server ended was incomplete and is left out, as after a power cut. %s", KEPT
            )


def _accept_books(client: Client) -> None:
    """Accept the books that it loaded: it syncs each write, and the folder is ours alone, so none is missing."""
    run, closed = client.hmget(keys.BOOKS, ["run", "closed"])
    if run and not closed:
        client.hset(keys.BOOKS, mapping={"run": str(client.info("server")["run_id"]), "before": run})


def _is_up(client: Client) -> bool:
    """Is it up, with its data loaded?"""
    try:
        return client.ping()
    except RedisError:
        return False


def _log_path(home: Path) -> Path:
    return home / "redis" / "redis.log"


def _measure(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _describe_trouble(home: Path) -> str:
    """Describe the damage, or show the end of the log without the server's advice, which would cut data off."""
    if damage := find_damage(home / "redis"):
        return str(damage)
    path = _log_path(home)
    with suppress(OSError):
        lines = [
            ADVICE.sub("", line).rstrip(" :")
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        ]
        return "\n".join([f"the end of {path}:", *[line for line in lines if line][-5:]])
    return f"there is no {path}"


def _is_alone(users: IO[str]) -> bool:
    """Are we the only user? If so, the next user waits until we release the lock."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop(url: str) -> None:
    client = connect(url, retries=0)
    with suppress(RedisError):
        client.shutdown(nosave=True)  # the append-only file already has everything
    client.close()


@contextmanager
def _lock_exclusively(path: Path) -> Iterator[None]:
    with _open(path) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _open(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise StoreUnavailable(
            f"cannot write the state folder {path.parent}: {error.strerror}; set SWEEP_HOME to another folder"
        ) from None
