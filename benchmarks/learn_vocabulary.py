"""Learn the frozen vocabulary of local features and write it where the product reads it.

    python benchmarks/learn_vocabulary.py PATH... [--out lookalike/local/vocabulary-1.npz] [--seed 1]

PATHs are folders of many kinds of pictures without near-duplicates among them (no video frames): photos
alone give a vocabulary that drowns in text. Only the tuning half is looked at (benchmarks/halves.py);
drawn documents, receipts and memes are added. No pixel goes into the file. The same pictures, seed and
library versions give the same file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from halves import is_tuning
from numpy.typing import NDArray
from PIL import Image
from template_pictures import drawn

from lookalike.compiled import compiled
from lookalike.local import keypoints
from lookalike.local.bits import distance
from lookalike.local.descriptors import PATCH_RADIUS, Pattern, describe, steps_of
from lookalike.local.isolation import most_isolated_first
from lookalike.local.keypoints import (
    Corners,
    Gray,
    blurred_pyramid,
    extract_local,
    found_corners,
    framed,
    spots,
)
from lookalike.local.record import KEYPOINT_COUNT, LOCAL, WORD_COUNT
from lookalike.local.vocabulary import HUB_RADIUS, Vocabulary, as_words, with_mirror_images

WORDS = 16384
CENTRES = 128
PAIR_CANDIDATES = 6144
PAIR_BIAS = 0.2
PAIR_REACH = 6
"""Pixels that the two of a pair are apart at least."""
HUB_IMAGES = 0.002
"""Share of images that must have a descriptor for it to be a hub, and at least HUB_LEAST of them."""
HUB_LEAST = 4
HIT_RADIUS = 44
DRAWN = 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path(keypoints.__file__).with_name("vocabulary-1.npz"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    started = time.process_time()

    def say(text: str) -> None:
        print(f"{time.process_time() - started:6.0f} s  {text}", flush=True)

    frames = [framed(gray) for gray in _pictures(options.paths, options.seed)]
    corners = [found_corners(frame) for frame in frames]
    say(f"{len(frames)} pictures")
    pattern = learned_pattern(frames, corners, rng)
    say("pattern")
    descriptors, owners = _described(frames, corners, pattern)
    hubs = learned_hubs(descriptors, owners, len(frames))
    say(f"{len(hubs)} hubs and their mirror images, of {len(descriptors)} descriptors")
    seeds = _mirror_distinct(descriptors[rng.permutation(len(descriptors))[: CENTRES * 8]], 40)[
        : CENTRES // 2
    ]
    start = Vocabulary(
        pattern,
        with_mirror_images(seeds),
        with_mirror_images(hubs),
        learned_centres(descriptors, seeds),
        np.zeros(CENTRES, np.float32),
    )
    records = np.array([extract_local(frame, start) for frame in frames], LOCAL)
    words = learned_words(records, rng)
    say(f"{len(words)} words and their mirror images")
    vocabulary = Vocabulary(
        pattern, with_mirror_images(words), start.hubs, start.centres, np.zeros(WORDS, np.float32)
    )
    records = np.array([extract_local(frame, vocabulary) for frame in frames], LOCAL)
    rarity = learned_rarity(records)
    say(f"rarity: median {np.median(rarity):.2f}, least {rarity.min():.2f}")
    np.savez(
        options.out,
        pattern=pattern,
        words=words,
        hubs=hubs,
        centres=start.centres[: CENTRES // 2],
        rarity=rarity.astype(np.float16),
    )
    say(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB")


def _pictures(paths: Iterable[Path], seed: int) -> Iterator[Gray]:
    for path in sorted(file for folder in paths for file in folder.rglob("*") if file.is_file()):
        if is_tuning(path):
            try:
                yield _gray(Image.open(path))
            except (OSError, SyntaxError, ValueError):
                print("left out:", path.name)
    for picture in drawn(DRAWN, seed):
        yield np.asarray(picture)


def _gray(image: Image.Image) -> Gray:
    image.draft("L", (640, 640))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L"))


# The pattern


def learned_pattern(frames: list[Gray], corners: list[Corners], rng: np.random.Generator) -> Pattern:
    """Return 128 pairs (128, 4), even bits first, none that tells what an earlier one told."""
    disc = np.array(
        [
            (x, y)
            for y in range(-PATCH_RADIUS, PATCH_RADIUS + 1)
            for x in range(-PATCH_RADIUS, PATCH_RADIUS + 1)
            if x * x + y * y <= PATCH_RADIUS**2
        ]
    )
    pairs = _pair_candidates(disc, rng)
    steps = steps_of(pairs)
    patches = _described(frames, corners, pairs, each=20, rng=rng, steps=steps)[0]
    bits = np.unpackbits(patches.view(np.uint8), axis=1, bitorder="little").astype(np.float32)
    plain, mirror = bits[:, : len(pairs)], bits[:, len(pairs) :]
    return pairs[_independent(plain, mirror)]


def _pair_candidates(disc: NDArray[np.int64], rng: np.random.Generator) -> Pattern:
    first, second = disc[rng.integers(0, len(disc), (2, 4 * PAIR_CANDIDATES))]
    apart = ((first - second) ** 2).sum(1) >= PAIR_REACH**2
    # A pair that the mirror maps onto itself, or turns round, tells nothing new.
    flip = np.array([1, -1])
    own = ((first == second * flip).all(1)) | ((first[:, 1] == 0) & (second[:, 1] == 0))
    pairs = np.unique(np.concatenate([first, second], axis=1)[apart & ~own], axis=0)
    return pairs[rng.permutation(len(pairs))[:PAIR_CANDIDATES]].astype(np.int8)


def _independent(plain: NDArray[np.float32], mirror: NDArray[np.float32]) -> list[int]:
    """Return 128 columns, by how even they are, correlated no more than the least bound that leaves 128."""
    mean = (plain.mean(0) + mirror.mean(0)) / 2
    same, across = _correlations(plain, plain), _correlations(plain, mirror)
    order = [k for k in np.argsort(np.abs(mean - 0.5), kind="stable") if abs(mean[k] - 0.5) <= PAIR_BIAS]
    for bound in np.arange(0.3, 1.0, 0.02):
        kept: list[int] = []
        for k in order:
            if across[k, k] <= bound and (
                not kept or max(same[k, kept].max(), across[k, kept].max()) <= bound
            ):
                kept.append(int(k))
            if len(kept) == 128:
                return kept
    raise SystemExit("too few pictures to learn a pattern from")


def _correlations(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    def standard(bits: NDArray[np.float32]) -> NDArray[np.float32]:
        return (bits - bits.mean(0)) / np.maximum(bits.std(0), 1e-3) / np.sqrt(np.float32(len(bits)))

    return np.abs(standard(a).T @ standard(b))


# Descriptors


def _described(
    frames: list[Gray],
    corners: list[Corners],
    pattern: Pattern,
    each: int | None = None,
    rng: np.random.Generator | None = None,
    steps: NDArray[np.int8] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return descriptors (n, bytes) of isolated corners, or of `each` random ones, and whose they are."""
    steps = steps_of(pattern) if steps is None else steps
    rows, owners = [], []
    for image, (frame, found) in enumerate(zip(frames, corners, strict=True)):
        if rng is not None and each is not None:
            found = found[rng.permutation(len(found))[:each]]
        else:
            found = found[most_isolated_first(found)[:KEYPOINT_COUNT]]
        if len(found):
            rows.append(_describe_all(frame, found, steps))
            owners.append(np.full(len(found), image, np.int32))
    return np.concatenate(rows), np.concatenate(owners)


