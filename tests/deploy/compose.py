"""Read the compose files as an engine would: merges, `extends`, several files, and variables of the environment."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.repository import ROOT

BASE, WORKER, PUBLISHED = (
    ROOT / name for name in ("docker-compose.yml", "deploy/compose.worker.yml", "deploy/compose.published.yml")
)
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])((?:[^${}]|\$\{[^{}]*\})*))?\}")


class Unset(Exception):
    """A variable that a file demands is not set."""


def read_services(*files: Path, environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services by name, later files over earlier ones; every value as a container would get it."""
    services: dict[str, dict[str, Any]] = {}
    for file in files:
        document = YAML(typ="safe").load(file)
        for name, service in document["services"].items():
            extended = {**service}
            if base := extended.pop("extends", None):
                source = YAML(typ="safe").load(file.parent / base["file"])["services"][base["service"]]
                extended = merge(source, extended)
            services[name] = merge(services.get(name, {}), extended)
    return {name: resolve(service, environment) for name, service in services.items()}


def read_secrets(*files: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The file of each secret."""
    secrets: dict[str, str] = {}
    for file in files:
        for name, secret in YAML(typ="safe").load(file)["secrets"].items():
            secrets[name] = resolve(secret["file"], environment)
    return secrets


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged, lists of secrets and volumes joined; everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merged[key] = merge(base[key], value)
        elif key in ("secrets", "volumes", "ports"):
            merged[key] = list(dict.fromkeys([*base.get(key, []), *value]))
        else:
            merged[key] = value
    return merged


def resolve(value: Any, environment: Mapping[str, str]) -> Any:
    """Put the environment's values in; a variable of `environment:` without a value is passed on, or left out."""
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: _resolve_variable(match, environment), value)
    if isinstance(value, list):
        return [resolve(item, environment) for item in value]
    if isinstance(value, dict):
        passed = {
            key: environment.get(key) if item is None else resolve(item, environment) for key, item in value.items()
        }
        return {key: item for key, item in passed.items() if item is not None}
    return value


def _resolve_variable(match: "re.Match[str]", environment: Mapping[str, str]) -> str:
    name, kind, text = match.groups()
    if environment.get(name):
        return environment[name]
    if kind == "?":
        raise Unset(f"{name}: {text}")
    return str(resolve(text or "", environment))
