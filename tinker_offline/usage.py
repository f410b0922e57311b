"""What every session used, exactly, in the shape of the billing endpoint.

Tokens are counted as the service is documented to bill them, where that is known: `training` is the length of every
datum of `forward_backward`, and of `forward` too (how the live service bills `forward` is not known; we take the dearer
reading, and a rehearsal may take the other); `sampling_prefill` is the prompt once, and once more per further sample of
a request as `cached`; `sampling_sample` is what was generated. A client counts the same from its prompt and the
response: prompt - `prompt_cache_hit_tokens`, that and the prompt once per further sequence, all their tokens. Offline,
nothing costs anything. What was done is counted as well, in operations: the billing endpoint has no place for it, but a
rehearsal wants to know.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tinker_offline.journal import Entry, Journal

Kind = Literal["training", "sampling_prefill", "sampling_sample"]
Operation = Literal["forward_backward", "forward", "optim_step", "sample"]


class Bucket(NamedTuple):
    """What one count is of."""

    hour: int  # since the epoch
    session: str
    model: str
    kind: str
    cached: bool


class UsageCounter:
    """Counted in memory, appended to a file per operation; the file is summed up at the next start.

    The entry of an operation is with the kernel before the operation's reply can be fetched: killing the server does
    not make it forget what it has answered.
    """

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path)
        self._tokens: Counter[Bucket] = Counter()
        self._deeds: Counter[tuple[str, str]] = Counter()
        for entry in self._journal.read():
            self._count(entry)
        self._journal.rewrite(
            [
                *({"use": [*bucket, tokens]} for bucket, tokens in self._tokens.items()),
                *({"did": [session, deed, times]} for (session, deed), times in self._deeds.items()),
            ]
        )

    def _count(self, entry: Entry) -> None:
        if "use" in entry:
            *bucket, tokens = entry["use"]
            self._tokens[Bucket(*bucket)] += tokens
        if "did" in entry:
            session, deed, times = entry["did"]
            self._deeds[session, deed] += times

    def add(
        self, session: str, model: str, kind: Kind, tokens: int, *, cached: bool = False, did: Operation | None = None
    ) -> None:
        """Tokens, and with `did` the operation that they are of."""
        if tokens:
            hour = int(datetime.now(UTC).timestamp()) // 3600
            deed = {} if did is None else {"did": [session, did, 1]}
            self._record({"use": [hour, session, model, kind, cached, tokens], **deed})

    def note(self, session: str, did: Operation) -> None:
        """An operation without tokens."""
        self._record({"did": [session, did, 1]})

    def _record(self, entry: Entry) -> None:
        self._journal.append(entry)
        self._count(entry)

    def totals(self) -> dict[str, dict[str, dict[str, int]]]:
        """By session: `tokens` by kind, and `operations`."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        for bucket, tokens in self._tokens.copy().items():
            kind = f"{bucket.kind}_cached" if bucket.cached else bucket.kind
            sums = found.setdefault(bucket.session, {"tokens": {}, "operations": {}})["tokens"]
            sums[kind] = sums.get(kind, 0) + tokens
        for (session, deed), times in self._deeds.copy().items():
            found.setdefault(session, {"tokens": {}, "operations": {}})["operations"][deed] = times
        return found

    def events(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Hourly events, ordered by hour, then by falling token count."""
        found = [
            (bucket, tokens)
            for bucket, tokens in self._tokens.copy().items()
            if start <= _hour_start(bucket.hour) < end
        ]
        found.sort(key=lambda item: (item[0].hour, -item[1], item[0]))
        return [_describe_event(bucket, tokens) for bucket, tokens in found]


def _hour_start(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)


def _describe_event(bucket: Bucket, tokens: int) -> dict[str, Any]:
    information = {"type": bucket.kind, "token_count": tokens}
    if bucket.kind == "sampling_prefill":
        information["cached"] = bucket.cached
    return {
        "bucket_start": _hour_start(bucket.hour).isoformat(),
        "bucket_end": (_hour_start(bucket.hour) + timedelta(hours=1)).isoformat(),
        "base_model": bucket.model,
        "session_id": bucket.session,
        "event_info": information,
    }
