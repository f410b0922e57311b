"""API keys, the tokenizer, the command line, and what the package may import."""

import ast
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import tinker

import tinker_offline
from sweeps.rendering.tokenizer import OfflineTokenizer
from tests.tinker_offline.examples import SMALL, TEXT
from tests.tinker_offline.process import REFUSED, ROOT, Server
from tinker_offline.model import characters
from tinker_offline.model.ngram import SIZES

STRANGE = "Tab\tnew\nline ~ é “quotes” \x00 end"


@pytest.mark.parametrize("key", ["", "sk-other", REFUSED])
def test_a_wrong_key_is_refused(server: Server, key: str) -> None:
    with server.client(key) as client:
        response = client.post("/client/config", json={})
        assert (response.status_code, "key" in response.json()["error"]) == (401, True)
        assert client.get("/healthz").json() == {"status": "ok"}


def test_the_sdk_says_that_the_key_is_wrong(server: Server) -> None:
    service = tinker.ServiceClient(base_url=server.url, api_key=REFUSED)
    with pytest.raises(tinker.AuthenticationError, match="401"):
        service.create_lora_training_client(SMALL).result(60)


def test_what_the_server_offers(server: Server) -> None:
    models = server.rest().get_server_capabilities().result(30).supported_models
    assert [model.model_name for model in models] == list(SIZES)
    assert {model.max_context_length for model in models} == {4096}


def test_a_bad_request_says_what_is_wrong(server: Server) -> None:
    with server.client() as client:
        response = client.post("/create_model", json={"session_id": "x"})
        assert response.status_code == 422
        assert "base_model" in response.json()["error"]
        assert client.post("/forward_backward", content=b"\xff\xff").status_code == 400
        assert client.get("/billing/usage/events").status_code == 400
        assert client.get("/training_runs/none").status_code == 404


@pytest.mark.parametrize("text", [TEXT, STRANGE, ""])
def test_the_two_tables_of_characters_agree(text: str) -> None:
    ours = OfflineTokenizer()
    assert characters.encode(text) == ours.encode(text)
    assert characters.decode(range(characters.SIZE)) == ours.decode(range(ours.size))
    assert (ours.bos, ours.eos, ours.size) == (characters.BEGIN, characters.END, characters.SIZE)


def test_transformers_loads_the_tokenizer_without_a_network(server: Server) -> None:
    """In a process of its own: transformers warns in ways that are not ours to forbid."""
    with server.session() as service:
        folder = service.create_lora_training_client(SMALL, rank=1).result(60).get_info().model_data.tokenizer_id
    assert folder is not None
    assert Path(folder).is_absolute()
    code = (
        "import sys, json, transformers; t = transformers.AutoTokenizer.from_pretrained(sys.argv[1], fast=True);"
        "ids = t.encode(sys.argv[2]);"
        "print(json.dumps([ids, t.decode(ids), t.bos_token_id, t.eos_token_id, len(t)]))"
    )
    text = TEXT + "\n" + STRANGE.replace("\x00", "")
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, folder, text],
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    ours = OfflineTokenizer()
    ids = ours.encode(text)
    assert ast.literal_eval(answer) == [ids, ours.decode(ids), ours.bos, ours.eos, ours.size]


def test_it_stops_when_it_is_told_to(own_server: Server) -> None:
    own_server.start()
    assert own_server.end(signal.SIGINT) == 0


def test_a_port_that_is_taken_is_one_clear_line(server: Server, tmp_path: Path) -> None:
    port = server.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "tinker_offline", "--port", port, "--state", str(tmp_path)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: ")
    assert port in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_state_folder_has_one_server(server: Server) -> None:
    command = [sys.executable, "-m", "tinker_offline", "--port", "0", "--state", str(server.state)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (ended.returncode, str(server.state) in ended.stderr) == (1, True)


def test_without_being_asked_for_there_is_no_control(server: Server) -> None:
    with server.control() as control, pytest.raises(httpx.HTTPStatusError, match="404"):
        control.clear()


def test_a_document_at_the_start_is_in_force_from_the_first_request(own_server: Server, tmp_path: Path) -> None:
    document = tmp_path / "scenario.yaml"
    document.write_text("rules: [{on: healthz, answer: {status: 503}, times: 1}]")
    own_server.options = ["--faults", str(document)]
    own_server.start()
    with own_server.client() as client:
        assert [client.get("/healthz").status_code for _ in range(2)] == [503, 200]
    with own_server.control() as control, pytest.raises(httpx.HTTPStatusError, match="404"):
        control.clear()


@pytest.mark.parametrize(("text", "words"), [("rules: [{on: healthz}]", "rules.0: "), (None, "No such file")])
def test_a_document_that_is_none_is_refused_with_file_and_place(tmp_path: Path, text: str | None, words: str) -> None:
    document = tmp_path / "scenario.yaml"
    if text is not None:
        document.write_text(text)
    command = [sys.executable, "-m", "tinker_offline", "--port", "0", "--state", str(tmp_path / "state")]
    command += ["--faults", str(document)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"Error: {document} ")
    assert words in ended.stderr


def test_a_document_that_is_none_changes_nothing(own_server: Server) -> None:
    own_server.options = ["--control"]
    own_server.start()
    with own_server.control() as control:
        control.set(rules=[{"on": "healthz", "answer": {"status": 503}}])
        with pytest.raises(AssertionError, match=r"rules\.0\.on: .*got 'health'"):
            control.set(rules=[{"on": "health", "answer": {"status": 503}}])
        with own_server.client() as client:
            assert client.get("/healthz").status_code == 503


def test_the_package_stands_alone() -> None:
    """Of the SDK only the wire schema, in one module; of ours nothing."""
    for path in Path(tinker_offline.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module or ""]
            roots = {name.partition(".")[0] for name in names}
            assert not roots & {"sweeps", "scheduler", "worker"}, path
            assert "tinker" not in roots or (path.name, names) == ("wire.py", ["tinker.proto"]), path
