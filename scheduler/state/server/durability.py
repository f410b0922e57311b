"""Say what a server can lose of what it has acknowledged: in a crash, and in a failover.

It asks with CONFIG GET, which managed servers and limited users forbid: then it says that it does not know.
"""

from scheduler.state.connection import Away, Client, RedisError
from scheduler.state.server.redis_address import read_address

PAGE = "docs/how-to/redis.md"
LOST_IN_A_CRASH = {"everysec": "the last second", "no": "the last half minute"}
MIN_REPLICAS = ("min-replicas-to-write", "min-slaves-to-write")


def list_risks(client: Client, url: str) -> list[str]:
    """List what the server at `url` can lose, one sentence each; nothing if it keeps all. Raise Away."""
    try:
        replicas = int(client.info("replication").get("connected_slaves", 0))
        fsync = client.config_get("appendfsync").get("appendfsync", "")
        needed = [int(client.config_get(name).get(name) or 0) for name in MIN_REPLICAS]
    except Away:
        raise
    except RedisError:
        return [f"this server does not show its configuration (CONFIG GET), so what it can lose is unknown; see {PAGE}"]
    replicated = replicas > 0 or bool(read_address(url).sentinels)
    return [*_judge_fsync(fsync), *_judge_replicas(replicated, max(needed))]


def _judge_fsync(fsync: str) -> list[str]:
    if fsync == "always":
        return []
    lost = LOST_IN_A_CRASH.get(fsync, "something")
    return [f"appendfsync is {fsync}: a crash or a power cut can lose {lost} of writes; set it to always"]


def _judge_replicas(replicated: bool, needed: int) -> list[str]:
    if not replicated or needed:
        return []
    what = "min-replicas-to-write is 0: a failover can lose writes that no replica has yet"
    return [f"{what}; set it to 1, and min-replicas-max-lag to 5 ({PAGE})"]
