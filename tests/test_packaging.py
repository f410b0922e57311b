"""What is installed is pinned, whole, and from nowhere in particular."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pinned() -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, re.MULTILINE))


def test_every_package_of_the_lock_has_hashes_and_no_host_is_named() -> None:
    entries = re.split(r"\n(?=[a-z0-9-]+==)", LOCK)
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in LOCK
    assert "index" not in LOCK


def test_everything_that_the_project_asks_for_is_in_the_lock() -> None:
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    names = {re.split(r"[\[><=; ]", line)[0].replace(".", "-") for line in asked}
    assert names <= pinned().keys()


def test_it_is_an_application_that_no_index_takes() -> None:
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]
