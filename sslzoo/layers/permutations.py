"""Sets of permutations that differ in as many places as possible, the classes of a jigsaw."""

import itertools
import math

import numpy as np


def distant(length: int, count: int, seed: int = 0) -> np.ndarray:
    """Permutations chosen one by one, each of the largest mean Hamming distance to those before.

    The maximal set of Noroozi and Favaro (arXiv 1603.09246, algorithm 1).

    Args:
        length: int, number of elements, at most 9.
        count: int, number of permutations.
        seed: int, selects the first one.

    Returns:
        int32 (count, length), all different, the same for equal arguments.

    Raises:
        ValueError: if there are fewer permutations.
    """
    if length > 9 or not 1 <= count <= math.factorial(length):
        most = math.factorial(min(length, 9))
        raise ValueError(f"permutations of {length} parts must be 1..{most}, of at most 9 parts; got {count}")
    every = np.array(list(itertools.permutations(range(length))), "int32")
    chosen, distance = [np.random.default_rng(seed).integers(len(every))], np.zeros(len(every))
    while len(chosen) < count:
        distance += np.mean(every != every[chosen[-1]], axis=1)
        distance[chosen[-1]] = -np.inf
        chosen.append(int(np.argmax(distance)))
    return every[chosen]
