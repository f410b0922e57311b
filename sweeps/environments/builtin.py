"""The built-in environments by name. They need nothing from outside, and small models can learn in them."""

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
    """Load an environment by its full name, such as `offline:tool_use`. Raises SpecError with the nearest name."""
    if name not in BUILT_IN:
        close = difflib.get_close_matches(name, BUILT_IN, n=1)
        advice = f"; did you mean `{close[0]}`?" if close else ""
        raise SpecError(f"expected a built-in environment ({', '.join(BUILT_IN)}), got {name!r}{advice}")
    return BUILT_IN[name]()
