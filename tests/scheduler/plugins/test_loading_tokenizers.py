"""A model's tokenizer is loaded once, whoever asks at the same time, and never another one in its place."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Raw

from scheduler.errors import ServiceRefused
from scheduler.plugins.tokenizer_checks import PROBE, find_program
from scheduler.plugins.tokenizer_files import list_files, pack, unpack
from scheduler.plugins.tokenizers import load, load_named_tokenizer, tokenizer_for
from scheduler.settings import TRUST_CODE as TRUST
from sweeps.rendering.tokenizer import OfflineTokenizer
from tests.tokenizers import folder, real_tokenizer
from tests.wording import naming
from tinker_offline.model.characters import write_tokenizer

AT_ONCE = """
import sys, threading
from pathlib import Path
from scheduler.plugins.tokenizers import load_named_tokenizer
found, begin = [], threading.Barrier(6)
def ask():
    begin.wait()
    try:
        found.append(load_named_tokenizer(sys.argv[1], Path())[0])
    except BaseException as error:
        found.append(error)
threads = [threading.Thread(target=ask) for _ in range(6)]
for each in threads: each.start()
for each in threads: each.join()
print(len(found), len(set(map(id, found))), found[0].size)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_tokenizer(tmp_path / "tokenizer")
    return tmp_path / "tokenizer"


def changed(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(file.read_text()) if file.exists() else {}
    change(content)
    file.write_text(json.dumps(content))


def loaded(place: Path) -> Any:
    return load(str(place), "some/model", list_files(place))


def test_threads_that_ask_at_once_have_one_tokenizer_and_nothing_is_said(place: Path) -> None:
    command = [sys.executable, "-c", AT_ONCE, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout.split(), done.stderr) == (["6", "1", "99"], "")


def test_what_is_named_is_known_by_its_content(place: Path, tmp_path: Path) -> None:
    tokenizer, packed = load_named_tokenizer("tokenizer", tmp_path)
    assert tokenizer.name == f"files:{packed.digest}"
    assert tokenizer.encode("ab\n~") == OfflineTokenizer().encode("ab\n~")
    elsewhere = tmp_path / "elsewhere"
    place.rename(elsewhere)
    (elsewhere / "README.md").write_text("of no account")
    assert pack(str(elsewhere), tmp_path) == packed
    with unpack(packed) as made:
        assert pack(str(made), tmp_path) == packed
    changed(elsewhere / "tokenizer_config.json", lambda config: config.update(eos_token="~"))
    assert pack(str(elsewhere), tmp_path).digest != packed.digest


@pytest.mark.parametrize(
    ("address", "value"),
    [
        ("./nowhere", "/nowhere"),
        ("~/nowhere/at/all", "/nowhere/at/all"),
        ("/nowhere", "/nowhere"),
        ("tokenizer/tokenizer.json", "tokenizer/tokenizer.json"),
        ("empty", "empty"),
    ],
)
def test_a_place_without_a_tokenizer_is_told(address: str, value: str, place: Path, tmp_path: Path) -> None:
    assert place.exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ServiceRefused, match=naming("tokenizer:", value)):
        load_named_tokenizer(address, tmp_path)


def lose_its_words(place: Path) -> None:
    """As where a library that reads sentencepiece or tiktoken makes a generic one of it."""
    (place / "tokenizer.json").unlink()
    (place / "vocab.json").write_text(json.dumps({"a": 0, "b": 1}))
    (place / "merges.txt").write_text("")
    changed(place / "tokenizer_config.json", lambda config: config.update(tokenizer_class="KimiK2Tokenizer"))


