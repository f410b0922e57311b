"""From the name of an environment to the environment, and to the digest of its code that is part of a stage's identity.

    offline:NAME                comes with this project
    package.module:attribute    your own: an `Environment`, or a class or function without arguments that makes one
    NAME                        of an installed package, as an entry point of the group `tinker_sweeps.environments`
    verifiers:ID                of the library `verifiers`, by an adapter

What is found is code of other people: whatever it does when it is imported or looked at comes out as
EnvironmentUnusable. Little is imported here, for the process that plays episodes begins with this module.
"""

import hashlib
import importlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from scheduler.errors import EnvironmentUnusable
from sweeps.environments import Environment, Shape
from sweeps.errors import SweepsError

GROUP = "tinker_sweeps.environments"
DIGITS = 16
TURNS = 100_000  # of an episode: beyond that, somebody meant something else
TOKENS = 10_000_000  # of an action or an answer
RIGHT = "offline:NAME, package.module:attribute, verifiers:ID or the name of an entry point is right"


class Found(NamedTuple):
    """An environment, and what its code is known by."""

    environment: Environment
    code: str


def load(name: str, folder: Path | None = None) -> Environment:
    """The environment of a name. Raises EnvironmentUnusable, with what was found and what would be right."""
    return find(name, folder).environment


def code_of(name: str, folder: Path | None = None) -> str:
    """What the environment's code is known by: another text means that the same seed may mean another task.

    Raises EnvironmentUnusable.
    """
    return find(name, folder).code


def find(name: str, folder: Path | None = None) -> Found:
    """Both at once. Modules are also looked for in `folder`, behind all others; by default where the process stands."""
    kind, colon, rest = name.partition(":")
    if not name.isprintable() or not kind or (colon and not rest):
        raise EnvironmentUnusable(f"{name!r} is no name of an environment; {RIGHT}")
    if kind == "offline" and colon:
        environment = checked(name, _built_in(name))
        return Found(environment, f"{name}@{environment.version}")
    _make_importable(folder or Path.cwd())
    if kind == "verifiers" and colon:
        return _of_verifiers(name, rest)
    path = name if colon else _entry_point(name)
    return _imported(name, path)


def checked(name: str, found: object) -> Environment:
    """What was found, if it is an environment by the protocol. Raises EnvironmentUnusable."""
    try:
        wrong = next(_faults(found), None)
    except Exception as error:  # noqa: BLE001 - a property of theirs may do anything
        raise EnvironmentUnusable(f"{name}: to look at it {told(error)}") from None
    if wrong:
        raise EnvironmentUnusable(f"{name} is no environment: {wrong}")
    assert isinstance(found, Environment)
    return found


def told(error: BaseException) -> str:
    """An exception of other people's code in a few words, with the place where it arose."""
    try:
        message = " ".join(str(error)[:1000].split())
    except Exception:  # noqa: BLE001 - theirs as well
        message = ""
    text = f"raised {type(error).__name__}" + (f": {message[:300]}" if message else "")
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return text
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _faults(found: Any) -> Iterator[str]:
    """What is not as the protocol says."""
    missing = [each for each in ("version", "shape", "stop", "episode") if not hasattr(found, each)]
    if missing:
        yield f"{_kind(found)} was found, without {', '.join(missing)}"
    if type(found.version) is not int:
        yield f"its version is {_shown(found.version)}; a whole number is right"
    if not isinstance(found.shape, Shape):
        yield f"its shape is {_shown(found.shape)}; sweeps.environments.Shape(…) is right"
    for field, least, most in (("turns", 1, TURNS), ("action", 1, TOKENS), ("observation", 0, TOKENS)):
        span = getattr(found.shape, field)
        if not _is_span(span, least, most):
            yield (
                f"its shape says {field}={_shown(span)}; (least, most) is right, whole numbers from {least} to {most:,}"
            )
    if not isinstance(found.stop, tuple) or not all(isinstance(text, str) and text for text in found.stop):
        yield f"its stop is {_shown(found.stop)}; a tuple of texts is right, none of them empty"
    if not callable(found.episode):
        yield f"its episode is {_shown(found.episode)}; a method is right: episode(seed, split)"


def _is_span(span: object, least: int, most: int) -> bool:
    if not isinstance(span, tuple) or len(span) != 2 or not all(type(number) is int for number in span):
        return False
    low, high = span
    return bool(least <= low <= high <= most)


def _kind(found: object) -> str:
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _built_in(name: str) -> object:
    try:
        offline = importlib.import_module("sweeps.environments.offline")
    except ImportError as error:
        raise EnvironmentUnusable(f"{name}: to import what comes with this project {told(error)}") from None
    try:
        return offline.built_in(name)
    except SweepsError as error:
        raise EnvironmentUnusable(str(error)) from None


def _of_verifiers(name: str, rest: str) -> Found:
    from scheduler import verifiers_adapter

    environment = verifiers_adapter.load(name, rest)
    library, modules = verifiers_adapter.sources(environment, rest)
    return Found(checked(name, environment), _digest(f"{environment.version}, {library}", modules))


def _make_importable(folder: Path) -> None:
    """Behind everything else, so that a file of somebody's takes the place of no module of ours or of Python's."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        importlib.invalidate_caches()


def _entry_point(name: str) -> str:
    from importlib.metadata import entry_points  # 20 ms, and only for those

    named = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    if name not in named:
        known = f"the entry points of {GROUP} are {', '.join(sorted(named)) or 'none'}"
        raise EnvironmentUnusable(f"there is no environment {name!r}: {known}; {RIGHT}")
    return named[name]


def _imported(name: str, path: str) -> Found:
    module_name, _, attribute = path.partition(":")
    module = _module(name, module_name)
    found: Any = module
    for step in attribute.split("."):
        if not hasattr(found, step):
            offered = ", ".join(each for each in vars(module) if not each.startswith("_")) or "nothing"
            where = module.__file__ or module_name
            raise EnvironmentUnusable(f"{name}: {where} has no {attribute!r}; it has {offered}")
        found = getattr(found, step)
    environment = checked(name, _made(name, found))
    origins = {module_name, str(getattr(found, "__module__", module_name)), type(environment).__module__}
    return Found(environment, _digest(str(environment.version), origins))


def _module(name: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        looked = "in the installed packages and where the command stands (or in the folder SWEEP_ENVIRONMENTS)"
        where = f"; it was looked for {looked}" if error.name and module_name.startswith(error.name) else ""
        raise EnvironmentUnusable(f"{name}: there is no module {error.name!r}{where}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an import runs anything
        raise EnvironmentUnusable(f"{name}: to import {module_name} {told(error)}") from None


def _made(name: str, found: Any) -> object:
    """The environment itself: made, where a class or a function that makes it was named."""
    if not isinstance(found, type) and (not callable(found) or hasattr(found, "episode")):
        return found
    try:
        return found()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is called without arguments, and may do anything
        raise EnvironmentUnusable(f"{name}: to make it, called without arguments, {told(error)}") from None


def _digest(version: str, modules: set[str]) -> str:
    """Of the files that were named or hold the class: what else they import is the version's to tell of."""
    digest = hashlib.sha256(f"version {version}".encode())
    for each in sorted(modules):
        file = getattr(sys.modules.get(each), "__file__", None)
        if file and each.partition(".")[0] not in sys.stdlib_module_names:
            digest.update(b"\0" + each.encode() + b"\0" + Path(file).read_bytes())
    return digest.hexdigest()[:DIGITS]
