"""Compute what changes with a subject, cheaply: browsers are told when it does."""

import hashlib

from scheduler.state import keys
from scheduler.state.store import Store

FIELDS = (
    *("state", "since", "spent", "reserved", "unreconciled", "limit", "tokens", "gate", "why", "inflight", "outside"),
    *("archived", "priority"),
)


def mark_sweep(store: Store, name: str) -> str:
    """Mark what a sweep has reached: its state, counts and money, which change with each step of any of its stages."""
    pipe = store.client.pipeline(transaction=False)
    pipe.hmget(keys.sweep(name), FIELDS)
    pipe.hgetall(keys.sweep_counts(name))
    row, counts = pipe.execute()
    return hash_text(repr((row, sorted(counts.items()))))


def hash_text(text: str) -> str:
    """Hash a text to a short name of it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
