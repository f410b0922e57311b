"""The Redis of one machine that has none: a real server on a private unix socket, in the state folder.

It outlives the command that started it as long as somebody uses it. Everybody who does holds a shared lock; whoever
leaves last, and so could take the lock alone, shuts it down. A server left behind by a crash is simply used again.
Which program it is, scheduler/state/server/server_choice.py says: one that reads what is in the folder, or none.
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
from scheduler.settings import Settings
from scheduler.state.connection import Client, RedisError, connect, redact_redis_url
from scheduler.state.server.append_only import find_damage
from scheduler.state.server.server_choice import choose_server
from scheduler.state.server.server_data import Author, write_author
from scheduler.state.server.server_versions import ServerVersion, describe_tested, is_tested

SOCKET_PATH_LIMIT = 100  # bytes: the kernel allows 108 on Linux and 104 on macOS
START_SECONDS = 20.0  # a long append-only file takes a while to read back
PING_SECONDS = 2.0  # for an answer to "are you there?"
TORN = b"Truncating the AOF"  # as every server's log has it
KEPT = "Nothing that was acknowledged is lost."
ADVICE = re.compile(r"(?:[Mm]ake a backup|You can: 1\)|\S*(?:redis|valkey)-check-).*")

log = logging.getLogger("scheduler")


def server_url(settings: Settings) -> str:
    """Where the truth is: REDIS_URL, or the embedded server of the state folder."""
    return settings.redis_url or f"unix://{_find_socket(settings.home)}"


def describe_server(found: ServerVersion, url: str, settings: Settings) -> str:
    """Which server holds the truth, and where, in a line; with what to know of one that was not tested."""
    where = f"at {redact_redis_url(url)}" if settings.redis_url else f"embedded in {settings.home}"
    warning = "" if is_tested(found) else f"; it was not tested: tested are {describe_tested()}"
    return f"server: {found} {where}{warning}"


@contextmanager
def open_server(settings: Settings) -> Iterator[str]:
    """A server for as long as the block runs; its URL. Raises StoreUnavailable."""
    url = server_url(settings)
    if settings.redis_url:
        yield url
        return
    _refuse_unreadable(settings)
    with _open(settings.home / "redis.users.lock") as users:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while the last one before us shuts the server down
        ensure_server(settings)
        try:
            yield url
        finally:
            if _is_alone(users):
                _stop(url)


def ensure_server(settings: Settings) -> bool:
    """Start the embedded server unless it answers; was that needed? Any number of processes may ask at once."""
    if settings.redis_url:
        return False
    client = connect(server_url(settings), retries=0, patience=PING_SECONDS)
    with _lock_exclusively(settings.home / "redis.start.lock"), closing(client):
        if _is_up(client):
            return False
        _await(client, settings.home)
        return True


def _find_socket(home: Path) -> Path:
    """In the state folder, or where its path cannot be that of a socket, in a private folder that stands for it."""
    path = home / "redis" / "redis.sock"
    plain = quote(str(path)) == str(path)  # redis-py and Celery do not agree on how a URL spells a space or a `%`
    if plain and len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"tinker-sweeps-{os.getuid()}-{name}" / "redis.sock"


def _refuse_unreadable(settings: Settings) -> None:
    """Before so much as a lock is written. While a server answers, it has read them already."""
    try:
        choose_server(settings.home / "redis")
    except StoreUnavailable:
        with closing(connect(server_url(settings), retries=0, patience=PING_SECONDS)) as client:
            if not _is_up(client):
                raise


def _start(home: Path, author: Author) -> "subprocess.Popen[bytes] | None":
    """A server, or None while there is one: it reads back what it knew, leaves just now, or hangs.

    It holds a lock for as long as it lives. Two servers on one append-only file would destroy it, so silence is no
    reason to start another.
    """
    folder = home / "redis"
    for each in (folder, _find_socket(home).parent):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
        each.chmod(0o700)
    options = {
        "port": "0",  # no TCP: whoever may open the socket is its owner
        "unixsocket": str(_find_socket(home)),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "always",  # a result that was acknowledged is on disk
        "maxmemory-policy": "noeviction",
        "save": "",
        "logfile": str(folder / "redis.log"),
        "daemonize": "no",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    with _open(home / "redis.server.lock") as lock:
        if not _is_alone(lock):
            return None
        process = subprocess.Popen(
            [str(author.binary), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(lock.fileno(),),
            start_new_session=True,  # a Ctrl-C at the terminal is for us, not for it
        )
    threading.Thread(target=process.wait, daemon=True).start()  # should it end before us, it leaves no zombie
    return process


def _await(client: Client, home: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    author, logged = choose_server(home / "redis"), _measure(_log_path(home))
    process = _start(home, author)
    while not _is_up(client):
        if process is not None and process.returncode is not None:
            raise StoreUnavailable(f"the embedded server, {author.server}, does not start; {_describe_trouble(home)}")
        if time.monotonic() > give_up:
            raise StoreUnavailable(f"the embedded server runs and does not answer; {_describe_trouble(home)}")
        time.sleep(0.02)
        process = process or _start(home, author)
    if process is not None:
        write_author(home / "redis", author)
        if TORN in _log_path(home).read_bytes()[logged:]:
            log.warning("the last write before the server's end was not whole and was left out: a power cut? %s", KEPT)


def _is_up(client: Client) -> bool:
    """Is it up, and done with reading back what it knew?"""
    try:
        return client.ping()
    except RedisError:
        return False


def _log_path(home: Path) -> Path:
    return home / "redis" / "redis.log"


def _measure(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _describe_trouble(home: Path) -> str:
    """Damage, or else the end of the log without what servers advise about it: that would cut data off."""
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
    """Is nobody else counted? If so, whoever comes next waits until our lock goes."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop(url: str) -> None:
    client = connect(url, retries=0)
    with suppress(RedisError):
        client.shutdown(nosave=True)  # the append-only file holds everything already
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
            f"the state folder {path.parent} cannot be written: {error.strerror}; set SWEEP_HOME to one that can"
        ) from None
