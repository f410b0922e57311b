"""What people send is theirs, has a limit for each of them, and goes when it is old."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.artefacts import Artefacts, locate_upload, locate_uploads
from scheduler.settings import read_settings
from scheduler.state.keeping.retention import DAY, Retention
from scheduler.state.keeping.stage_files import clean_uploads
from web.api.problems import NotSent, TooMuch
from web.received.laid_files import lay_files
from web.received.uploads import keep_upload


def test_a_user_has_room_for_so_much_and_nobody_else_has_the_files(tmp_path: Path) -> None:
    whole = read_settings({"SWEEP_HOME": str(tmp_path)})
    settings = replace(whole, data=replace(whole.data, uploads=25))
    drafts = {name: tmp_path / name for name in "abc"}
    digests = {}
    for name, draft in drafts.items():
        draft.write_text(name * 10)
        digests[name] = hashlib.sha256(draft.read_bytes()).hexdigest()
    kept = [keep_upload(settings, "ada", digests[name], drafts[name]) for name in "aba"]
    assert kept == [True, True, False]
    with pytest.raises(TooMuch, match="SWEEP_UPLOADS"):
        keep_upload(settings, "ada", digests["c"], drafts["c"])
    assert keep_upload(settings, "bob", digests["c"], drafts["c"])
    lay_files(settings, "ada", {"rows.txt": digests["a"]}, tmp_path / "laid", tmp_path / "laid")
    assert (tmp_path / "laid" / "rows.txt").read_text() == "a" * 10
    for user, name in (("bob", "a"), ("ada", "c"), ("", "a")):
        with pytest.raises(NotSent):
            lay_files(settings, user, {"rows.txt": digests[name]}, tmp_path / "none", tmp_path / "none")


def test_what_was_sent_long_ago_is_deleted_and_makes_room(tmp_path: Path) -> None:
    artefacts = Artefacts(str(tmp_path))
    for name in ("old", "new"):
        artefacts.write(locate_upload("ada", name), b"rows")
    now = 100 * DAY
    os.utime(tmp_path / locate_upload("ada", "old"), (now - 8 * DAY, now - 8 * DAY))
    os.utime(tmp_path / locate_upload("ada", "new"), (now - 6 * DAY, now - 6 * DAY))
    assert clean_uploads(artefacts, Retention(), now).files == 0, "kept for ever"
    assert clean_uploads(artefacts, Retention(artefacts=7 * DAY), now).bytes == 4
    assert [file.path for file in artefacts.list_files(locate_uploads("ada"))] == [locate_upload("ada", "new")]
    assert clean_uploads(artefacts, Retention(artefacts=0.0), now - 5.5 * DAY).files == 0, "a plan may need it today"
