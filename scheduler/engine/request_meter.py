"""Measure how many requests a minute the fleet sends, from what each worker has sent in all. Pure."""

from collections.abc import Mapping

from scheduler.services import SERVICES

SENT = "sent:"  # before a service: the field of a worker's report that counts the requests it has sent
MOST = 10_000  # workers that are remembered while they are silent


class RequestMeter:
    """Compares each look with the one before. The first one measures nothing: nobody knows when the requests were."""

    def __init__(self) -> None:
        self._last: dict[str, dict[str, int]] = {}
        self._at: float | None = None

    def measure(self, reports: Mapping[str, Mapping[str, str]], now: float) -> dict[str, int]:
        """Return the requests a minute to each service since the last look. `now` in seconds."""
        before, elapsed = self._last, now - self._at if self._at is not None else 0.0
        counts = {
            worker: {service: int(report.get(SENT + service, 0)) for service in SERVICES}
            for worker, report in reports.items()
        }
        self._last, self._at = {**before, **counts} if len(before) < MOST else counts, now
        if elapsed <= 0:
            return {}
        sent = {
            service: sum(
                max(0, row[service] - before.get(worker, {}).get(service, 0)) for worker, row in counts.items()
            )
            for service in SERVICES
        }
        return {service: round(count * 60 / elapsed) for service, count in sent.items() if count}
