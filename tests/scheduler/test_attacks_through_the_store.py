"""What somebody who can write to the artefact store tries: other data, other tokenizers, bombs."""

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sweeps.records
from scheduler.artefacts import Artefacts, decode_rows, digest_content, locate_attempt_file
from scheduler.errors import ArtefactError
from scheduler.plugins import tokenizer_files
from scheduler.plugins.tokenizer_files import TokenizerPack, pack_files
from sweeps.errors import DataError
from sweeps.evaluation.item_rows import read_rows
from sweeps.records import Records
from tests.scheduler.keeping.kept_sweeps import Hands, build_plan
from tests.scheduler.night import Night

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


def test_a_file_of_an_attempt_that_was_changed_is_not_read(tmp_path: Path) -> None:
    store, rows = Artefacts(str(tmp_path)), b'{"item": 0, "right": 0.0}'
    path = store.write(locate_attempt_file("fleet", "evaluate-0123", "1", "items.jsonl", rows), rows)
    assert store.read(path) == rows
    (tmp_path / path).write_bytes(rows.replace(b"0.0", b"1.0"))
    with pytest.raises(ArtefactError, match=path):
        store.read(path)


def test_the_digest_of_a_file_is_where_nobody_with_the_store_alone_can_change_it(night: Night, tmp_path: Path) -> None:
    night.submit(build_plan("s", 1))
    artefacts = Artefacts(str(tmp_path))
    Hands(night.store, artefacts).finish("s")
    for planned in build_plan("s", 1).stages:
        result: Any = night.store.read_result(planned.id)
        path = result["items"] if planned.kind == "evaluate" else result["metrics_file"]
        assert digest_content(artefacts.read(path)) in path


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
