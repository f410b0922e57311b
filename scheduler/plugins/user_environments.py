"""From the name of an environment to the environment, and to the digest of its code that is part of a stage's identity.

    offline:NAME                comes with this project
    package.module:attribute    your own: an `Environment`, or a class or function without arguments that makes one
    NAME                        of an installed package, as an entry point of the group `tinker_sweeps.environments`
    verifiers:ID                of the library `verifiers`, by an adapter

What is found is code of other people: whatever it does when it is imported or looked at comes out as
CodeUnusable. Little is imported here, for the process that plays episodes begins with this module.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scheduler.errors import CodeUnusable
from scheduler.plugins.user_code import (
    describe_error,
    digest_modules,
    get_attribute,
    import_user_module,
    make_importable,
    shorten_value,
)
from sweeps.environments import Environment, EpisodeShape
from sweeps.errors import SweepsError

GROUP = "tinker_sweeps.environments"
TURNS = 100_000  # of an episode: beyond that, somebody meant something else
TOKENS = 10_000_000  # of an action or an answer
RIGHT = "offline:NAME, package.module:attribute, verifiers:ID or the name of an entry point is right"


class UserEnvironment(NamedTuple):
    """An environment, and what its code is known by."""

    environment: Environment
    code: str


def load_environment(name: str, folder: Path | None = None) -> Environment:
    """The environment of a name. Raises CodeUnusable, with what was found and what would be right."""
    return find_environment(name, folder).environment


def read_code_digest(name: str, folder: Path | None = None) -> str:
    """What the environment's code is known by: another text means that the same seed may mean another task.

    Raises CodeUnusable.
    """
    return find_environment(name, folder).code


def find_environment(name: str, folder: Path | None = None) -> UserEnvironment:
    """Both at once. Modules are also looked for in `folder`, behind all others; by default where the process stands."""
    kind, colon, rest = name.partition(":")
    if not name.isprintable() or not kind or (colon and not rest):
        raise CodeUnusable(f"{name!r} is no name of an environment; {RIGHT}")
    if kind == "offline" and colon:
        environment = check_environment(name, _load_built_in(name))
        return UserEnvironment(environment, f"{name}@{environment.version}")
    make_importable(folder or Path.cwd())
    if kind == "verifiers" and colon:
        return _load_verifiers(name, rest)
    path = name if colon else _find_entry_point(name)
    return _import_environment(name, path)


def check_environment(name: str, found: object) -> Environment:
    """What was found, if it is an environment by the protocol. Raises CodeUnusable."""
    try:
        wrong = next(_list_faults(found), None)
    except Exception as error:  # noqa: BLE001 - a property of theirs may do anything
        raise CodeUnusable(f"{name}: to look at it {describe_error(error)}") from None
    if wrong:
        raise CodeUnusable(f"{name} is no environment: {wrong}")
    assert isinstance(found, Environment)
    return found


def _list_faults(found: Any) -> Iterator[str]:
    """What is not as the protocol says."""
    missing = [each for each in ("version", "shape", "stop", "episode") if not hasattr(found, each)]
    if missing:
        yield f"{_kind(found)} was found, without {', '.join(missing)}"
    if type(found.version) is not int:
        yield f"its version is {shorten_value(found.version)}; a whole number is right"
    if not isinstance(found.shape, EpisodeShape):
        yield f"its shape is {shorten_value(found.shape)}; sweeps.environments.Shape(…) is right"
    for field, least, most in (("turns", 1, TURNS), ("action", 1, TOKENS), ("observation", 0, TOKENS)):
        span = getattr(found.shape, field)
        if not _is_span(span, least, most):
            numbers = f"whole numbers from {least} to {most:,}"
            yield f"its shape: expected {field}=(least, most), {numbers}, got {shorten_value(span)}"
    if not isinstance(found.stop, tuple) or not all(isinstance(text, str) and text for text in found.stop):
        yield f"its stop is {shorten_value(found.stop)}; a tuple of texts is right, none of them empty"
    if not callable(found.episode):
        yield f"its episode is {shorten_value(found.episode)}; a method is right: episode(seed, split)"


def _is_span(span: object, least: int, most: int) -> bool:
    if not isinstance(span, tuple) or len(span) != 2 or not all(type(number) is int for number in span):
        return False
    low, high = span
    return bool(least <= low <= high <= most)


def _kind(found: object) -> str:
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"


def _load_built_in(name: str) -> object:
    try:
        offline = importlib.import_module("sweeps.environments.builtin")
    except ImportError as error:
        raise CodeUnusable(f"{name}: to import what comes with this project {describe_error(error)}") from None
    try:
        return offline.load_builtin(name)
    except SweepsError as error:
        raise CodeUnusable(str(error)) from None


def _load_verifiers(name: str, rest: str) -> UserEnvironment:
    from scheduler.plugins import verifiers_adapter

    environment = verifiers_adapter.load_verifiers(name, rest)
    library, modules = verifiers_adapter.list_sources(environment, rest)
    return UserEnvironment(
        check_environment(name, environment), digest_modules(f"{environment.version}, {library}", modules)
    )


def _find_entry_point(name: str) -> str:
    from importlib.metadata import entry_points  # 20 ms, and only for those

    named = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    if name not in named:
        known = f"the entry points of {GROUP} are {', '.join(sorted(named)) or 'none'}"
        raise CodeUnusable(f"there is no environment {name!r}: {known}; {RIGHT}")
    return named[name]


def _import_environment(name: str, path: str) -> UserEnvironment:
    module_name, _, attribute = path.partition(":")
    found = get_attribute(name, import_user_module(name, module_name), attribute)
    environment = check_environment(name, _make_environment(name, found))
    origins = {module_name, str(getattr(found, "__module__", module_name)), type(environment).__module__}
    return UserEnvironment(environment, digest_modules(str(environment.version), origins))


def _make_environment(name: str, found: Any) -> object:
    """The environment itself: made, where a class or a function that makes it was named."""
    if not isinstance(found, type) and (not callable(found) or hasattr(found, "episode")):
        return found
    try:
        return found()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is called without arguments, and may do anything
        raise CodeUnusable(f"{name}: to make it, called without arguments, {describe_error(error)}") from None
