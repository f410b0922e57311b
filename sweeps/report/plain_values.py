"""Values as JSON has them: the fields of a dataclass by name, and null for a number that is not finite."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def simplify(value: Any) -> Any:
    """Turn a value into what JSON holds."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: simplify(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "document"):  # it says itself what JSON holds of it
        return simplify(value.document())
    if hasattr(value, "_asdict"):
        return simplify(value._asdict())
    if isinstance(value, Mapping):
        return {key: simplify(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [simplify(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
