"""Compare the arguments of `celery worker` with the settings: admission counts the threads that the settings name."""

from collections.abc import Sequence

POOL = "celery.concurrency.thread"


def find_contradiction(pool: str, concurrency: int, autoscale: Sequence[int] | None, *, threads: int) -> str:
    """Say which argument contradicts the settings, and what to do; "" if none. `pool` is the module of the pool."""
    if pool != POOL:
        return f"expected the pool of threads, got {pool}; leave out --pool: a Tinker client does not survive a fork"
    if autoscale:
        return "expected a fixed number of threads; leave out --autoscale and set SWEEP_THREADS"
    if concurrency != threads:
        return (
            f"expected --concurrency {threads}, as SWEEP_THREADS says, got {concurrency}; "
            "leave out --concurrency and set SWEEP_THREADS"
        )
    return ""
