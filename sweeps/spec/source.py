"""A file as plain values, and the place of each value in it."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sweeps.errors import SweepsError

Plain = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None
Path = tuple[str | int, ...]

DOTTED = re.compile(r"([A-Za-z_][\w-]*(?:\.[\w-]+)*)(?=: | \()")  # the key that a line is about: `data.mine: …`
BELOW = re.compile(r": ([A-Za-z_]\w*(?:\.\w+)*)(?=: )")  # a key below it: `data.mine: rows.csv: columns.answer: …`


@dataclass(frozen=True, slots=True)
class Source:
    """A document: its plain value, and the place of each path ("sweep.yaml:7")."""

    name: str
    value: Plain
    places: Mapping[Path, str] = field(default_factory=dict)

    def place(self, path: Path) -> str:
        """Return the place of `path`, or of the nearest value around it that the file has."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.name)


@dataclass(frozen=True, slots=True)
class SpecOrigin:
    """The document that a spec was read from, if there is one: specs that say the same are equal wherever they were."""

    source: Source | None = field(default=None, compare=False)

    @contextmanager
    def place_errors(self) -> Iterator[None]:
        """Put before each line of an error of the block the place of the key that the line begins with."""
        try:
            yield
        except SweepsError as error:
            if self.source is None:
                raise
            lines = str(error).splitlines()
            raise type(error)("\n".join(_place_line(line, self.source) for line in lines)) from error.__cause__


def _place_line(line: str, source: Source) -> str:
    """Put the place of its key before a line; a line that begins with no key of the document stays as it is."""
    match = DOTTED.match(line)
    if match is None:
        return line
    path: Path = tuple(match[1].split("."))
    if path[:1] not in source.places:
        return line
    below = ((*path, *key[1].split(".")) for key in BELOW.finditer(line, match.end()))
    path = next((longer for longer in below if longer in source.places), path)
    return f"{source.place(path)}: {line}"
