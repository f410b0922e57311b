"""The units and manifests are valid, run what docker-compose.yml runs, and give it as little."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.deploy.compose import BASE, read_services
from tests.repository import ROOT

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
PREFIX = "/opt/tinker-sweeps/bin/"
KUBERNETES = "1.33"
COMPOSED = read_services(BASE, environment={})


def read_unit(path: Path) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            values.setdefault(name, []).append(value)
    return values


def name_of(unit: Path) -> str:
    return unit.stem.removeprefix("sweep-").rstrip("@")


def read_manifests() -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from YAML(typ="safe").load_all(path)


def deployments() -> dict[str, Any]:
    return {row["metadata"]["name"]: row["spec"] for row in read_manifests() if row["kind"] == "Deployment"}


def loopback(words: list[str]) -> list[str]:
    """Flower listens in its container on every address; elsewhere on the loopback alone."""
    return [word.replace("0.0.0.0", "127.0.0.1") for word in words]


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    for path in (ROOT / "deploy" / "systemd").iterdir():
        text = path.read_text().replace(PREFIX, f"{Path(sys.executable).parent}/")
        (tmp_path / path.name).write_text(text)
    files = [str(path) for path in sorted(tmp_path.iterdir()) if path.suffix in (".service", ".target")]
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "sweep" in line]
    assert (done.returncode, ours) == (0, [])


def test_units_and_pods_run_the_commands_of_the_containers() -> None:
    assert {name_of(unit) for unit in UNITS} == deployments().keys() == {"scheduler", "worker", "page", "flower"}
    for unit in UNITS:
        name = name_of(unit)
        (command,) = read_unit(unit)["ExecStart"]
        assert command.removeprefix(PREFIX).split() == loopback(COMPOSED[name]["entrypoint"]), name
        (container,) = deployments()[name]["template"]["spec"]["containers"]
        assert container["command"] == loopback(COMPOSED[name]["entrypoint"]), name


def test_units_have_few_rights_limits_and_secrets_of_their_own() -> None:
    for unit in UNITS:
        values = read_unit(unit)
        assert (values["NoNewPrivileges"], values["CapabilityBoundingSet"]) == (["yes"], [""])
        assert (values["ProtectSystem"], values["DynamicUser"]) == (["strict"], ["yes"])
        assert {"MemoryMax", "TasksMax"} <= values.keys()
        names = {value.partition(":")[0] for value in values["LoadCredential"]}
        assert ("TINKER_API_KEY" in names) == (name_of(unit) in ("scheduler", "worker"))


def test_kubernetes_accepts_the_manifests() -> None:
    validate = pytest.importorskip("kubernetes_validate").validate
    for manifest in read_manifests():
        validate(manifest, KUBERNETES, strict=True)


def test_pods_have_few_rights_limits_probes_and_secrets_of_their_own() -> None:
    for name, spec in deployments().items():
        pod = spec["template"]["spec"]
        (container,) = pod["containers"]
        assert (pod["automountServiceAccountToken"], pod["securityContext"]["runAsNonRoot"]) == (False, True)
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        for probe in ("livenessProbe", "readinessProbe"):
            assert container[probe]["exec"]["command"][:3] == ["sweep", "health", name]
        secret = next(volume["secret"] for volume in pod["volumes"] if "secret" in volume)
        keys = {item["key"] for item in secret["items"]}
        assert ("TINKER_API_KEY" in keys) == (name in ("scheduler", "worker"))
        assert not {"redis_server.key", "redis_ca.key"} & keys
