"""Count what every session used, exactly, in the form of the billing endpoint.

Tokens are counted as the service documents its billing. `training` is the length of every datum of
`forward_backward`, and of `forward` too: how the live service bills `forward` is unknown, the
dearer reading is the default, and a fault document can choose the other. `sampling_prefill` is the
prompt once, and once more per further sample of a request as `cached`. `sampling_sample` is what
was generated. A client computes the same from its prompt and the response. Offline, nothing costs
money. Operations are counted as well, for the control endpoint. Appends to one journal file.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tinker_offline.journal import Entry, Journal

Kind = Literal["training", "sampling_prefill", "sampling_sample"]
Operation = Literal["forward_backward", "forward", "optim_step", "sample"]


class Bucket(NamedTuple):
    """The key of one count."""

    hour: int  # since the epoch
    session: str
    model: str
    kind: str
    cached: bool


class UsageCounter:
    """Counts in memory, appends each operation to a file, and sums the file up at the next start.

    An operation's entry reaches the kernel before its reply can be fetched: a killed server does not forget
    what it answered.
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
        """Count tokens, and with `did` the operation that they belong to."""
        if tokens:
            hour = int(datetime.now(UTC).timestamp()) // 3600
            deed = {} if did is None else {"did": [session, did, 1]}
            self._record({"use": [hour, session, model, kind, cached, tokens], **deed})

    def note(self, session: str, did: Operation) -> None:
        """Count an operation without tokens."""
        self._record({"did": [session, did, 1]})

    def _record(self, entry: Entry) -> None:
        self._journal.append(entry)
        self._count(entry)

    def sum_totals(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return `tokens` by kind and `operations`, by session."""
        by_session: dict[str, dict[str, dict[str, int]]] = {}
        for bucket, tokens in self._tokens.copy().items():
            kind = f"{bucket.kind}_cached" if bucket.cached else bucket.kind
            sums = by_session.setdefault(bucket.session, {"tokens": {}, "operations": {}})["tokens"]
            sums[kind] = sums.get(kind, 0) + tokens
        for (session, deed), times in self._deeds.copy().items():
            by_session.setdefault(session, {"tokens": {}, "operations": {}})["operations"][deed] = times
        return by_session

    def list_events(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """List hourly events, by hour and then by falling token count."""
        chosen = [
            (bucket, tokens)
            for bucket, tokens in self._tokens.copy().items()
            if start <= _hour_start(bucket.hour) < end
        ]
        chosen.sort(key=lambda item: (item[0].hour, -item[1], item[0]))
        return [_describe_event(bucket, tokens) for bucket, tokens in chosen]


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
