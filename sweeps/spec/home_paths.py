"""Paths that people write."""

import os
from pathlib import PurePath


def expand(path: str) -> str:
    """The path with the home that a `~` in front names, as a shell has it; `./~x` is what is called so.

    Raises ValueError where nobody has that home.
    """
    if not path.startswith("~"):
        return path
    expanded = os.path.expanduser(path)  # noqa: PTH111 -- pathlib takes ./~x for ~x
    if expanded.startswith("~"):
        name = PurePath(path).parts[0]
        raise ValueError(f"nobody here has the home {name}; name a path (./{name} is what is called so)")
    return expanded
