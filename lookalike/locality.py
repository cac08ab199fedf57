"""Locality: an order of pairs in which those that share a picture come soon after each other.

Who compares them in that order prepares most pictures once. Sorted by their first, the pairs of a group whose
pictures came in at different times lie far apart, and each picture is decoded for each pair it is second in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import reverse_cuthill_mckee


def neighbours_together(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order (n,) of pairs (n, 2), each of which is there once; it depends on nothing else.

    Pictures are ranked so that those of a pair lie near each other (Cuthill and McKee, 1969), pairs by them.
    """
    if not len(pairs):
        return np.zeros(0, np.int64)
    pictures, places = np.unique(pairs, return_inverse=True)
    first, second = places.reshape(-1, 2).T
    both_ways = np.concatenate([first, second]), np.concatenate([second, first])
    size = len(pictures), len(pictures)
    graph = coo_array((np.ones(2 * len(pairs), np.int8), both_ways), size).tocsr()
    ranks = np.empty(len(pictures), np.int64)
    ranks[reverse_cuthill_mckee(graph, symmetric_mode=True)] = np.arange(len(pictures))
    ranked = np.sort(ranks[np.stack([first, second], axis=1)], axis=1)
    order: NDArray[np.int64] = np.lexsort((ranked[:, 1], ranked[:, 0]))
    return order
