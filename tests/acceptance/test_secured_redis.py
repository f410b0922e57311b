"""A sweep on a Redis with TLS and a user that may do only what docs/how-to/redis.md gives it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from scheduler.errors import StoreUnavailable
from scheduler.processes.free_ports import find_free_port
from scheduler.state.connection import check_server, connect
from tests.acceptance.command import Desk
from tests.acceptance.small_nights import run_short_night
from tests.certificates import make_certificates
from tests.guarded import find_server_with_tls, read_published_rights
from tests.support import TRUSTED, redis_server

PASSWORD = "a%2Fb:c@d"  # with all that a URL must spell otherwise


@contextmanager
def secured(folder: Path) -> Iterator[tuple[str, Any]]:
    """A server with TLS that lets in nobody without a password; its URL for our user, and its admin."""
    program, certificates, port = find_server_with_tls(), make_certificates(folder / "certificates"), find_free_port()
    options = {
        "tls-port": str(port),
        "tls-ca-cert-file": str(certificates / "ca.pem"),
        "tls-cert-file": str(certificates / "server.pem"),
        "tls-key-file": str(certificates / "server.key"),
        "tls-auth-clients": "no",
    }
    (folder / "redis").mkdir()
    with redis_server(folder / "redis", {**TRUSTED, **options}, program) as server:
        admin: Any = server.client()
        admin.execute_command("ACL", "SETUSER", "sweep", "on", f">{PASSWORD}", *read_published_rights())
        admin.execute_command("ACL", "SETUSER", "admin", "on", ">x", "~*", "&*", "+@all")
        admin.execute_command("AUTH", "admin", "x")
        admin.execute_command("ACL", "SETUSER", "default", "off")
        password = "a%252Fb%3Ac%40d"
        yield f"rediss://sweep:{password}@localhost:{port}/0?ssl_ca_certs={certificates / 'ca.pem'}", admin
        admin.close()


def test_a_whole_sweep_runs_with_tls_a_password_and_the_published_rights(desk: Desk, tmp_path: Path) -> None:
    with secured(tmp_path) as (url, admin):
        desk.environment.update(REDIS_URL=f"{url}&ssl_cert_reqs=CERT_REQUIRED")
        run_short_night(desk)
        assert "CONFIG GET" in desk.said(), "what it can lose is unknown, and said at the start"
        results = desk.call("-f", "json", "results", "small")
        assert results.status == 0, results.err
        checked = {row["check"]: row["verdict"] for row in desk.call("-f", "json", "doctor").json["findings"]}
        assert checked["redis"] == "note"
        assert not [line for line in admin.acl_log() if line["username"] == "sweep" and "config" not in line["object"]]
        logs = "".join(path.read_text(errors="replace") for path in (desk.home / "logs").glob("*.log"))
        assert PASSWORD not in logs + desk.said()
        assert "a%252Fb" not in logs + desk.said()


def test_a_certificate_of_an_unknown_authority_is_refused_unless_the_url_says_none(tmp_path: Path) -> None:
    with secured(tmp_path) as (url, _):
        plain = url.partition("?")[0]
        with (
            closing(connect(plain, retries=0)) as client,
            pytest.raises(StoreUnavailable, match="certificate") as refused,
        ):
            check_server(client, plain)
        assert "a%252Fb" not in str(refused.value)
        for right in (url, f"{plain}?ssl_cert_reqs=none", f"{plain}?ssl_cert_reqs=CERT_NONE"):
            with closing(connect(right, retries=0)) as client:
                assert client.ping()
