"""The features of one image as one fixed-size numpy record; blocks of them are what storage keeps."""

from __future__ import annotations

from enum import IntFlag

import numpy as np

from lookalike.local.record import LOCAL

HASH_BYTES = 32
ORIENTATION_COUNT = 8
REGION_COUNT = 16


class Flag(IntFlag):
    """Bits of the field `flags`."""

    FLAT = 1  # no structure to hash: never matches by hash alone
    HAS_TRIM = 2  # a border was found; `trimmed` differs from `whole[0]`
    ALPHA = 4  # some pixels are not opaque
    ANIMATED = 8  # more than one frame in time; the first was taken
    LOSSLESS = 16  # the format kept the pixels as they were given to it


# Little-endian and packed, so that stored blocks mean the same on every machine. New fields come last: blocks
# of an older extractor lack them, and are still read for their proxies.
FEATURES = np.dtype(
    [
        # 256-bit DCT hashes under the 8 EXIF orientations; index k is orientation k + 1, index 0 as seen.
        ("whole", "u1", (ORIENTATION_COUNT, HASH_BYTES)),
        # Without its uniform border; equal to whole[0] where there is none.
        ("trimmed", "u1", (HASH_BYTES,)),
        ("regions", "u1", (REGION_COUNT, HASH_BYTES)),
        ("flags", "u1"),
        # Full size in pixels, as seen (EXIF orientation applied).
        ("width", "<u4"),
        ("height", "<u4"),
        # Standard deviation of gray levels, 0 to 127.5.
        ("contrast", "<f4"),
        # Mean colour (red, green, blue): the only thing that flat images can be told apart by.
        ("colour", "u1", (3,)),
        # 0.5 to 0.9 for crisp pictures, 0.3 for blurred ones, at most 4; at the proxy's scale.
        ("sharpness", "<f4"),
        # 1 to 100 as libjpeg counts it; 0 where the file is not a JPEG.
        ("jpeg_quality", "u1"),
        # The size that holds all the detail there is: smaller than width and height in enlarged copies.
        ("true_width", "<u4"),
        ("true_height", "<u4"),
        ("metadata_count", "<u2"),
        # Seconds since the epoch by the camera's clock; 0 if unknown.
        ("taken_at", "<i8"),
        # Where the proxy lies inside its block's blob.
        ("proxy_offset", "<u4"),
        ("proxy_length", "<u4"),
        ("proxy_width", "<u2"),
        ("proxy_height", "<u2"),
        # Key points and a thumbnail: what finds crops, turns and overlays that no hash of a frame sees.
        ("local", LOCAL),
        # Hashes of the strips along the left, right, upper and lower side; 0 where there is nothing to hash.
        ("strips", "<u8", (4,)),
    ]
)

# What ranking looks at: 32 bytes of thousands. Blocks keep them apart, so that a million load in a moment.
FACTS = np.dtype(
    [
        (name, FEATURES[name])
        for name in (
            "width",
            "height",
            "true_width",
            "true_height",
            "taken_at",
            "sharpness",
            "metadata_count",
            "jpeg_quality",
            "flags",
        )
    ]
)


def facts_of(records: np.ndarray) -> np.ndarray:
    """Return the FACTS of FEATURES records."""
    facts = np.empty(len(records), FACTS)
    for name in FACTS.names or ():
        facts[name] = records[name]
    return facts


def has_flag(records: np.ndarray, flag: Flag) -> np.ndarray:
    """Return a boolean mask of the records that have the flag."""
    mask: np.ndarray = (records["flags"] & np.uint8(flag)) != 0
    return mask