WRONG: dict[str, Callable[[Path], None]] = {
    "a class that nobody knows": lose_its_words,
    "an added token that is lost": lambda place: changed(
        place / "tokenizer_config.json",
        lambda config: config.update(added_tokens_decoder={"98": {"content": "<|im_end|>", "special": True}}),
    ),
    "more tokens than the model has": lambda place: changed(
        place / "config.json", lambda config: config.update(vocab_size=90)
    ),
    "more tokens than the text model has": lambda place: changed(
        place / "config.json", lambda config: config.update(text_config={"vocab_size": 98})
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_another_tokenizer_than_the_files_say_is_refused(wrong: str, place: Path) -> None:
    assert loaded(place).encode("a~") == OfflineTokenizer().encode("a~")
    WRONG[wrong](place)
    with pytest.raises(ServiceRefused, match="the tokenizer of some/model"):
        loaded(place)


@pytest.mark.parametrize("kind", ["Qwen2TokenizerFast", "LlamaTokenizerFast", "GPT2TokenizerFast", "NoSuchTokenizer"])
def test_what_cuts_text_is_the_file_and_not_the_class(kind: str, place: Path) -> None:
    """Classes of transformers have ways of their own to cut text; Qwen3.5 by the class of Qwen2 loses its marks."""
    changed(place / "tokenizer_config.json", lambda config: config.update(tokenizer_class=kind))
    text = "It's 12 ok\nna"
    assert loaded(place).encode(text, add_special_tokens=False) == OfflineTokenizer().encode(text)


@pytest.mark.parametrize(
    "named",
    [
        {"AutoTokenizer": ["tokenization_kimi.TikTokenTokenizer", None]},
        {"AutoTokenizer": "tokenization_kimi.TikTokenTokenizer"},
        ["tokenization_kimi.TikTokenTokenizer", None],
        {"AutoTokenizer": [None, "tokenization_kimi.TikTokenTokenizer"], "AutoConfig": "x.Y"},
    ],
)
def test_a_program_is_run_for_nobody_who_did_not_ask(named: Any, place: Path, tmp_path: Path) -> None:
    changed(place / "tokenizer_config.json", lambda config: config.update(auto_map=named))
    (place / "tokenization_kimi.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(ServiceRefused, match=naming("tokenization_kimi.TikTokenTokenizer", TRUST)):
        load_named_tokenizer("tokenizer", tmp_path)


def test_a_program_of_the_model_itself_is_none_of_its_tokenizer() -> None:
    assert find_program({"auto_map": {"AutoConfig": "x.Y"}}) == find_program({"auto_map": {}}) == find_program({}) == ""


def on_the_hub(cache: Path, name: str, commit: str, files: Path) -> None:
    """As the hub's own cache has a model."""
    repo = cache / f"models--{name.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs/main").write_text(commit)
    (repo / "snapshots").mkdir()
    files.rename(repo / "snapshots" / commit)


# Several in one process, which imports for two seconds: each MODEL, or MODEL|WHAT IS TRUSTED.
LOAD = f"""
import os, sys
from scheduler.errors import ServiceRefused
from scheduler.plugins.tokenizers import tokenizer_for
for name in sys.argv[1:]:
    model, _, os.environ["{TRUST}"] = name.partition("|")
    try:
        tokenizer = tokenizer_for(model)
        print(tokenizer.name, tokenizer.encode("ab"), tokenizer.ends)
    except ServiceRefused as error:
        print("refused", *str(error).split())
"""
PROGRAM = """
from transformers import PreTrainedTokenizerFast
class Own(PreTrainedTokenizerFast):
    def encode(self, text, **how):
        return [7] * len(text)
"""


def test_of_the_hub_a_program_runs_where_somebody_trusts_its_commit(place: Path, tmp_path: Path) -> None:
    commit, cache = "a1" * 20, tmp_path / "hub"
    changed(place / "tokenizer_config.json", lambda it: it.update(auto_map={"AutoTokenizer": ["own.Own", None]}))
    changed(place / "generation_config.json", lambda it: it.update(eos_token_id=[1, 5]))
    changed(place / "config.json", lambda it: it.update(model_type="llama"))
    (place / "own.py").write_text(PROGRAM)
    on_the_hub(cache, "some/model", commit, place)
    around = {"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache), "HF_HOME": str(tmp_path)}
    trusted = ("", "|some/model@main", f"|some/model@{commit}")
    command = [sys.executable, "-c", LOAD, *(f"some/model:variant{trust}" for trust in trusted)]
    done = subprocess.run(command, env=around, capture_output=True, text=True, timeout=60, check=True)
    nobody, a_branch, its_commit = done.stdout.splitlines()
    assert nobody.startswith("refused")
    assert f"{TRUST}=some/model@COMMIT" in nobody
    assert a_branch.startswith(f"refused {TRUST}")
    assert its_commit == "huggingface:some/model [7, 7] (1, 5)"


@pytest.fixture(params=["refuses", "is silent"])
def dead_hub(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a hub that refuses each connection, or accepts it and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_hub_that_does_not_answer_is_asked_once_and_the_cache_is_used(
    dead_hub: str, place: Path, tmp_path: Path
) -> None:
    """Where its library would ask for each file again and again, for minutes."""
    cache = tmp_path / "hub"
    hasty = f"import scheduler.plugins.hub as hub\nhub.PATIENCE = 1\n{LOAD}"
    around = {"PATH": "/usr/bin:/bin", "HF_ENDPOINT": dead_hub, "HF_HUB_CACHE": str(cache), "HF_HOME": str(tmp_path)}
    changed(place / "config.json", lambda it: it.update(model_type="llama"))
    on_the_hub(cache, "some/model", "a1" * 20, place)
    command = [sys.executable, "-c", hasty, "another/model", "some/model"]
    done = subprocess.run(command, env=around, capture_output=True, text=True, timeout=60, check=True)
    missing, cached = done.stdout.splitlines()
    assert missing.startswith("refused")
    assert [name for name in ("another/model", dead_hub, str(cache), "HF_ENDPOINT") if name not in missing] == []
    assert cached == f"huggingface:some/model {OfflineTokenizer().encode('ab')} ()"


def test_marks_stay_with_their_letters_as_the_file_of_qwen_has_it() -> None:
    known = Raw.from_file(str(folder("qwen3.5") / "tokenizer.json"))
    assert real_tokenizer("qwen3.5").encode(PROBE) == known.encode(PROBE, add_special_tokens=False).ids


def test_the_real_one_of_kimi_is_refused() -> None:
    with pytest.raises(ServiceRefused, match=r"tokenization_kimi\.TikTokenTokenizer"):
        load_named_tokenizer(str(folder("kimi-k2")), Path())


def test_offline_models_have_ours() -> None:
    assert isinstance(tokenizer_for("offline/ngram-s"), OfflineTokenizer)


def test_a_folder_that_happens_to_have_the_name_of_a_model_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that was sent runs among files of its sender."""
    (tmp_path / "acme" / "planted").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ServiceRefused, match=str(tmp_path)):
        tokenizer_for("acme/planted")
