"""Secrets come from files with the names of their variables, and are in no process's initial environment."""

from pathlib import Path

import pytest

from scheduler.errors import SettingInvalid
from scheduler.processes.secret_files import LONGEST, load_secrets
from tests.wording import naming


def load(folder: Path, **variables: str) -> dict[str, str]:
    environment = {"SWEEP_SECRETS": str(folder), **variables}
    load_secrets(environment)
    return {name: value for name, value in environment.items() if name != "SWEEP_SECRETS"}


def test_each_file_sets_its_variable_and_an_empty_one_nothing(tmp_path: Path) -> None:
    for name, text in {"TINKER_API_KEY": "tml-1\n", "SLACK": "", "ca.pem": "x", "..data": "y"}.items():
        (tmp_path / name).write_text(text)
    assert load(tmp_path, REDIS_URL="redis://host") == {"TINKER_API_KEY": "tml-1", "REDIS_URL": "redis://host"}


def test_a_variable_with_another_value_is_refused_and_the_same_or_an_empty_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "TINKER_API_KEY").write_text("tml-secret")
    for same in ("", "tml-secret"):
        assert load(tmp_path, TINKER_API_KEY=same) == {"TINKER_API_KEY": "tml-secret"}
    with pytest.raises(SettingInvalid, match="TINKER_API_KEY") as refused:
        load(tmp_path, TINKER_API_KEY="tml-other")
    assert "tml-" not in str(refused.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"two\nlines", b"x" * (LONGEST + 1)], ids=["bytes", "lines", "long"])
def test_what_is_no_line_of_text_is_refused_by_the_name_of_its_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "REDIS_URL").write_bytes(content)
    with pytest.raises(SettingInvalid, match=naming("SWEEP_SECRETS", "REDIS_URL")):
        load(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="SWEEP_SECRETS"):
        load(tmp_path / "none")
