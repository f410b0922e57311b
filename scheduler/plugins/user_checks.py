"""A check of one's own: from its name, `package.module:function`, to the function and the digest of its code.

    def is_right(said: str, answers: list[str]) -> float | bool

It is given what the model said and the answers that count as right, and returns what that is worth: a number from 0 to
1, True or False. It is code of other people: it is found here, and called only where it can do no harm.
"""

import inspect
from collections.abc import Callable
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

RIGHT = "a function of two, what was said and the list of right answers, is right"


class UserCheck(NamedTuple):
    """A check, and what its code is known by."""

    check: Callable[[str, list[str]], Any]
    code: str


def find_check(name: str, folder: Path | None = None) -> UserCheck:
    """The check of a name. Modules are also looked for in `folder`, behind all others; by default where one stands.

    Raises CodeUnusable, with what was found and what would be right.
    """
    make_importable(folder or Path.cwd())
    module_name, _, attribute = name.partition(":")
    found = get_attribute(name, import_user_module(name, module_name), attribute)
    try:
        wrong = _find_fault(found)
    except Exception as error:  # noqa: BLE001 - to look at it may run anything
        raise CodeUnusable(f"{name}: to look at it {describe_error(error)}") from None
    if wrong:
        raise CodeUnusable(f"{name} is no check: {wrong}; {RIGHT}")
    return UserCheck(found, digest_modules("check", {module_name, str(getattr(found, "__module__", module_name))}))


def _find_fault(found: Any) -> str:
    if isinstance(found, type) or not callable(found):
        return f"{shorten_value(found)} was found"
    if inspect.iscoroutinefunction(found):
        return "it is a coroutine, which nobody waits for"
    try:
        parameters = inspect.signature(found)
    except ValueError:  # some that are written in C do not tell
        return ""
    try:
        parameters.bind("", [])
    except TypeError:
        return f"its parameters are {parameters}"
    return ""
