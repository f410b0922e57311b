"""Libraries that are imported late, by one thread at a time.

Some of them, transformers first, make their parts when these are first asked for. Two threads that ask at once see
modules that are half made: `cannot import name 'AutoTokenizer'`, in five threads of six. Whoever imports such a
library, or calls what imports more of it, does so alone.
"""

import importlib
import os
import threading
from typing import Any

ALONE = threading.RLock()
# It would say on stderr, in every process, that there is no PyTorch, which nothing here needs, and what is unusual in
# the files of a tokenizer, which is checked here.
QUIET = {"TRANSFORMERS_NO_ADVISORY_WARNINGS": "1", "TRANSFORMERS_VERBOSITY": "error"}


def import_alone(name: str) -> Any:
    """A module of a library that makes its parts late. Raises ImportError."""
    with ALONE:
        for variable, value in QUIET.items():
            os.environ.setdefault(variable, value)
        return importlib.import_module(name)
