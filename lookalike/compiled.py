"""Numba's compiler with the options every kernel here has, and the two instructions it lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit, types
from numba.extending import intrinsic

from lookalike.machine_code import watch_imports

watch_imports()

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile on first call. The GIL is released, so that a worker's heartbeat goes on meanwhile.

    Dividing by zero gives what NumPy gives: a test before each division would keep loops from vectors.
    """
    return cast(Function, njit(nogil=True, cache=True, error_model="numpy")(function))


@intrinsic
def _popcount(_context: Any, word: Any) -> Any:

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return word(word), generate


@intrinsic
def _load(_context: Any, array: Any, _index: Any) -> Any:
    signature = array.dtype(array, types.intp)

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = target.make_array(signature.args[0])(target, builder, arguments[0]).data
        return builder.load(builder.gep(data, [arguments[1]]))

    return signature, generate


popcount: Any = _popcount
"""Count the set bits of an unsigned word."""
load: Any = _load
"""Read array[index] of a contiguous array, index >= 0: without the test for negative ones LLVM vectorises."""
