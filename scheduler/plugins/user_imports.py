"""Find the files of its own that a user's module imports, from its source, without running anything.

An import counts anywhere, inside a function too, because it decides what the code does. Installed packages, Python's
modules and ours are not followed, except the package of the module itself. Files that the code opens, and module names
that it builds at run time, cannot be seen.
"""

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

OURS = {"sweeps", "scheduler", "worker", "tinker_offline"}
INSTALLED = {"site-packages", "dist-packages"}


def find_own_files(modules: set[str]) -> dict[str, Path]:
    """Find the files of these modules and of their own imports, by module name."""
    packages = {name.partition(".")[0] for name in modules}
    files, waiting = dict[str, Path](), sorted(modules)
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        spec = _find_spec(name)
        if spec is None or not spec.has_location or spec.origin is None:
            continue
        file = Path(spec.origin)
        if name not in modules and not _is_own(name, file, packages):
            continue
        files[name] = file
        if name.partition(".")[0] in OURS:  # a user may name one of ours: its version identifies it
            continue
        new = set(_list_imports(name, file, is_package=spec.submodule_search_locations is not None)) - seen
        seen |= new
        waiting += sorted(new)
    return files


def find_file(module: str) -> Path | None:
    """Find the file of a module, without importing it; None for a module of Python or a missing one."""
    spec = _find_spec(module)
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None


def _is_own(name: str, file: Path, packages: set[str]) -> bool:
    top = name.partition(".")[0]
    return top not in OURS and (top in packages or not INSTALLED & {*file.parts})


def _find_spec(name: str) -> ModuleSpec | None:
    """Find where a module is, without importing it; None for a module of Python or a missing one."""
    top, *rest = name.split(".")
    if top in sys.stdlib_module_names or not top:
        return None
    so_far, spec = top, _find_part(top, None)
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        so_far = f"{so_far}.{part}"
        spec = _find_part(so_far, list(spec.submodule_search_locations))
    return spec


def _find_part(name: str, path: list[str] | None) -> ModuleSpec | None:
    """Search one part of a module's name; a module that is already imported knows where it is.

    A package without `__init__.py` would need its parent to be imported. So each part is searched by its own name, in
    the folders of its parent.
    """
    there = getattr(sys.modules.get(name), "__spec__", None)
    return there if isinstance(there, ModuleSpec) else PathFinder.find_spec(name.rpartition(".")[2], path)


def _list_imports(name: str, file: Path, *, is_package: bool) -> Iterator[str]:
    """List every module that a file may import, with its parent packages; attributes of modules are among them."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # not Python, or not importable
        return
    package = name if is_package else name.rpartition(".")[0]
    yield from _list_parents(name)
    callers = {"import_module", "__import__", *_list_aliases(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _make_absolute("." * node.level + (node.module or ""), package)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call):
            names = [_make_absolute(asked, package) for asked in _list_called_imports(node, callers)]
        else:
            continue
        for module in names:
            yield from (*_list_parents(module), module)


def _list_aliases(tree: ast.Module) -> Iterator[str]:
    """List the names that this file gives to `import_module`."""
    aliases = (alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names)
    return (alias.asname for alias in aliases if alias.name == "import_module" and alias.asname)


def _list_called_imports(node: ast.Call, callers: set[str]) -> Iterator[str]:
    """List the modules in calls such as `importlib.import_module("x")` and `__import__("x")`."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = (
        node.args[0] if node.args else next((keyword.value for keyword in node.keywords if keyword.arg == "name"), None)
    )
    if called in callers and isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield first.value


def _list_parents(name: str) -> Iterator[str]:
    """List the parent packages of a module: for a.b.c first a, then a.b."""
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def _make_absolute(name: str, package: str) -> str:
    """Make a relative name absolute: `.b` in `a` is a.b, `..c` in `a.b` is a.c."""
    bare = name.lstrip(".")
    levels = len(name) - len(bare)
    if not levels:
        return name
    parts = package.split(".") if package else []
    return ".".join([*parts[: len(parts) - levels + 1], *([bare] if bare else [])])
