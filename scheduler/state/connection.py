"""Connect to Redis, classify its errors, and check that a server can hold the state."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import redis
import redis.client
import redis.exceptions
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

from scheduler.errors import StoreUnavailable
from scheduler.state import keys
from scheduler.state.commands import Reads
from scheduler.state.layout import check_layout
from scheduler.state.server import redis_address
from scheduler.state.server.redis_address import RedisAddress, read_address, redact_redis_url, select_tls
from scheduler.state.server.server_versions import ServerVersion, describe_tested, identify_server, is_too_old

RedisError = redis.RedisError  # any error between us and the server


class Unable(redis.ResponseError):
    """The server is up but cannot write at the moment: no memory, a full disk, a replica, busy."""


class Refused(redis.ResponseError):
    """The server does not allow it: a password or the rights of a user. A person must act."""


class PermissionMissing(Refused):
    """The server's access control list does not allow our user a command, a key or a channel."""


class StoreBug(redis.ResponseError):
    """A command that can never succeed: a bug of ours, or wrong data. `verb` names where."""

    def __init__(self, verb: str, message: str) -> None:
        super().__init__(f"a bug in `{verb}`: {message}")
        self.verb = verb
        self.message = message


# Errors that pass by themselves: callers wait and try again. All others need a person.
Away = (redis.ConnectionError, redis.TimeoutError, redis.exceptions.NoScriptError, Unable)

UNABLE = {
    "OOM": "Redis is out of memory",
    "MISCONF": "Redis cannot write to its disk",
    "READONLY": "this Redis is a read-only replica",
    "NOREPLICAS": "Redis has too few replicas",
    "LOADING": "Redis is loading its data",
    "BUSY": "Redis is busy with a script",
    "CLUSTERDOWN": "the cluster is down",
    "MASTERDOWN": "the primary is down",
    "TRYAGAIN": "Redis asks us to try again",
}
NO_PERMISSION = "NOPERM"
REFUSED = ("NOAUTH", "WRONGPASS")
# redis-py removes the code from the text of these.
CODES: Mapping[type[Exception], str] = {
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.ReadOnlyError: "READONLY",
    redis.exceptions.NoPermissionError: NO_PERMISSION,
    redis.AuthenticationError: "NOAUTH",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
}
IN_A_PIPELINE = "of pipeline caused error: "
FROM_A_VERB = re.compile(r"VERB (\w+): (?:@?user_script: ?\d+: -?)?(.*)", re.DOTALL)

# Inside a script a server reports a missing permission without its code.
NO_PERMISSION_IN_A_VERB = re.compile(r"(?:ERR )?(?:ACL failure in script: |The user executing the script can't )")
ACL_USER = re.compile(r"User (\S+) has no permissions")
ACL_COMMAND = re.compile(r"to run the '([^']+)' command")

CONNECTIONS = 2048  # of one process: each of up to a thousand threads may use one at the same time


class Pipe(Reads, Protocol):
    """The same commands, collected and sent at once."""

    def execute(self) -> list[Any]: ...


def classify_error(error: redis.RedisError, command: str) -> redis.RedisError:
    """Classify an error as one of Away, Refused or StoreBug. `command` is its source, unless the error names a verb."""
    if isinstance(error, (Refused, StoreBug, Unable)):
        return error
    text = str(error).rpartition(IN_A_PIPELINE)[2]  # the part before is the whole command
    match = FROM_A_VERB.fullmatch(text)
    verb, message = match.groups() if match else (command, text)
    code = next((code for kind, code in CODES.items() if isinstance(error, kind)), message.partition(" ")[0])
    if code == NO_PERMISSION or NO_PERMISSION_IN_A_VERB.match(message):
        return PermissionMissing(_describe_missing_permission(message, verb))
    if code in UNABLE:
        return Unable(f"{UNABLE[code]}: {message}")
    if code in REFUSED:
        return Refused(f"Redis does not allow it: {message}")
    if isinstance(error, Away):
        return error
    return StoreBug(verb, message)


def _describe_missing_permission(message: str, verb: str) -> str:
    """Name the command, and the line that lets our user run it. Old servers name neither user nor command."""
    user = next(iter(ACL_USER.findall(message)), "USER")
    if command := next(iter(ACL_COMMAND.findall(message)), ""):
        rule = f"+{command}"
    elif "channel" in message:
        rule = "&*"
    elif "key" in message:
        rule = f"~{keys.PREFIX}*"
    else:
        rule = "+@read +@write"
    at = f"`{command or verb}`" if command in ("", verb) else f"`{command}` in `{verb}`"
    return f"Redis does not allow us {at}: {message}; allow it there: ACL SETUSER {user} {rule}"


class _Client(redis.Redis):
    """redis-py's client, which classifies each error where it arises."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except redis.RedisError as error:
            raise classify_error(error, str(args[0])) from error

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "_Pipeline":
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class _Pipeline(redis.client.Pipeline):
    """redis-py's pipeline, which classifies each error."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        try:
            return super().execute(raise_on_error)
        except redis.RedisError as error:
            raise classify_error(error, "a pipeline") from error


class Client(Reads, Protocol):
    """A client that lives as long as its process."""

    def pipeline(self, transaction: bool = True) -> Pipe: ...
    def register_script(self, script: str) -> Callable[..., Any]: ...
    def info(self, section: str | None = None) -> dict[str, Any]: ...
    def config_get(self, pattern: str) -> dict[str, str]: ...
    def ping(self) -> bool: ...
    def time(self) -> tuple[int, int]: ...
    def scan_iter(self, match: str | None = None) -> Iterable[str]: ...
    def flushall(self) -> bool: ...
    def shutdown(self, *, save: bool = False, nosave: bool = False) -> None: ...
    def close(self) -> None: ...


