"""Find a user's check by its name, `package.module:function`, and compute the digest of its code.

    def is_right(said: str, answers: list[str]) -> float | bool
    def cites(said: str, answers: list[str], passages: list[str]) -> float | bool

A check gets the model's answer and the list of right answers, and returns a score from 0 to 1, True or False. If it has
a parameter `passages`, it gets the passages of the prompt, too, in their order. It is code of other people: it is found
here, and only called in a sandbox.
"""

import inspect
from collections.abc import Callable
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

RIGHT = "a function with two parameters: the answer, and the list of right answers; a third may be `passages`"
PASSAGES = "passages"  # the parameter of a check that reads what the model read


class UserCheck(NamedTuple):
    """A check, and the digest of its code."""

    check: Callable[..., Any]
    code: str


def find_check(name: str, folder: Path | None = None, planned: str | None = None) -> UserCheck:
    """Find the check with a name. Modules are searched in `folder` last; by default the current folder.

    Nothing is imported if its source is not that of the digest `planned`. Raises CodeUnusable.
    """
    module_name, _, attribute = name.partition(":")
    place = folder or Path.cwd()
    source = digest_source(name, module_name, place, planned)
    check = get_attribute(name, import_user_module(name, module_name, place), attribute)
    try:
        wrong = _find_fault(check)
    except Exception as error:  # noqa: BLE001 - inspecting user code may run anything
        raise CodeUnusable(f"{name}: inspecting it {describe_error(error)}") from None
    if wrong:
        raise CodeUnusable(f"{name}: expected {RIGHT}, got {wrong}")
    origins = {module_name, str(getattr(check, "__module__", module_name))}
    return UserCheck(check, f"{source}-{digest_modules('check', origins)}")


def give_passages(check: Callable[..., Any]) -> Callable[[str, list[str], list[str]], Any]:
    """Return the check as a function of three arguments, the last of which it gets if it has a parameter for it."""
    try:
        takes_passages = PASSAGES in inspect.signature(check).parameters
    except ValueError:  # some functions written in C have no signature
        takes_passages = False

    def call(answer: str, answers: list[str], passages: list[str]) -> Any:
        return check(answer, answers, passages=passages) if takes_passages else check(answer, answers)

    return call


def _find_fault(check: Any) -> str:
    if isinstance(check, type) or not callable(check):
        return shorten_value(check)
    if inspect.iscoroutinefunction(check):
        return "a coroutine"
    try:
        parameters = inspect.signature(check)
    except ValueError:  # some functions written in C have no signature
        return ""
    try:
        parameters.bind("", [], **({PASSAGES: []} if PASSAGES in parameters.parameters else {}))
    except TypeError:
        return f"parameters {parameters}"
    return ""
