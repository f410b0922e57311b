"""Write logs: plain lines, or with SWEEP_LOG=json one JSON object a line, with what it is about and without secrets."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from scheduler.processes.secret_values import Redaction
from scheduler.settings import LogForm
from scheduler.state.workers import name_process

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
SUBJECT = ("sweep", "stage", "attempt")

_subject: ContextVar[Mapping[str, str | int]] = ContextVar("subject")


def start_logging(form: LogForm, level: int = logging.INFO) -> None:
    """Send the logs of this process to stderr. Call it once, before the first line."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level, handlers=[handler])


@contextmanager
def name_subject(*, sweep: str, stage: str, attempt: int) -> Iterator[None]:
    """Let each line of this thread say what it is about while the block runs."""
    token = _subject.set({"sweep": sweep, "stage": stage, "attempt": attempt})
    try:
        yield
    finally:
        _subject.reset(token)


class JsonFormatter(logging.Formatter):
    """One JSON object a line. Its keys are a contract: docs/reference/json.md."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self._redaction = Redaction.read(environment)

    def format(self, record: logging.LogRecord) -> str:
        """Write one record; an exception is text in it."""
        subject = _subject.get({})
        row = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": name_process(),
            **{name: subject.get(name) for name in SUBJECT},
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            row["error"] = self.formatException(record.exc_info)
        return self._redaction.apply(json.dumps(row, ensure_ascii=False))
