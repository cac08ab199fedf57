"""The cache of prepared subjects: pictures that come again are read once, and its room is bounded."""

from __future__ import annotations

from lookalike.verification.comparison import verify
from lookalike.verification.subject import Prepared
from tests.lookalike.subjects import prepared
from tests.pictures import photo
from worker.prepared import PreparedCache


def test_the_least_recently_used_keep_their_sketches_and_then_go() -> None:
    pictures = [prepared(photo(seed, (160, 120))) for seed in range(5)]
    read: list[int] = []

    def prepare(number: int) -> Prepared:
        read.append(number)
        return pictures[number]

    cache = PreparedCache(whole=2, sketched=2)
    found = verify(cache.get(0, prepare), cache.get(1, prepare))
    sketch = cache.get(0, prepare).sketch
    for number in (2, 3):
        cache.get(number, prepare)
    again = cache.get(0, prepare)
    assert read == [0, 1, 2, 3]
    assert again.sketch is sketch
    assert "keypoints" in vars(pictures[0])
    assert "keypoints" not in vars(again)
    assert verify(again, cache.get(1, prepare)) == found
    for number in (2, 3, 4):
        cache.get(number, prepare)
    cache.get(0, prepare)
    assert read == [0, 1, 2, 3, 4, 0]
