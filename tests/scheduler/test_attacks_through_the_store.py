"""What somebody who can write to the artefact store tries: other data, other tokenizers, bombs."""

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import sweeps.records
from scheduler.artefacts import Artefacts, decode_rows
from scheduler.errors import ArtefactError
from scheduler.plugins import tokenizer_files
from scheduler.plugins.tokenizer_files import TokenizerPack, pack_files
from sweeps.errors import DataError
from sweeps.evaluation.item_rows import read_rows
from sweeps.records import Records

PACK = pack_files({"vocab.json": b"{}", "config.json": b"{}"})
READERS: list[Callable[[bytes], object]] = [Records.from_jsonl, decode_rows, read_rows]


def test_other_data_than_was_planned_is_not_read() -> None:
    planned, other = Records("text", ({"text": "one"},)), Records("text", ({"text": "two"},))
    with pytest.raises(DataError):
        Records.from_jsonl(other.to_jsonl(), sha256=planned.sha256)


@pytest.mark.parametrize("read", READERS)
def test_rows_are_unpacked_to_the_limit(read: Callable[[bytes], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps.records, "MOST_UNPACKED", 1000)
    with pytest.raises((DataError, ValueError), match="1,000"):
        read(gzip.compress(b" " * 10**7))


def test_another_tokenizer_than_was_planned_is_not_loaded(tmp_path: Path) -> None:
    store = Artefacts(str(tmp_path))
    store.write(PACK.path, PACK.content)
    assert TokenizerPack.read(PACK.digest, store).read_files() == {"vocab.json": b"{}", "config.json": b"{}"}
    for content in (pack_files({"vocab.json": b"{1}"}).content, b"no archive", PACK.content[:-9]):
        store.write(PACK.path, content)
        with pytest.raises(ArtefactError):
            TokenizerPack.read(PACK.digest, store)


def test_a_tokenizer_unpacks_to_the_limit_and_into_its_own_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../escaped.json", b"{}")
        archive.writestr("vocab.json", b" " * 10**6)
    pack = TokenizerPack("x", written.getvalue())
    assert [*pack.read_files()] == ["vocab.json"]
    monkeypatch.setattr(tokenizer_files, "MOST_UNPACKED", 1000)
    with pytest.raises(ValueError, match="1,000"):
        pack.read_files()
