"""Fetch the files of a tokenizer from the Hugging Face hub, or from this machine's cache if the hub does not answer.

The libraries ask for each file, and ask again for minutes if there is no answer. So the hub is asked once before.
"""

import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from scheduler.plugins.lazy_imports import import_alone

PATIENCE = 8.0  # seconds for the hub's first answer
REMEMBERED = 60.0  # seconds for which a hub that did not answer is not asked again
PROGRAM_FILES = ["*.py", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken"]  # of a tokenizer; weights are none
_SILENT: dict[str, tuple[float, str]] = {}  # by address: when it was asked, and what happened


class HubFiles(NamedTuple):
    """The files of a model, by name; `problem` says why they come from the cache alone, or is empty."""

    files: dict[str, Path]
    problem: str = ""


def fetch_files(name: str, wanted: Collection[str], *, revision: str | None = None) -> HubFiles:
    """Fetch those of the wanted files that a model has. Raises OSError and ValueError."""
    problem = find_problem(name)
    cached_file = import_alone("transformers.utils").cached_file
    options = {
        "revision": revision,
        "local_files_only": bool(problem),
        "_raise_exceptions_for_missing_entries": False,
        "_raise_exceptions_for_connection_errors": not problem,
    }
    paths = {file: cached_file(name, file, **options) for file in wanted}
    return HubFiles({file: Path(path) for file, path in paths.items() if path is not None}, problem)


def fetch_program(name: str, commit: str, *, local: bool) -> Path:
    """Fetch a tokenizer with its program, and return the folder of that commit. Raises OSError and ValueError.

    `local` asks the cache alone, not the hub.
    """
    download = import_alone("huggingface_hub").snapshot_download
    return Path(download(name, revision=commit, allow_patterns=PROGRAM_FILES, local_files_only=local))


def describe_silence(problem: str) -> str:
    """Say that the hub does not answer, that the cache does not help, and what to do."""
    cache = import_alone("huggingface_hub.constants").HF_HUB_CACHE
    return (
        f"{problem}, and the cache {cache} does not have its files\n"
        "check the network; HTTPS_PROXY names a proxy and HF_ENDPOINT a mirror; or write `tokenizer: FOLDER` beside "
        "`model`, with the folder that holds the model's tokenizer.json"
    )


def find_problem(name: str) -> str:
    """Ask the hub for one file of a model, and say why it cannot be reached; empty if it answers."""
    constants = import_alone("huggingface_hub.constants")
    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE forbids to ask the hub"
    address = str(constants.ENDPOINT)
    asked_at, problem = _SILENT.get(address, (0.0, ""))
    if problem and time.monotonic() - asked_at < REMEMBERED:
        return problem
    problem = _ask(f"{address}/{name}/resolve/main/config.json")
    _SILENT[address] = time.monotonic(), problem and f"{address} {problem}"
    return _SILENT[address][1]


def _ask(url: str) -> str:
    """Send one request, and say what is wrong; in a thread, because a name server may take longer than the request."""
    answers: list[str] = []
    session = import_alone("huggingface_hub.utils").get_session()

    def send() -> None:
        try:
            status = session.head(url, timeout=PATIENCE, follow_redirects=False).status_code
        except Exception as error:  # noqa: BLE001 -- any error of its HTTP library means that there is no answer
            answers.append(f"cannot be reached ({type(error).__name__}: {error})")
        else:
            answers.append(f"answers with status {status}" if status >= 500 else "")

    asking = threading.Thread(target=send, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return answers[0] if answers else f"does not answer within {PATIENCE:.0f} s"
