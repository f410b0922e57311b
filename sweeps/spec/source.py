"""A file as plain values, and the place of each value in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Plain = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None
Path = tuple[str | int, ...]


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
