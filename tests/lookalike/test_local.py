from __future__ import annotations

import cmath
import itertools
import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lookalike.local import check, join, voting
from lookalike.local.keypoints import extract_local
from lookalike.local.record import KEYPOINT_COUNT, LISTED_WORDS, LOCAL, THUMBNAIL_PIXELS, Records, mirrored
from lookalike.local.vocabulary import as_words, shipped
from lookalike.local.votes import Votes
from tests.pictures import photo

WORDS = 16384


def local(picture: Image.Image) -> np.void:
    return extract_local(np.asarray(picture.convert("L")))


def records(*pictures: Image.Image) -> Records:
    return np.array([local(picture) for picture in pictures], LOCAL)


@cache
def collection() -> Records:
    """Four scenes, each with copies that whole-frame hashes cannot follow."""
    pictures = []
    for seed in range(4):
        scene = photo(seed)
        cut = scene.crop((90, 60, 520, 420))
        pictures += [
            scene,
            cut,
            ImageOps.mirror(cut).resize((301, 252)),
            scene.rotate(25, Image.Resampling.BICUBIC),
        ]
    return records(*pictures)


def scenes(votes: Votes) -> set[tuple[int, int]]:
    return {(int(i) // 4, int(j) // 4) for i, j in zip(votes["i"], votes["j"], strict=True)}


# Slow truth: every key point of every pair of pictures, in plain Python


def slow_hits(a: np.void, b: np.void) -> list[tuple[int, int, int]]:
    """Return (probe, entry, distance) of all hits of a's words in b's lists, in the order of the lists."""
    rows, entries = a["descriptors"][: a["count"]], b["descriptors"][: b["count"]]
    distances = np.bitwise_count(rows[:, None] ^ entries[None]).sum(2, dtype=np.int64)
    hits = []
    for rank in range(LISTED_WORDS):
        word = b["words"][: b["count"], rank]
        shared = (a["words"][: a["count"], None, :] == word[None, :, None]).any(2)
        for p, q in np.argwhere(shared & (distances <= join.HIT_RADIUS)):
            hits.append(((int(word[q]), int(p), rank, int(q)), int(distances[p, q])))
    return [(p, q, distance) for (_, p, _, q), distance in sorted(hits)]


def slow_place(place: int) -> tuple[complex, int, int]:
    place = int(place)
    return complex(place & 1023, place >> 10 & 1023) / 2, place >> 20 & 255, place >> 28


def slow_agree(a: np.void, b: np.void, m: tuple[int, int, int], n: tuple[int, int, int]) -> bool:
    (p, pt, pl), (q, qt, ql) = slow_place(a["places"][m[0]]), slow_place(b["places"][m[1]])
    (r, rt, rl), (s, st, sl) = slow_place(a["places"][n[0]]), slow_place(b["places"][n[1]])
    turn, other = (qt - pt) % 256, (st - rt) % 256
    if min((turn - other) % 256, (other - turn) % 256) > 12 or abs((ql - pl) - (sl - rl)) > 1:
        return False
    if abs(r - p) <= 16 or abs(s - q) <= 16:
        return False
    scale = 1.4 ** ((ql - pl + sl - rl) / 2)
    limit = 4 + 0.2 * scale * abs(r - p)
    return all(
        abs(scale * cmath.exp(1j * math.tau * t / 256) * (r - p) - (s - q)) <= limit for t in (turn, other)
    )


def slow_votes(a: np.void, b: np.void) -> int:
    hits = slow_hits(a, b)[: voting.HITS_OF_A_PAIR]
    kept = [
        m
        for x, m in enumerate(hits)
        if not any(
            (n[0] == m[0] or n[1] == m[1]) and (n[2], y) < (m[2], x) for y, n in enumerate(hits) if y != x
        )
    ]
    best, best_rarity = 0, 0.0
    for seed in kept:
        agreeing = [seed, *(m for m in kept if m is not seed and slow_agree(a, b, seed, m))]
        agreeing = agreeing[: voting.VOTES_ENOUGH]
        rarity = sum(float(shipped().rarity[a["words"][m[0], 0]]) for m in agreeing)
        if len(agreeing) >= voting.VOTES_LEAST and rarity > best_rarity:
            best, best_rarity = len(agreeing), rarity
        if len(agreeing) == voting.VOTES_ENOUGH:
            break
    return best if best_rarity >= voting.RARITY_LEAST else 0


def slow_join(rows: Records) -> dict[tuple[int, int, bool], int]:
    turned = mirrored(rows, WORDS)
    found = {}
    for i, j in itertools.combinations(range(len(rows)), 2):
        for flipped, ways in (
            (False, ((rows[i], rows[j]), (rows[j], rows[i]))),
            (True, ((turned[i], rows[j]), (turned[j], rows[i]))),
        ):
            if votes := max(slow_votes(a, b) for a, b in ways):
                found[i, j, flipped] = votes
    return found


def as_found(votes: Votes) -> dict[tuple[int, int, bool], int]:
    return {(int(v["i"]), int(v["j"]), bool(v["mirrored"])): int(v["votes"]) for v in votes}


def test_the_join_finds_what_plain_python_finds() -> None:
    rows = collection()
    assert as_found(join.self_join(rows)) == slow_join(rows)


def test_crops_turns_and_mirrored_crops_are_candidates_of_their_scene_and_of_no_other() -> None:
    votes = join.self_join(collection())
    assert scenes(votes) == {(s, s) for s in range(4)}
    found = as_found(votes)
    copies = [
        (s, s + k, flipped) for s in range(0, 16, 4) for k, flipped in ((1, False), (2, True), (3, False))
    ]
    assert sum(copy in found for copy in copies) >= 11


def test_shards_blocks_and_buffers_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = collection()
    whole = join.self_join(rows)
    monkeypatch.setattr(join, "BLOCK_IMAGES", 5)
    monkeypatch.setattr(join, "BUFFER_HITS", 40)
    parts = [join.run(rows, spec) for spec in join.plan(len(rows), range_images=3)]
    together = np.sort(np.concatenate(parts), order=["i", "j", "mirrored"])
    assert np.array_equal(together, whole)


def test_new_images_against_stored_ones_give_what_a_full_run_gives() -> None:
    rows = collection()
    whole = join.self_join(rows)
    parts = [join.run(rows, spec) for spec in join.plan(len(rows), new_count=6, range_images=4)]
    together = np.sort(np.concatenate(parts), order=["i", "j", "mirrored"])
    assert np.array_equal(together, whole[whole["j"] >= 10])


def test_what_else_is_stored_does_not_decide_whether_two_are_candidates() -> None:
    rows = collection()
    order = np.random.default_rng(0).permutation(len(rows))[:9]
    some = join.self_join(rows[np.sort(order)])
    numbers = np.sort(order)
    expected = {
        key: votes for key, votes in as_found(join.self_join(rows)).items() if {key[0], key[1]} <= set(order)
    }
    assert {(int(numbers[i]), int(numbers[j]), m): v for (i, j, m), v in as_found(some).items()} == expected


@pytest.mark.parametrize("count", [0, 1])
def test_a_collection_of_none_or_one_has_no_pairs(count: int) -> None:
    assert len(join.self_join(collection()[:count])) == 0
    assert join.plan(0) == []


def test_the_transform_maps_a_crop_back_to_where_it_was_cut() -> None:
    votes = join.join(collection()[:1], collection()[1:2], 0, 1)
    a, b, tx, ty = votes["transform"][0]
    # The cut starts at (90, 60) of 640 x 480 and is 430 wide: the frames are 320 wide.
    assert (a, b) == (pytest.approx(640 / 430, abs=0.06), pytest.approx(0, abs=0.06))
    assert (tx, ty) == (pytest.approx(-90 * 320 / 430, abs=6), pytest.approx(-60 * 320 / 430, abs=6))


def test_the_transform_of_a_mirrored_cut_applies_after_mirroring_whichever_comes_first() -> None:
    rows = collection()
    ahead = join.join(rows[:1], rows[2:3], 0, 1)
    back = join.join(rows[2:3], rows[:1], 0, 1)
    assert ahead["mirrored"].tolist() == back["mirrored"].tolist() == [True]
    # From the mirrored scene 120 and 60 of 640 x 480 are cut off, and 430 x 360 become 301 x 252.
    assert ahead["transform"][0] == pytest.approx([1.4, 0, -84, -42], abs=6)
    assert back["transform"][0] == pytest.approx([1 / 1.4, 0, 45, 30], abs=4)
    assert [ahead["transform"][0][0], 1 / back["transform"][0][0]] == pytest.approx([1.4, 1.4], abs=0.06)


def test_a_mirrored_record_is_nearly_that_of_the_mirrored_picture() -> None:
    scene = photo(7, (320, 240))
    turned = mirrored(records(scene), WORDS)[0]
    seen = local(ImageOps.mirror(scene))
    ours, theirs = as_words(turned["descriptors"]), as_words(seen["descriptors"])
    nearest = np.bitwise_count(ours[:, None] ^ theirs[None]).sum(2, dtype=np.int64).min(1)
    assert np.median(nearest[: turned["count"]]) <= 16


def test_mirroring_twice_gives_the_record_back() -> None:
    rows = collection()
    twice = mirrored(mirrored(rows, WORDS), WORDS)
    assert all(np.array_equal(twice[name], rows[name]) for name in ("places", "words", "descriptors"))


def test_a_record_is_small_and_the_same_every_time() -> None:
    assert LOCAL.itemsize <= 3200
    assert local(photo(3)).tobytes() == local(photo(3)).tobytes()


@pytest.mark.parametrize("size", [(1, 1), (8, 3000), (3000, 8), (33, 33), (40, 90)])
def test_pictures_of_any_shape_have_a_record(size: tuple[int, int]) -> None:
    record = local(Image.fromarray(noise(size)))
    assert record["count"] <= KEYPOINT_COUNT
    assert 64 <= int(record["thumbnail_width"]) * int(record["thumbnail_height"]) <= THUMBNAIL_PIXELS


def noise(size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, size, np.uint8)


def test_a_flat_picture_has_no_key_points_and_no_candidates() -> None:
    flat = records(Image.new("L", (200, 200), 90), Image.new("L", (200, 200), 90))
    assert flat["count"].tolist() == [0, 0]
    assert len(join.self_join(flat)) == 0


def test_the_vocabulary_is_closed_under_mirroring() -> None:
    vocabulary = shipped()
    assert len(vocabulary.words) == WORDS
    for half in (vocabulary.words, vocabulary.hubs, vocabulary.centres):
        middle = len(half) // 2
        assert np.array_equal(np.roll(half[:middle], 16, axis=1), half[middle:])


def test_the_cheap_check_keeps_copies_and_drops_chance() -> None:
    rows = collection()
    votes = join.self_join(rows)
    odds = check.odds_of_votes(votes, rows[votes["i"]], rows[votes["j"]])
    assert check.are_worth_verifying(votes, odds).all()
    # The same votes, between pictures that have nothing in common.
    others = (votes["j"] + 4) % len(rows)
    chance = check.odds_of_votes(votes, rows[votes["i"]], rows[others])
    assert np.mean(chance < check.VOTE_ODDS_LEAST) > 0.8