def connect(url: str, *, retries: int = 4, patience: float = 15) -> Client:
    """Return a client of the server at `url` (server/redis_address.py); send nothing yet.

    The client retries for a moment, so every verb may arrive twice. The caller judges a real outage. `patience` is the
    time for one answer, in seconds. Raise StoreUnavailable for an invalid URL.
    """
    options: dict[str, Any] = {
        "decode_responses": True,
        "max_connections": CONNECTIONS,
        "socket_timeout": patience,
        "socket_connect_timeout": 5,
        "health_check_interval": 25,
        "retry": Retry(ExponentialBackoff(cap=1, base=0.05), retries=retries),
        "retry_on_error": [redis.ConnectionError, redis.TimeoutError],
    }
    try:
        return _open(read_address(url), options)
    except (ValueError, TypeError, redis.RedisError):
        described = "; an option after `?` is unknown or has an invalid value" if "?" in url else ""
        raise StoreUnavailable(
            f"REDIS_URL={redact_redis_url(url)}{described}; expected "
            "redis://host:6379/0, rediss://host:6379/0, unix:///path or sentinel://host:26379,host2:26379/PRIMARY/0"
        ) from None


def _open(address: RedisAddress, options: dict[str, Any]) -> Client:
    client = _Client.from_url(address.url, **options)
    pool = client.connection_pool  # creates a connection to check the options of the URL; sends nothing
    pool.connection_class(**pool.connection_kwargs)
    if not address.sentinels:
        return cast(Client, client)
    server = parse_url(address.url)  # type: ignore[no-untyped-call]
    tls = {"ssl": True, **select_tls(server)} if server.pop("connection_class", None) else {}
    for name in ("host", "port"):
        server.pop(name, None)
    every = {**options, **server, **tls}
    asking = _list_sentinel_options(address, tls)
    sentinel = Sentinel([*address.sentinels], sentinel_kwargs=asking, **every)  # type: ignore[no-untyped-call]
    return cast(Client, sentinel.master_for(address.primary, redis_class=_Client))  # type: ignore[no-untyped-call]


def _list_sentinel_options(address: RedisAddress, tls: Mapping[str, Any]) -> dict[str, Any]:
    """List the options for a Sentinel. One that does not answer is not tried again: the next is asked."""
    return {**address.sentinel_options, **tls, "retry": Retry(NoBackoff(), retries=0)}


def make_broker_settings(url: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Make Celery's settings for a broker on the same server. `options` are those of its transport."""
    address = read_address(url)
    server = parse_url(address.url)  # type: ignore[no-untyped-call]
    tls = select_tls(server) if urlsplit(address.url).scheme == "rediss" else {}
    transport = dict(options)
    if address.sentinels:
        asking = _list_sentinel_options(address, {"ssl": True, **tls} if tls else {})
        transport |= {"master_name": address.primary, "sentinel_kwargs": asking}
    return {
        "broker_url": redis_address.make_broker_url(address, server),
        "broker_transport_options": transport,
        **({"broker_use_ssl": tls} if tls else {}),
    }


def check_server(client: Client, url: str) -> ServerVersion:
    """Identify the server, and check that it can hold the state and that the state has our layout.

    Raise StoreUnavailable or LayoutRefused.
    """
    try:
        client.ping()
        problems, server = find_problems(client), identify_server(client.info("server"))
        if not problems:
            check_layout(client, redact_redis_url(url))
    except PermissionMissing as error:
        raise StoreUnavailable(f"the Redis at {redact_redis_url(url)}: {error}") from None
    except Refused:
        raise StoreUnavailable(
            f"the Redis at {redact_redis_url(url)} refuses us: give it a password it accepts, REDIS_URL=redis://:PASSWORD@host:6379/0"
        ) from None
    except redis.ResponseError as error:
        raise StoreUnavailable(
            f"cannot identify the server at {redact_redis_url(url)}: {error}\nallow its user the commands PING and INFO"
        ) from None
    except redis.RedisError as error:
        raise StoreUnavailable(
            f"no Redis answers at {redact_redis_url(url)}: {error}\n"
            "start it, or unset REDIS_URL to use the built-in server"
        ) from None
    if problems:
        raise StoreUnavailable(f"{server} at {redact_redis_url(url)} is not safe to use:\n" + "\n".join(problems))
    return server


def find_problems(client: Client) -> list[str]:
    """Return why the server is not safe to use, one line each; an empty list if it is."""
    memory, persistence, server = client.info("memory"), client.info("persistence"), client.info("server")
    return [
        *_check_version(server),
        *_check_role(client.info("replication")),
        *_check_eviction(str(memory.get("maxmemory_policy", "noeviction"))),
        *_check_persistence(persistence),
    ]


def _check_version(server: Mapping[str, Any]) -> list[str]:
    if not is_too_old(server):
        return []
    return [f"  it is {identify_server(server)}, which is too old; install a tested one: {describe_tested()}"]


def _check_role(replication: Mapping[str, Any]) -> list[str]:
    if replication.get("role", "master") == "master":
        return []
    primary = f"{replication.get('master_host')}:{replication.get('master_port')}"
    return [f"  it is a replica, which is read-only; set REDIS_URL to its primary, {primary}"]


def _check_eviction(policy: str) -> list[str]:
    if policy == "noeviction":
        return []
    return [f"  maxmemory-policy is {policy}: it could delete stages; set it to noeviction"]


def _check_persistence(persistence: Mapping[str, Any]) -> list[str]:
    if int(persistence.get("aof_enabled", 0)) != 1:
        return ["  appendonly is no: a restart would lose all state; set appendonly yes (and appendfsync always)"]
    if persistence.get("aof_last_write_status", "ok") != "ok":
        return ["  its last write to disk failed; check whether the disk is full"]
    return []
