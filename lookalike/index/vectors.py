"""Vector instructions for Numba: the one inner loop on which the joins spend their time.

Numba makes slow code of plain loops over popcounts (signed indices alone cost 2 to 7 times), so the loop is
given as LLVM vectors. LLVM lowers them to what the processor has: vpopcnt of AVX-512, table look-ups of AVX2,
cnt of NEON.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_FEATURES = llvm.get_host_cpu_features()
_HAS_VECTOR_POPCOUNT = bool(_FEATURES.get("avx512vpopcntdq"))
VECTOR_BYTES = 64 if _HAS_VECTOR_POPCOUNT else 32
# AVX2 has no popcount: bytes are looked up and added, 8.7 G/s by multiply-and-add, 6.7 as LLVM does it.
_ADDS_BY_MULTIPLYING = bool(_FEATURES.get("avx2")) and not _HAS_VECTOR_POPCOUNT
GROUP = 8
"""Queries compared in one pass over the candidates."""
PADDING = 64
"""Words that must follow the last column of an array given to `any_near`, as whole vectors are read."""

_BYTE, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))


def _any_near(planes: int) -> Callable[..., Any]:
    """Make the function that tells if any of 8 queries is at most radius bits from any of count candidates.

    queries and candidates are C-ordered arrays of one unsigned type, (columns,) or (planes, columns): a row
    of the data is a column here, and the distance is summed over the first `planes`. The answer may be yes
    too often, as whole vectors of candidates and always 8 queries are read, but never no too often.
    """

    @intrinsic
    def any_near(
        typing: Any, queries: Any, first_query: Any, candidates: Any, first: Any, count: Any, radius: Any
    ) -> Any:
        signature = types.boolean(queries, types.intp, candidates, types.intp, types.intp, types.uint64)

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            asked, given = (context.make_array(signature.args[k])(context, builder, args[k]) for k in (0, 2))
            loop = _Loop(builder, candidates.dtype.bitwidth)
            starts = [_plane_starts(builder, array, planes) for array in (asked, given)]
            return loop.emit(starts[0], args[1], starts[1], args[3], args[4], args[5])

        return signature, code

    return any_near


@intrinsic
def _near_lanes(typing: Any, queries: Any, query: Any, candidates: Any, first: Any, radius: Any) -> Any:
    signature = types.uint64(queries, types.intp, candidates, types.intp, types.uint64)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        asked, given = (context.make_array(signature.args[k])(context, builder, args[k]) for k in (0, 2))
        loop = _Loop(builder, candidates.dtype.bitwidth)
        query = loop.splat(builder.load(builder.gep(asked.data, [args[1]])))
        pointer = builder.bitcast(builder.gep(given.data, [args[3]]), loop.words.as_pointer())
        counts = loop.bit_counts(builder.xor(loop.load(pointer, ir.Constant(_I64, 0)), query))
        limit = loop.splat(args[4] if loop.words.element.width == 64 else builder.trunc(args[4], _I32))
        near = builder.icmp_unsigned("<=", counts, limit)
        return builder.zext(builder.bitcast(near, ir.IntType(loop.words.count)), _I64)

    return signature, code


@intrinsic
def _prefetch(typing: Any, array: Any, row: Any) -> Any:
    signature = types.void(array, types.intp)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0])
        columns = cgutils.unpack_tuple(builder, data.shape)[-1]
        pointer = builder.bitcast(builder.gep(data.data, [builder.mul(columns, args[1])]), _BYTE.as_pointer())
        # For reading, to be kept in all caches, data and not code.
        hints = [ir.Constant(_I32, hint) for hint in (0, 3, 1)]
        function = ir.FunctionType(ir.VoidType(), [pointer.type, _I32, _I32, _I32])
        name = f"llvm.prefetch.{pointer.type.intrinsic_name}"
        builder.call(cgutils.get_or_insert_function(builder.module, function, name), [pointer, *hints])
        return context.get_dummy_value()

    return signature, code


def lanes_of(words: Any) -> int:
    """Return how many words of an array `near_lanes` looks at."""
    return VECTOR_BYTES // int(words.dtype.itemsize)


def _plane_starts(builder: Any, array: Any, planes: int) -> list[Any]:
    columns = cgutils.unpack_tuple(builder, array.shape)[-1]
    return [
        builder.gep(array.data, [builder.mul(columns, ir.Constant(_I64, plane))]) for plane in range(planes)
    ]


class _Loop:
    """Writes the loop over candidates, a vector at a time, against 8 queries held in registers."""

    def __init__(self, builder: Any, bits: int) -> None:
        self.builder = builder
        self.words = ir.VectorType(ir.IntType(bits), VECTOR_BYTES * 8 // bits)
        # Minima are taken of 32-bit lanes, also of halves of 64-bit distances: 64-bit minima need AVX-512.
        self.counts = ir.VectorType(_I32, VECTOR_BYTES // 4)

    def emit(
        self, asked: list[Any], query: Any, given: list[Any], first: Any, count: Any, radius: Any
    ) -> Any:
        builder, lanes = self.builder, self.words.count
        queries = [
            [
                self.splat(builder.load(builder.gep(plane, [builder.add(query, ir.Constant(_I64, k))])))
                for plane in asked
            ]
            for k in range(GROUP)
        ]
        vectors = builder.udiv(builder.add(count, ir.Constant(_I64, lanes - 1)), ir.Constant(_I64, lanes))
        pointers = [builder.bitcast(builder.gep(plane, [first]), self.words.as_pointer()) for plane in given]
        before = builder.block
        loop, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed(">", count, ir.Constant(_I64, 0)), loop, done)
        builder.position_at_end(loop)
        step = builder.phi(_I64)
        step.add_incoming(ir.Constant(_I64, 0), before)
        nothing_yet = ir.Constant(self.counts, [0x7FFFFFFF] * self.counts.count)
        least = builder.phi(self.counts)
        least.add_incoming(nothing_yet, before)
        nearest = self.nearest(queries, [self.load(pointer, step) for pointer in pointers], least)
        following = builder.add(step, ir.Constant(_I64, 1))
        step.add_incoming(following, loop)
        least.add_incoming(nearest, loop)
        builder.cbranch(builder.icmp_signed("<", following, vectors), loop, done)
        builder.position_at_end(done)
        result = builder.phi(self.counts)
        result.add_incoming(nothing_yet, before)
        result.add_incoming(nearest, loop)
        return self.any_at_most(result, radius)

    def nearest(self, queries: list[list[Any]], words: list[Any], least: Any) -> Any:
        """Return the lanewise least of `least` and the distances of all queries to these words."""
        for query in queries:
            counts = [
                self.bit_counts(self.builder.xor(word, asked))
                for word, asked in zip(words, query, strict=True)
            ]
            total = counts[0]
            for other in counts[1:]:
                total = self.builder.add(total, other)
            total = self.builder.bitcast(total, self.counts)
            least = self.builder.select(self.builder.icmp_unsigned("<", total, least), total, least)
        return least

    def bit_counts(self, words: Any) -> Any:
        if self.words.element.width == 32 and _ADDS_BY_MULTIPLYING:
            bytes_ = ir.VectorType(_BYTE, VECTOR_BYTES)
            counts = self.call("llvm.ctpop.v32i8", bytes_, self.builder.bitcast(words, bytes_))
            pairs = self.call("llvm.x86.avx2.pmadd.ub.sw", ir.VectorType(_I16, 16), counts, _ones(bytes_))
            return self.call("llvm.x86.avx2.pmadd.wd", self.counts, pairs, _ones(pairs.type))
        return self.call(f"llvm.ctpop.v{self.words.count}i{self.words.element.width}", self.words, words)

    def any_at_most(self, least: Any, radius: Any) -> Any:
        builder, word = self.builder, self.words.element
        least = builder.bitcast(least, self.words)
        if word.width == 64:  # only the low halves carry distances
            least = builder.and_(least, ir.Constant(self.words, [0xFFFFFFFF] * self.words.count))
        limit = self.splat(radius if word.width == 64 else builder.trunc(radius, word))
        near = builder.bitcast(builder.icmp_unsigned("<=", least, limit), ir.IntType(self.words.count))
        return builder.icmp_unsigned("!=", near, ir.Constant(near.type, 0))

    def load(self, pointer: Any, step: Any) -> Any:
        words = self.builder.load(self.builder.gep(pointer, [step]))
        words.align = self.words.element.width // 8
        return words

    def splat(self, value: Any) -> Any:
        undefined = ir.Constant(self.words, ir.Undefined)
        one = self.builder.insert_element(undefined, value, ir.Constant(_I32, 0))
        zeros = ir.Constant(ir.VectorType(_I32, self.words.count), [0] * self.words.count)
        return self.builder.shuffle_vector(one, undefined, zeros)

    def call(self, name: str, result: Any, *args: Any) -> Any:
        function = ir.FunctionType(result, [arg.type for arg in args])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, function, name), args)


def _ones(vector: Any) -> Any:
    return ir.Constant(vector, [1] * vector.count)


any_near_1, any_near_2, any_near_3, any_near_4 = (_any_near(planes) for planes in (1, 2, 3, 4))
near_lanes: Any = _near_lanes
"""Tell which of `lanes_of` candidates from one on are at most radius bits from a query: bit k is lane k.

What lies beyond the caller's last candidate is told of too.
"""
prefetch: Any = _prefetch
"""Ask for the start of a row of a C-ordered array before it is needed; nothing waits for it."""
