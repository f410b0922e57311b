"""Find, pack and unpack the files of a tokenizer that a spec names.

A path exists on one machine, and a name on the hub may change. So the files themselves go into the artefact store,
under a hash of their content, which is part of a stage's identity. Every worker reads the same files from there.
"""

import hashlib
import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from scheduler.artefacts import Artefacts
from scheduler.errors import ArtefactError, ServiceRefused
from scheduler.plugins.hub import describe_silence, fetch_files
from scheduler.plugins.tokenizer_checks import refuse_program_in_files
from sweeps.spec.home_paths import expand

FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
    *("chat_template.json", "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model", "tekken.json"),
    *("config.json", "generation_config.json"),
)
VOCABULARIES = {"tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model", "tekken.json"}
ON_THE_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")
MOST_UNPACKED = 2**29  # bytes of all files together
WRITTEN = (1980, 1, 1, 0, 0, 0)  # a fixed date, so that the same files give the same bytes


class TokenizerPack(NamedTuple):
    """The files of a tokenizer as one archive, and the hash of their content: 64 hexadecimal digits."""

    digest: str
    content: bytes

    @property
    def path(self) -> str:
        """The path in the artefact store."""
        return f"tokenizers/{self.digest}.zip"

    @classmethod
    def read(cls, digest: str, artefacts: Artefacts) -> "TokenizerPack":
        """Read a pack from the store. Raises ArtefactError."""
        packed = cls(digest, artefacts.read(cls(digest, b"").path))
        try:
            made = pack_files(packed.read_files()).digest
        except (ValueError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise ArtefactError(f"{packed.path}: expected the files of a tokenizer, got other bytes: {error}") from None
        if made != digest:
            raise ArtefactError(f"{packed.path}: its files are not those that were planned; submit the sweep again")
        return packed

    def read_files(self) -> dict[str, bytes]:
        """Read the files in the archive by their names, and no others. Raises as zipfile, and ValueError for a bomb."""
        with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
            chosen = [entry for entry in archive.infolist() if entry.filename in FILES]
            if sum(entry.file_size for entry in chosen) > MOST_UNPACKED:
                raise ValueError(f"they unpack to more than {MOST_UNPACKED:,} bytes")
            return {entry.filename: archive.read(entry) for entry in chosen}


def pack(address: str, folder: Path) -> TokenizerPack:
    """Pack the files of a tokenizer. Raises ServiceRefused."""
    files = list_files(place) if (place := _find_folder(address, folder)) is not None else _fetch_from_hub(address)
    refuse_program_in_files(f"`tokenizer: {address}`", files)
    if not VOCABULARIES & files.keys():
        where = f"the folder {place}" if place is not None else f"{address} on the hub"
        held = ", ".join(sorted(files)) or "no file of a tokenizer"
        raise ServiceRefused(f"tokenizer: expected a folder with a tokenizer.json; {where} has {held}")
    return pack_files({name: path.read_bytes() for name, path in files.items()})


def pack_files(files: dict[str, bytes]) -> TokenizerPack:
    """Pack files, given by their names, into one archive."""
    digest, archive = hashlib.sha256(), io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        for name, content in sorted(files.items()):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
            writing.writestr(zipfile.ZipInfo(name, WRITTEN), content, zipfile.ZIP_DEFLATED, 5)
    return TokenizerPack(digest.hexdigest(), archive.getvalue())


@contextmanager
def unpack(packed: TokenizerPack) -> Iterator[Path]:
    """Unpack the files into a temporary folder while the block runs."""
    with tempfile.TemporaryDirectory(prefix="tokenizer-") as made:
        for name, content in packed.read_files().items():
            (Path(made) / name).write_bytes(content)
        yield Path(made)


def list_files(folder: Path) -> dict[str, Path]:
    """List the files of a tokenizer in a folder, by their names."""
    return {name: folder / name for name in FILES if (folder / name).is_file()}


def _find_folder(address: str, folder: Path) -> Path | None:
    """Return the folder; None for a name on the hub. Raises ServiceRefused."""
    try:
        place = folder / expand(address)
        is_folder, is_file = place.is_dir(), place.is_file()
    except (ValueError, OSError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise ServiceRefused(
            f"tokenizer: expected a folder, or a name on the hub (ORG/NAME), got {address!r}: {cause}"
        ) from None
    if is_folder:
        return place
    if is_file:
        raise ServiceRefused(f"tokenizer: expected a folder, got the file {place}; name its folder")
    if ON_THE_HUB.fullmatch(address) and not address.startswith("."):
        return None
    raise ServiceRefused(f"tokenizer: expected a folder, or a name on the hub (ORG/NAME); there is no folder {place}")


def _fetch_from_hub(address: str) -> dict[str, Path]:
    try:
        fetched = fetch_files(address, FILES)
    except (OSError, ValueError) as error:
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ServiceRefused(
            f"tokenizer: {address} is not a folder here, and cannot be fetched from the hub: {cause}\n"
            "check the path or the name, and whether this machine can reach the hub"
        ) from None
    if fetched.problem and not VOCABULARIES & fetched.files.keys():
        raise ServiceRefused(f"tokenizer: {address} is not a folder here; {describe_silence(fetched.problem)}")
    return fetched.files