def _describe_all(frame: Gray, corners: Corners, steps: NDArray[np.int8]) -> NDArray[np.uint8]:
    where = spots(corners)
    pyramid = blurred_pyramid(frame, where[:, 3])
    out = np.zeros((len(where), steps.shape[1] // 128), np.uint64)
    for k, (x, y, angle, level) in enumerate(where):
        for first in range(0, out.shape[1], 4):
            describe(
                pyramid[level], x, y, steps[angle, 128 * first : 128 * first + 512], out[k, first : first + 4]
            )
    return out.view(np.uint8).reshape(len(where), -1)


# Hubs, words, cells


def learned_hubs(
    descriptors: NDArray[np.uint8], owners: NDArray[np.int32], image_count: int
) -> NDArray[np.uint8]:
    """Return descriptors (n, 32) that many images have, the commonest first, none near another."""
    images = _image_counts(as_words(descriptors), owners, HUB_RADIUS)
    common = np.nonzero(images >= max(HUB_LEAST, round(HUB_IMAGES * image_count)))[0]
    common = common[np.argsort(-images[common], kind="stable")]
    return _mirror_distinct(descriptors[common], HUB_RADIUS // 2)


@compiled
def _image_counts(rows: NDArray[np.uint64], owners: NDArray[np.int32], radius: int) -> NDArray[np.int64]:
    """Return of each row how many other images have one within the radius; rows come sorted by owner."""
    counts = np.zeros(len(rows), np.int64)
    for i in range(len(rows)):
        last = -1
        for j in range(len(rows)):
            if owners[j] != owners[i] and owners[j] != last and distance(rows[i], rows[j]) <= radius:
                last = owners[j]
                counts[i] += 1
    return counts


def _mirror_distinct(descriptors: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    """Return the descriptors without those within the radius of an earlier one or of its mirror image."""
    rows = as_words(descriptors)
    mirrors = as_words(np.roll(descriptors, 16, axis=1))
    alive = np.ones(len(rows), np.bool_)
    for k in range(len(rows)):
        if alive[k]:
            for other in (rows[k], mirrors[k]):
                alive[k + 1 :] &= np.bitwise_count(rows[k + 1 :] ^ other).sum(1, dtype=np.int64) > radius
    return descriptors[alive]


def learned_words(records: NDArray[np.void], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return half of the words (WORDS / 2, 32): random key points, none near another or its mirror image."""
    used = np.arange(KEYPOINT_COUNT) < records["count"][:, None]
    pool = records["descriptors"][used]
    pool = _mirror_distinct(pool[rng.permutation(len(pool))[: 2 * WORDS]], 12)
    if len(pool) < WORDS // 2:
        raise SystemExit("too few pictures for so many words")
    return pool[: WORDS // 2]


def learned_centres(descriptors: NDArray[np.uint8], seeds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return centres (CENTRES, 32) by k-majority, the second half the first mirrored."""
    rows = as_words(descriptors)
    centres = with_mirror_images(seeds)
    half = len(seeds)
    for _ in range(8):
        middles = as_words(centres)
        nearest = np.array([np.bitwise_count(middles ^ row).sum(1, dtype=np.int64).argmin() for row in rows])
        for k in range(half):
            members = np.concatenate(
                [descriptors[nearest == k], np.roll(descriptors[nearest == k + half], 16, axis=1)]
            )
            if len(members):
                centres[k] = np.packbits(np.unpackbits(members, axis=1).mean(0) > 0.5)
        centres = with_mirror_images(centres[:half])
    return centres


# Rarity


def learned_rarity(records: NDArray[np.void]) -> NDArray[np.float32]:
    """Return half of the words' rarity (WORDS / 2,): -log10 of the hits to expect of two images by this word.

    Half counted, half modelled from how often the word occurs, as most words are hit never or once.
    """
    used = np.arange(KEYPOINT_COUNT) < records["count"][:, None]
    owners = np.nonzero(used)[0].astype(np.int32)
    rows, words = as_words(records["descriptors"][used]), records["words"][used]
    listed = np.bincount(words[:, 0], minlength=WORDS)
    probed = np.bincount(words.ravel(), minlength=WORDS)
    hits = _hits_by_word(rows, words, owners, np.argsort(words[:, 0], kind="stable"), listed, HIT_RADIUS)
    fold = [counts.reshape(2, -1).sum(0).astype(np.float64) for counts in (listed, probed, hits)]
    chances = (fold[0] + 0.5) * (fold[1] + 0.5)
    modelled = chances * (fold[2].sum() / chances.sum())
    # Folded counts are of a word and its mirror image: a word alone has half the hits.
    expected = (fold[2] + modelled) / 2 / 2
    return -np.log10(expected / len(records) ** 2).astype(np.float32)


@compiled
def _hits_by_word(
    rows: NDArray[np.uint64],
    words: NDArray[np.uint16],
    owners: NDArray[np.int32],
    order: NDArray[np.int64],
    listed: NDArray[np.int64],
    radius: int,
) -> NDArray[np.int64]:
    starts = np.zeros(len(listed) + 1, np.int64)
    starts[1:] = np.cumsum(listed)
    hits = np.zeros(len(listed), np.int64)
    for i in range(len(rows)):
        for m in range(WORD_COUNT):
            word = words[i, m]
            for k in range(starts[word], starts[word + 1]):
                j = order[k]
                if owners[j] != owners[i] and distance(rows[i], rows[j]) <= radius:
                    hits[words[i, 0]] += 1
    return hits


if __name__ == "__main__":
    main()
