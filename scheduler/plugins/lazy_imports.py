"""Import heavy libraries late, and by one thread at a time.

Some libraries, such as transformers, load their parts on first use. Two threads at once see half-loaded modules:
`cannot import name 'AutoTokenizer'`, in five threads of six. So an import, or a call that imports more, holds a lock.
"""

import importlib
import os
import threading
from typing import Any

ALONE = threading.RLock()
# transformers would warn in every process that there is no PyTorch, which we do not need, and about unusual tokenizer
# files, which we check ourselves.
QUIET = {"TRANSFORMERS_NO_ADVISORY_WARNINGS": "1", "TRANSFORMERS_VERBOSITY": "error"}


def import_alone(name: str) -> Any:
    """Import a module while no other thread imports. Raises ImportError."""
    with ALONE:
        for variable, value in QUIET.items():
            os.environ.setdefault(variable, value)
        return importlib.import_module(name)
