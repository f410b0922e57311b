"""What of this machine a spec may use while it is planned: all that its author can read, or only what came with it."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from scheduler.errors import ServiceRefused
from scheduler.plugins.allowed_code import refuse_uninstalled
from scheduler.plugins.tokenizer_files import TokenizerPack
from scheduler.plugins.tokenizers import PretrainedTokenizer, load_named_tokenizer
from scheduler.plugins.user_code import choose_folder
from scheduler.settings import Settings
from scheduler.web_data import make_confined_reach, make_reach
from sweeps.data.bounded_reading import DataReach
from sweeps.spec.home_paths import expand

ALL_CLOSED = threading.Event()  # set in a process that works for somebody elsewhere, and never reset
NO_CODE = "no-code"  # a folder that does not exist: an operator who names none installed no code in one


@dataclass(frozen=True)
class SpecGrounds:
    """The folder at which relative paths start, how far data may reach, and where code may be."""

    folder: Path
    reach: DataReach
    code_places: tuple[Path, ...]
    is_sent: bool = False  # by somebody who may not read this machine

    def find_code(self, name: str) -> Path:
        """Find the folder of an environment or a check. Raises CodeUnusable for code that is not to be used."""
        if self.is_sent:
            refuse_uninstalled(name, self.code_places[0])
        return choose_folder(name, *self.code_places)

    def load_tokenizer(self, address: str) -> tuple[PretrainedTokenizer, TokenizerPack]:
        """Load the tokenizer that a spec names. Raises ServiceRefused."""
        if self.is_sent and (self.folder / expand(address)).exists():
            raise ServiceRefused(f"tokenizer: {address}: a spec that is sent names a tokenizer on the hub, or none")
        return load_named_tokenizer(address, self.folder)


def close_all_grounds() -> None:
    """From now on, let this process plan specs that were sent only, whichever command it runs."""
    ALL_CLOSED.set()


def open_grounds(folder: Path, settings: Settings) -> SpecGrounds:
    """Let a spec use what its author can read: it is planned where it was written."""
    if ALL_CLOSED.is_set():
        return close_grounds(folder, settings)
    reach = make_reach(settings.data.limit, settings.data.hosts)
    return SpecGrounds(folder, reach, (folder.absolute(), settings.environments))


def close_grounds(folder: Path, settings: Settings) -> SpecGrounds:
    """Let a spec that was sent use the files in `folder`, listed hosts, and the code that the operator installed."""
    reach = make_confined_reach(settings.data.limit, settings.data.hosts, folder)
    code = settings.environments if os.environ.get("SWEEP_ENVIRONMENTS") else settings.home / NO_CODE
    return SpecGrounds(folder, reach, (code,), is_sent=True)
