"""Kept machine code: what a kernel calls may change, and then it is compiled anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

INNER = "from lookalike.compiled import compiled\n\n@compiled\ndef inner(x: int) -> int:\n    return x + {}\n"
MIDDLE = "from kernels.inner import inner\n"
OUTER = """
from lookalike.compiled import compiled
from kernels.middle import (
    inner,
)

@compiled
def outer(x: int) -> int:
    return inner(x)

print(outer(1), sum(outer.stats.cache_hits.values()))
"""


def test_a_kernel_is_compiled_anew_when_one_it_calls_has_changed(tmp_path: Path) -> None:
    package = tmp_path / "kernels"
    package.mkdir()
    sources = {"__init__": "", "inner": INNER.format(1), "middle": MIDDLE, "outer": OUTER}
    for name, text in sources.items():
        (package / f"{name}.py").write_text(text)

    def run() -> list[int]:
        command = [sys.executable, "-c", "import sys; sys.path.insert(0, '.'); import kernels.outer"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return [int(number) for number in done.stdout.split()]

    assert run() == [2, 0]
    assert run() == [2, 1]
    (package / "inner.py").write_text(INNER.format(5))
    assert run() == [6, 0]
    assert run() == [6, 1]
