"""Read which workers are alive, and forget silent ones."""

from scheduler.state import keys
from scheduler.state.store import Store


def read_live_workers(store: Store) -> dict[str, dict[str, str]]:
    """Return the workers that reported lately, with their reports. Forget silent workers."""
    names = sorted(store.client.smembers(keys.WORKERS))
    pipe = store.client.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(keys.worker(name))
    heard = dict(zip(names, pipe.execute(), strict=True))
    if silent := [name for name, report in heard.items() if not report]:
        store.client.srem(keys.WORKERS, *silent)  # a worker that only paused adds itself again with its next report
    return {name: report for name, report in heard.items() if report}
