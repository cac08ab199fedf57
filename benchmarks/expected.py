"""Which relation an edit of the battery should be given."""

from __future__ import annotations

ANY: frozenset[str] = frozenset()

_BY_FAMILY = {
    **dict.fromkeys(("jpeg", "format", "blur", "sharpen", "noise"), "reencoded"),
    **dict.fromkeys(("resize", "aspect"), "resized"),
    **dict.fromkeys(("pad", "border", "screenshot", "cropsq"), "cropped"),
    **dict.fromkeys(
        ("bright", "contrast", "satur", "gamma", "gray", "hue", "tone", "invert", "filter"), "toned"
    ),
    **dict.fromkeys(("text", "watermark", "emoji"), "overlaid"),
    "dihedral": "rotated",
}
_BY_PREFIX = {"crop": "cropped", "overlay": "overlaid", "rot": "rotated"}


def expected(family: str, name: str, *, same_size: bool, is_gray: bool) -> frozenset[str]:
    """Relations that are right; none where several edits were made at once.

    Black, white or cut to its own shape, a picture may come out as it was: then it is encoded again, no more.
    """
    if family == "combo":
        return ANY
    if name in ("mirror", "flip"):
        return frozenset({"mirrored"})
    relation = _BY_FAMILY.get(family) or next(
        r for prefix, r in _BY_PREFIX.items() if family.startswith(prefix)
    )
    untouched = (same_size and family in ("cropsq", "pad")) or (
        is_gray and family in ("gray", "satur", "hue")
    )
    return frozenset({relation, "reencoded"} if untouched else {relation})
