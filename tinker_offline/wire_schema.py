"""Load the SDK's protobuf schema without the rest of the SDK, which takes 0.3 s of each start of the server."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

NAME = "tinker.proto.tinker_public_pb2"


def load_schema() -> ModuleType:
    """Return the module; the SDK finds the same one if this process imports it later. Raises ImportError."""
    if NAME not in sys.modules:
        package = importlib.util.find_spec("tinker")  # runs nothing of it
        if package is None or package.origin is None:
            raise ImportError("expected the SDK `tinker`, which has the protocol's schema; run make setup")
        file = Path(package.origin).with_name("proto") / "tinker_public_pb2.py"
        spec = importlib.util.spec_from_file_location(NAME, file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[NAME] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[NAME]
