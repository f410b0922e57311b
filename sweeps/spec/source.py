"""What a file says, as plain values, and where in it each one stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Plain = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A document: its plain value, and for each path the place where it stands ("sweep.yaml:7")."""

    name: str
    value: Plain
    places: Mapping[Path, str] = field(default_factory=dict)

    def place(self, path: Path) -> str:
        """The place of `path`, or of the nearest thing around it that is written down."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.name)
