"""A line of a log is one object with documented keys, and no secret of the environment is in it."""

import json
import logging
import re
import subprocess
import sys
from datetime import datetime

import pytest

from scheduler.errors import SettingInvalid
from scheduler.processes.json_log import JsonFormatter, name_subject
from scheduler.processes.secret_values import Redaction
from scheduler.settings import read_settings
from tests.repository import ROOT

ENVIRONMENT = {
    "TINKER_API_KEY": "tml-hunter2",
    "REDIS_URL": "rediss://me:p%40ss%20word@host:6379/0",
    "MY_WEBHOOK": 'https://hooks.example/"quoted"',
    "SWEEP_METRICS_TOKEN": "short",
    "PATH": "/usr/bin:/bin",
}


def write(text: str, *arguments: object, level: int = logging.INFO, error: bool = False) -> str:
    reason = ValueError("of tml-hunter2")
    trouble = (ValueError, reason, None) if error else None
    record = logging.LogRecord("a.logger", level, __file__, 1, text, arguments, trouble)
    return JsonFormatter(ENVIRONMENT).format(record)


def test_a_line_is_one_object_with_the_documented_keys() -> None:
    page = (ROOT / "docs" / "reference" / "json.md").read_text().partition("## Log lines\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)
    documented = {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    line = write("two\nlines of %s", "text", level=logging.WARNING, error=True)
    assert "\n" not in line
    row = json.loads(line)
    assert row.keys() == documented
    assert (row["level"], row["event"], row["logger"]) == ("warning", "two\nlines of text", "a.logger")
    assert datetime.fromisoformat(row["time"]).tzinfo is not None
    assert "error" not in json.loads(write("none"))


def test_a_line_names_what_its_thread_works_on_and_only_then() -> None:
    with name_subject(sweep="s", stage="train-x", attempt=2):
        row = json.loads(write("inside"))
        assert (row["sweep"], row["stage"], row["attempt"]) == ("s", "train-x", 2)
    assert json.loads(write("outside"))["stage"] is None


def test_no_secret_of_the_environment_is_in_a_line() -> None:
    secrets = ["tml-hunter2", "p%40ss%20word", "p@ss word", 'https://hooks.example/"quoted"']
    line = write("%s", " ".join(secrets), error=True)
    row = json.loads(line)
    assert not any(secret in line or secret in row["event"] + row["error"] for secret in secrets)
    assert json.loads(write("in: /usr/bin:/bin"))["event"] == "in: /usr/bin:/bin"
    assert Redaction.read({"A_KEY": "abcdef", "B_KEY": "abcdefghi"}).apply("abcdefghi") == "[secret]"


def test_the_scheduler_writes_such_lines_when_it_is_asked_to() -> None:
    program = "import logging; from scheduler.processes.json_log import start_logging; start_logging('json')"
    program += "; logging.getLogger('x').info('y')"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(ended.stderr)["event"] == "y"
    with pytest.raises(SettingInvalid):
        read_settings({"SWEEP_LOG": "yaml"})
