"""The environments that come with it, by name. They need nothing from outside, and small models can learn in them."""

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from sweeps.environments import Environment
from sweeps.environments.arithmetic import Arithmetic
from sweeps.environments.market import Market
from sweeps.environments.null_rewards import NullRewards
from sweeps.environments.tool_use import ToolUse
from sweeps.errors import SpecError

BUILT_IN: Mapping[str, Callable[[], Environment]] = MappingProxyType(
    {
        "offline:arithmetic": Arithmetic,
        "offline:tool_use": ToolUse,
        "offline:market": Market,
        "offline:arithmetic_null": lambda: NullRewards(Arithmetic(), (0, 0, 0, 1)),
        "offline:tool_use_null": lambda: NullRewards(ToolUse(), (0, 0, 0.2, 0.4, 1)),
        "offline:market_null": lambda: NullRewards(Market(), (-2, -1, 0, 1, 2)),
    }
)


def load_builtin(name: str) -> Environment:
    """The environment of a full name, as `offline:tool_use`; raises SpecError with the nearest right one."""
    if name not in BUILT_IN:
        close = difflib.get_close_matches(name, BUILT_IN, n=1)
        right = f"did you mean `{close[0]}`?" if close else f"one of {', '.join(BUILT_IN)} is right"
        raise SpecError(f"environment {name!r} found; {right}")
    return BUILT_IN[name]()
