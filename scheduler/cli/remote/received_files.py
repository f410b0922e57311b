"""Write the files that a command made at a server, where the user named them and nowhere else."""

import base64
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from scheduler.cli.console.output_files import open_replacement
from scheduler.cli.remote.command_words import check_path, is_below
from scheduler.cli.remote.server_link import ServerUnusable

PIECE = 1_000_000  # bytes
IN_MEMORY = 10_000_000  # bytes of a file that comes


class ReceivedFiles:
    """Files as they come. Nothing is written to its place before the command has ended."""

    def __init__(self, outputs: Mapping[str, Path]) -> None:
        """Take outputs by the path that was sent, each with the path that the user named."""
        self._outputs = outputs
        self._drafts: dict[str, IO[bytes]] = {}

    def take(self, frame: Mapping[str, Any]) -> None:
        """Take a piece of a file. Raise ServerUnusable for one that nobody asked for."""
        name = check_path(frame["file"])
        if not any(is_below(name, output) for output in self._outputs):
            raise ServerUnusable(f"the server sent a file that was not asked for: {name!r}; nothing was written")
        if name not in self._drafts:
            self._drafts[name] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by keep_open
        self._drafts[name].write(base64.b64decode(frame["content"]))

    def write(self) -> None:
        """Write every file to its place. Raise OSError."""
        for name, draft in self._drafts.items():
            sent, place = next((sent, place) for sent, place in self._outputs.items() if is_below(name, sent))
            target = place if name == sent else place / Path(name).relative_to(sent)
            if name != sent:
                target.parent.mkdir(parents=True, exist_ok=True)
            draft.seek(0)
            with open_replacement(target) as replacement, replacement.open("wb") as file:
                while piece := draft.read(PIECE):
                    file.write(piece)

    @contextmanager
    def keep_open(self) -> Iterator["ReceivedFiles"]:
        """Close what came when the block ends."""
        try:
            yield self
        finally:
            for draft in self._drafts.values():
                draft.close()


def name_outputs(sent: Sequence[str], named: Mapping[str, Path]) -> dict[str, Path]:
    """Name the place of each output: as the user wrote it, or in the current folder."""
    return {path: named.get(path, Path(path)) for path in sent}
