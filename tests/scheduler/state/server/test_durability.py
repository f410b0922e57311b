"""What a server can lose is said before it does: real servers, also one that forbids CONFIG."""

from pathlib import Path
from typing import Any

import pytest

from scheduler.state.server.durability import list_risks
from tests.support import TRUSTED, redis_server


def risks(tmp_path: Path, **options: str) -> list[str]:
    with redis_server(
        tmp_path, {**TRUSTED, **{name.replace("_", "-"): value for name, value in options.items()}}
    ) as server:
        client = server.client()
        try:
            return list_risks(client, server.url)
        finally:
            client.close()


def test_a_server_that_syncs_each_write_loses_nothing(tmp_path: Path) -> None:
    assert risks(tmp_path) == []


@pytest.mark.parametrize(("fsync", "lost"), [("everysec", "second"), ("no", "half minute")])
def test_what_a_crash_loses_follows_from_how_often_it_syncs(tmp_path: Path, fsync: str, lost: str) -> None:
    (risk,) = risks(tmp_path, appendfsync=fsync)
    assert (f"appendfsync is {fsync}" in risk, lost in risk) == (True, True)


def test_one_that_forbids_config_is_a_note_and_no_traceback(tmp_path: Path) -> None:
    (risk,) = risks(tmp_path, rename_command="CONFIG MANAGED-CONFIG")
    assert "CONFIG GET" in risk


def test_replicas_that_need_not_have_a_write_are_a_risk(tmp_path: Path) -> None:
    for name in ("primary", "replica"):
        (tmp_path / name).mkdir()
    with redis_server(tmp_path / "primary", TRUSTED) as primary:
        client: Any = primary.client()
        sentinels = "sentinel://h/fleet/0"
        assert "min-replicas-to-write" in list_risks(client, sentinels)[0]
        assert list_risks(client, primary.url) == [], "without replicas there is no failover"
        client.config_set("min-replicas-to-write", 1)
        assert list_risks(client, sentinels) == []
        client.close()
