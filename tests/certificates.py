"""Certificates for a test: an authority of its own and a server on this machine, made by `openssl`."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest


def make_certificates(folder: Path, addresses: Iterable[str] = ()) -> Path:
    """Write `ca.pem`, and `server.pem` with `server.key` for localhost and these addresses; return the folder."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    folder.mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    _run(folder, "req", "-x509", *key, "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")
    places = ",".join(f"IP:{address}" for address in dict.fromkeys(["127.0.0.1", *addresses]))
    names = ["-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,{places}"]
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"]
    _run(folder, "req", "-x509", *key, *names, *signed, "-keyout", "server.key", "-out", "server.pem")
    return folder


def _run(folder: Path, *words: str) -> None:
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
