"""Find the files of this machine that go with a command to a server: sweep files, and the data that they name."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scheduler.cli.remote.command_words import check_path
from scheduler.errors import ServiceRefused
from sweeps.data.source_files import list_local_files, redact
from sweeps.errors import DataError
from sweeps.spec.home_paths import expand
from sweeps.spec.parse import Sweep
from sweeps.spec.variation_rules import make_values

NAMING_FILES = (".source", ".holdout", ".validation")


@dataclass
class Parcel:
    """Files by their path from the current folder, as the server lays them."""

    files: dict[str, Path] = field(default_factory=dict)
    sweeps: list[str] = field(default_factory=list)  # their names

    def add_spec(self, name: str, path: Path, sweep: Sweep) -> None:
        """Add a sweep file and the data that it names."""
        self.files[name] = path
        self.add_data(sweep, path.parent, os.path.dirname(name))  # noqa: PTH120 - "" where the folder is this one

    def add_data(self, sweep: Sweep, folder: Path, place: str) -> None:
        """Add the data files of a sweep, which lie below `folder`; the server lays them below `place`.

        Raise DataError for one that lies elsewhere, and ServiceRefused for a tokenizer that does not travel.
        """
        self.sweeps.append(sweep.sweep)
        if sweep.tokenizer is not None and (folder / expand(sweep.tokenizer)).exists():
            raise ServiceRefused(
                f"tokenizer: {sweep.tokenizer}: a server takes a tokenizer on the hub, and none of your machine"
            )
        with sweep.origin.place_errors():
            for key, source in _list_sources(sweep):
                for file in _list_files(key, source, folder):
                    inside = os.path.relpath(file, folder)
                    self.files[check_path(os.path.normpath(os.path.join(place, inside)))] = file  # noqa: PTH118


def _list_sources(sweep: Sweep) -> Iterator[tuple[str, str]]:
    """List every source of data, with where the spec names it: in a data set, or as a value of `vary`."""
    for key, spec in sweep.data.items():
        parts = (spec.source, spec.holdout, spec.validation, *(test.source for test in (spec.tests or {}).values()))
        yield from ((f"data.{key}", part) for part in parts if isinstance(part, str))
    for path in sweep.vary:
        if path.startswith("data.") and path.endswith(NAMING_FILES):
            yield from ((f"vary.{path}", value) for value in make_values(sweep, path) if isinstance(value, str))


def _list_files(key: str, source: str, folder: Path) -> Iterator[Path]:
    try:
        files = list_local_files(source, folder)
    except DataError as error:
        raise DataError(f"{key}: {error}") from None
    for file in files:
        is_plain = not source.startswith(("/", "~"))
        if not is_plain or not file.resolve().is_relative_to(folder.resolve()):
            advice = "name it by a path from the sweep file, and put it into the folder of that, or below"
            raise DataError(f"{key}: {redact(source)}: it does not travel to the server: {advice}")
        yield file
