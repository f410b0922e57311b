"""What every session used, exactly, in the shape of the billing endpoint.

Tokens are counted as the service is documented to bill them, where that is known: `training` is the length of every
datum of `forward_backward`, and of `forward` too (how the live service bills `forward` is not known; we take the dearer
reading); `sampling_prefill` is the prompt once, and once more per further sample of a request as `cached`;
`sampling_sample` is what was generated. Offline, nothing costs anything.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tinker_offline.journal import Journal

Kind = Literal["training", "sampling_prefill", "sampling_sample"]


class Bucket(NamedTuple):
    """What one count is of."""

    hour: int  # since the epoch
    session: str
    model: str
    kind: str
    cached: bool


class Usage:
    """Counted in memory, appended to a file per operation; the file is summed up at the next start."""

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path)
        self._tokens: Counter[Bucket] = Counter()
        for *bucket, tokens in (entry["use"] for entry in self._journal.read()):
            self._tokens[Bucket(*bucket)] += tokens
        self._journal.rewrite({"use": [*bucket, tokens]} for bucket, tokens in self._tokens.items())

    def add(self, session: str, model: str, kind: Kind, tokens: int, *, cached: bool = False) -> None:
        if not tokens:
            return
        bucket = Bucket(int(datetime.now(UTC).timestamp()) // 3600, session, model, kind, cached)
        self._tokens[bucket] += tokens
        self._journal.append({"use": [*bucket, tokens]})

    def events(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Hourly events, ordered by hour, then by falling token count."""
        found = [
            (bucket, tokens) for bucket, tokens in self._tokens.copy().items() if start <= _time(bucket.hour) < end
        ]
        found.sort(key=lambda item: (item[0].hour, -item[1], item[0]))
        return [_event(bucket, tokens) for bucket, tokens in found]


def _time(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)


def _event(bucket: Bucket, tokens: int) -> dict[str, Any]:
    information = {"type": bucket.kind, "token_count": tokens}
    if bucket.kind == "sampling_prefill":
        information["cached"] = bucket.cached
    return {
        "bucket_start": _time(bucket.hour).isoformat(),
        "bucket_end": (_time(bucket.hour) + timedelta(hours=1)).isoformat(),
        "base_model": bucket.model,
        "session_id": bucket.session,
        "event_info": information,
    }
