"""Machine code that Numba keeps, and when it is out of date.

Numba keeps what it compiled beside a module and compares that module's own source. But the machine code of
a kernel holds that of all kernels it calls: after an upgrade that changed one of those alone, the old code
would go on running. So the sources compared are those of the module and of all modules of its package that
it imports, directly or not.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from numba import config
from numba.core import caching

_IMPORTS = re.compile(
    r"^\s*(?:from\s+([\w.]+)\s+import\s+(\([^)]*\)|[^\n]*)|import\s+([\w.]+))", re.MULTILINE
)


def watch_imports() -> None:
    """Let Numba look at imported sources, too, in all that it compiles in this process from now on."""
    kept = (_UserProvided, _InTree, _UserWide)
    names = ",".join(f"{__name__}.{one.__name__}" for one in kept)
    config.CACHE_LOCATOR_CLASSES = names  # type: ignore[attr-defined]


@cache
def stamp(source: Path) -> bytes:
    """Return a digest of a module's source and of those it imports from its own package.

    Each is read once: what this process runs is what it has read when it began.
    """
    digest = hashlib.sha256()
    for path in sorted(_with_imports(source.resolve())):
        digest.update(_digest(path))
    return digest.digest()


@cache
def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _with_imports(source: Path) -> set[Path]:
    found, waiting = {source}, [source]
    while waiting:
        new = _imported(waiting.pop()) - found
        found |= new
        waiting += new
    return found


@cache
def _imported(source: Path) -> frozenset[Path]:
    """The modules that one imports of its own package, by its text: to load them would compile them."""
    root = source.parent
    while (root / "__init__.py").exists():
        root = root.parent
    named = set()
    for module, names, whole in _IMPORTS.findall(source.read_text("utf-8")):
        named.add(whole or module)
        named |= {f"{module}.{name}" for name in re.findall(r"\w+", names)}
    # Relative to the root, that is only what lies there: its own package.
    paths = (root.joinpath(*name.split(".")).with_suffix(".py") for name in named if name)
    return frozenset(path for path in paths if path.is_file())


class _WithImports:
    _py_file: str

    def get_source_stamp(self) -> bytes:
        return stamp(Path(self._py_file))


class _UserProvided(_WithImports, caching.UserProvidedCacheLocator):
    pass


class _InTree(_WithImports, caching.InTreeCacheLocator):
    pass


class _UserWide(_WithImports, caching.UserWideCacheLocator):
    pass
