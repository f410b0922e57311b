"""Find an environment by its name, and compute the digest of its code, which is part of a stage's identity.

    offline:NAME                built in
    package.module:attribute    your own: an `Environment`, or a class or function without arguments that makes one
    NAME                        an entry point of the group `tinker_sweeps.environments` of an installed package
    verifiers:ID                of the library `verifiers`

It is code of other people: whatever it does when it is imported or inspected, the error is CodeUnusable. This module
imports little, because the process that plays episodes starts with it.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scheduler.errors import CodeUnusable
from scheduler.plugins.user_code import (
    describe_error,
    digest_modules,
    digest_source,
    get_attribute,
    import_user_module,
    shorten_value,
)
from sweeps.environments import Environment, EpisodeShape
from sweeps.errors import SweepsError

GROUP = "tinker_sweeps.environments"
BUILT_IN = "offline:"  # before the names of those that come with this program
TURNS = 100_000  # of an episode: more is a mistake
TOKENS = 10_000_000  # of an action or an answer
RIGHT = "offline:NAME, package.module:attribute, verifiers:ID or the name of an entry point"


class UserEnvironment(NamedTuple):
    """An environment, and the digest of its code."""

    environment: Environment
    code: str


def load_environment(name: str, folder: Path | None = None) -> Environment:
    """Return the environment with a name. Raises CodeUnusable."""
    return find_environment(name, folder).environment


def read_code_digest(name: str, folder: Path | None = None) -> str:
    """Return the digest of an environment's code: if it changes, a seed may mean another task. Raises CodeUnusable."""
    return find_environment(name, folder).code


def find_environment(name: str, folder: Path | None = None, planned: str | None = None) -> UserEnvironment:
    """Find an environment and its digest. Modules are searched in `folder` last; by default the current folder.

    Nothing is imported if its source is not that of the digest `planned`. Raises CodeUnusable.
    """
    kind, colon, rest = name.partition(":")
    if not name.isprintable() or not kind or (colon and not rest):
        raise CodeUnusable(f"environment: expected {RIGHT}, got {name!r}")
    if kind == "offline" and colon:
        environment = check_environment(name, _load_built_in(name))
        return UserEnvironment(environment, f"{name}@{environment.version}")
    place = folder or Path.cwd()
    if kind == "verifiers" and colon:
        return _load_verifiers(name, rest, place, planned)
    path = name if colon else _find_entry_point(name)
    return _import_environment(name, path, place, planned)


def check_environment(name: str, environment: object) -> Environment:
    """Return the object if it follows the protocol of an environment. Raises CodeUnusable."""
    try:
        wrong = next(_list_faults(environment), None)
    except Exception as error:  # noqa: BLE001 - a property may run anything
        raise CodeUnusable(f"{name}: inspecting it {describe_error(error)}") from None
    if wrong:
        raise CodeUnusable(f"{name} is not an environment: {wrong}")
    assert isinstance(environment, Environment)
    return environment


def _list_faults(environment: Any) -> Iterator[str]:
    """List how an object breaks the protocol."""
    missing = [
        attribute for attribute in ("version", "shape", "stop", "episode") if not hasattr(environment, attribute)
    ]
    if missing:
        yield f"{_describe_kind(environment)} has no {', '.join(missing)}"
    if type(environment.version) is not int:
        yield f"version: expected a whole number, got {shorten_value(environment.version)}"
    if not isinstance(environment.shape, EpisodeShape):
        yield f"shape: expected sweeps.environments.EpisodeShape(…), got {shorten_value(environment.shape)}"
    for field, least, most in (("turns", 1, TURNS), ("action", 1, TOKENS), ("observation", 0, TOKENS)):
        span = getattr(environment.shape, field)
        if not _is_span(span, least, most):
            numbers = f"whole numbers from {least} to {most:,}"
            yield f"shape: expected {field}=(least, most), {numbers}, got {shorten_value(span)}"
    if not isinstance(environment.stop, tuple) or not all(isinstance(text, str) and text for text in environment.stop):
        yield f"stop: expected a tuple of texts, none of them empty, got {shorten_value(environment.stop)}"
    if not callable(environment.episode):
        yield f"episode: expected a method episode(seed, split), got {shorten_value(environment.episode)}"


def _is_span(span: object, least: int, most: int) -> bool:
    if not isinstance(span, tuple) or len(span) != 2 or not all(type(number) is int for number in span):
        return False
    low, high = span
    return bool(least <= low <= high <= most)


def _describe_kind(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


def _load_built_in(name: str) -> object:
    try:
        offline = importlib.import_module("sweeps.environments.builtin")
    except ImportError as error:
        raise CodeUnusable(f"{name}: importing the built-in environments {describe_error(error)}") from None
    try:
        return offline.load_builtin(name)
    except SweepsError as error:
        raise CodeUnusable(str(error)) from None


def _load_verifiers(name: str, rest: str, folder: Path, planned: str | None) -> UserEnvironment:
    from scheduler.plugins import verifiers_adapter

    source = digest_source(name, verifiers_adapter.name_module(rest), folder, planned)
    environment = verifiers_adapter.load_verifiers(name, rest)
    library, modules = verifiers_adapter.list_sources(environment, rest)
    loaded = digest_modules(f"{environment.version}, {library}", modules)
    return UserEnvironment(check_environment(name, environment), f"{source}-{loaded}")


def _find_entry_point(name: str) -> str:
    from importlib.metadata import entry_points  # takes 20 ms, and only entry points need it

    named = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    if name not in named:
        known = f"entry points of {GROUP}: {', '.join(sorted(named)) or 'none'}"
        raise CodeUnusable(f"environment: expected {RIGHT}, got {name!r} ({known})")
    return named[name]


def _import_environment(name: str, path: str, folder: Path, planned: str | None) -> UserEnvironment:
    module_name, _, attribute = path.partition(":")
    source = digest_source(name, module_name, folder, planned)
    attribute_value = get_attribute(name, import_user_module(name, module_name, folder), attribute)
    environment = check_environment(name, _make_environment(name, attribute_value))
    origins = {module_name, str(getattr(attribute_value, "__module__", module_name)), type(environment).__module__}
    return UserEnvironment(environment, f"{source}-{digest_modules(str(environment.version), origins)}")


def _make_environment(name: str, factory: Any) -> object:
    """Return the environment; call the class or function that makes it."""
    if not isinstance(factory, type) and (not callable(factory) or hasattr(factory, "episode")):
        return factory
    try:
        return factory()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - user code may raise anything
        raise CodeUnusable(f"{name}: calling it without arguments {describe_error(error)}") from None
