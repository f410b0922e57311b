"""The compose files give each container little, and each process all that it needs."""

import itertools
import re
import tomllib
from typing import Any

import pytest

from tests.deploy.compose import BASE, PUBLISHED, WORKER, Unset, read_secrets, read_services
from tests.repository import ROOT

ELSEWHERE = {"SWEEP_STORE": "s3://bucket/sweeps"}
HERE = {"REDIS_ADDRESS": "10.0.0.5"}
FILES = [((BASE,), {}), ((BASE, PUBLISHED), HERE), ((WORKER,), ELSEWHERE)]
ALONE = read_services(BASE, environment={})


def every_service() -> list[tuple[str, dict[str, Any]]]:
    return [row for files, environment in FILES for row in read_services(*files, environment=environment).items()]


def test_no_container_has_more_rights_than_it_needs() -> None:
    for name, service in every_service():
        assert (service["read_only"], service["init"], service["cap_drop"]) == (True, True, ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["tmpfs"] == ["/tmp"], name
        assert not {"privileged", "cap_add", "pid", "network_mode"} & service.keys(), name
        assert int(service["pids_limit"]) > 0, name
        assert re.fullmatch(r"\d+[gm]", service["mem_limit"]), name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


def test_every_service_that_stays_has_a_health_check_and_waits_for_no_other() -> None:
    for name, service in every_service():
        assert ("healthcheck" in service) == (name != "sweep"), name
        assert "depends_on" not in service, name


def test_only_loopback_is_published_but_for_the_redis_with_tls_and_passwords() -> None:
    ports = [port for service in ALONE.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert "ports" not in ALONE["redis"]
    published = read_services(BASE, PUBLISHED, environment=HERE)["redis"]
    assert published["ports"] == ["10.0.0.5:6379:6379"]
    words = published["command"].split()
    chosen = dict(itertools.pairwise(words))
    assert (chosen["--port"], chosen["--tls-port"]) == ("0", "6379")
    assert chosen["--aclfile"].removeprefix("/run/secrets/") in published["secrets"]
    with pytest.raises(Unset, match="REDIS_ADDRESS"):
        read_services(BASE, PUBLISHED, environment={})


def test_redis_keeps_what_it_must_also_when_it_is_published() -> None:
    for files, environment in FILES[:2]:
        command = read_services(*files, environment=environment)["redis"]["command"]
        for option in (
            "appendonly yes",
            "appendfsync always",
            "maxmemory-policy noeviction",
            "hash-max-listpack-value 1024",
        ):
            assert f"--{option}" in command


def test_no_secret_is_in_the_environment_and_each_is_a_file() -> None:
    for files, environment in FILES:
        services, secrets = (
            read_services(*files, environment=environment),
            read_secrets(*files, environment=environment),
        )
        for name, service in services.items():
            assert (
                not {"TINKER_API_KEY", "SWEEP_WEBHOOK_SECRET", "FLOWER_BASIC_AUTH"}
                & service.get("environment", {}).keys()
            )
            assert set(service.get("secrets", [])) <= secrets.keys(), name
    assert "TINKER_API_KEY" not in ALONE["flower"]["secrets"]
    assert ALONE["flower"]["secrets"] == ["FLOWER_BASIC_AUTH"]
    assert ALONE["page"]["secrets"] == ["aws_credentials"]


def test_a_worker_elsewhere_takes_redis_and_store_from_the_environment_and_demands_a_store() -> None:
    environment = {**ELSEWHERE, "REDIS_URL": "rediss://host/0", "SWEEP_LEASE": "90"}
    (worker,) = read_services(WORKER, environment=environment).values()
    variables = worker["environment"]
    assert (variables["REDIS_URL"], variables["SWEEP_STORE"]) == ("rediss://host/0", "s3://bucket/sweeps")
    assert variables["SWEEP_LEASE"] == "90"
    assert worker["entrypoint"] == ALONE["worker"]["entrypoint"]
    with pytest.raises(Unset, match="SWEEP_STORE"):
        read_services(WORKER, environment={})


def test_users_are_told_apart_and_reports_have_a_folder() -> None:
    environment = read_services(BASE, environment={"USER": "ada"})["sweep"]["environment"]
    assert environment["SWEEP_USER"] == "ada"
    folder = ALONE["sweep"]["working_dir"]
    assert any(folder.startswith(volume.split(":")[1]) for volume in ALONE["sweep"]["volumes"])
    assert folder in (ROOT / "Dockerfile").read_text()


def test_what_is_in_the_image_is_locked_runs_and_has_the_clients_of_buckets() -> None:
    locks = [
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.lock", "deploy/requirements.lock")
    ]
    everything, image = locks
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {re.split(r"[\[><=; ]", line)[0].replace(".", "-") for line in project["project"]["dependencies"]}
    assert wanted | {"s3fs", "gcsfs"} <= image.keys()
    assert not {"pytest", "mypy", "ruff", "moto", "hypothesis"} & image.keys()
    assert {name for name in image.keys() & everything.keys() if image[name] != everything[name]} == set()
    runs = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert re.findall(r"-r (\S+)", runs) == ["/tmp/requirements.lock"]
    assert "--require-hashes" in runs
