"""No process of ours shows a secret in /proc/PID/environ; it and its children have theirs all the same."""

import json
import os
import subprocess
import sys

import pytest

from scheduler.processes.own_environment import drop_secrets, start_process, take_environment

KEY = "tml-planted-3f9ac2"
LOOK = """
import json, os, subprocess, sys
from pathlib import Path
from scheduler.processes.own_environment import take_environment
def look(): return "planted" in Path("/proc/self/environ").read_text()
before = look()
take_environment()
child = subprocess.run(["printenv", "TINKER_API_KEY"], capture_output=True, text=True).stdout.strip()
print(json.dumps([before, look(), os.environ["TINKER_API_KEY"], child, os.environ["SWEEP_HOME"]]))
"""

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")


def environment() -> dict[str, str]:
    return {**os.environ, "TINKER_API_KEY": KEY, "SWEEP_HOME": "/state", "HOOK": KEY, "SWEEP_NOTIFY": "env:HOOK"}


@needs_proc
def test_a_child_gets_its_secrets_where_nobody_else_sees_them() -> None:
    process = start_process([sys.executable, "-c", LOOK], environment(), stdout=subprocess.PIPE, text=True)
    words, _ = process.communicate(timeout=60)
    assert json.loads(words) == [False, False, KEY, KEY, "/state"]


@needs_proc
def test_what_a_process_was_started_with_is_wiped_and_kept_for_itself_and_its_children() -> None:
    command = [sys.executable, "-c", LOOK]
    words = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True).stdout
    assert json.loads(words) == [True, False, KEY, KEY, "/state"]


def test_who_needs_no_secret_gets_none() -> None:
    left = drop_secrets(
        {**environment(), "REDIS_URL": KEY, "AWS_SECRET_ACCESS_KEY": KEY, "SWEEP_OFFLINE_URL": "http://x"}
    )
    assert KEY not in left.values()
    hooks = {
        "TEAM": f"https://hooks.example/{KEY}",
        "HTTPS_PROXY": f"http://me:{KEY}@proxy:3128",
        "HUB": "https://hub.example",
    }
    assert drop_secrets(hooks) == {"HUB": "https://hub.example"}
    assert (left["SWEEP_HOME"], left["SWEEP_OFFLINE_URL"]) == ("/state", "http://x")


def test_without_a_parent_of_ours_nothing_changes() -> None:
    variables = {"A": "1"}
    take_environment(variables)
    assert variables == {"A": "1"}
