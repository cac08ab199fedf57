"""What bytes claim to be, by their first few: to say why they cannot be read, and when to load libheif."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """A format known by the bytes `magic` at `offset`; `name` is Pillow's where there is a decoder for it."""

    name: str
    magic: bytes
    offset: int = 0
    is_readable: bool = True


def recognised(data: bytes) -> Signature | None:
    """Return the signature that the bytes bear, or None."""
    for signature in _SIGNATURES:
        if data.startswith(signature.magic, signature.offset):
            return signature
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<") and b"<svg" in head:
        return _SVG
    return None


def is_heif(data: bytes) -> bool:
    """Tell whether the bytes are an ISO media file that the HEIF decoder should try."""
    return data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"avis")


def _unreadable(name: str, magic: bytes, offset: int = 0) -> Signature:
    return Signature(name, magic, offset, is_readable=False)


_SVG = _unreadable("SVG", b"<svg")

_SIGNATURES = (
    Signature("JPEG", b"\xff\xd8\xff"),
    Signature("PNG", b"\x89PNG\r\n\x1a\n"),
    Signature("PNG", b"IHDR", 12),  # with a damaged signature
    Signature("GIF", b"GIF87a"),
    Signature("GIF", b"GIF89a"),
    Signature("WEBP", b"WEBP", 8),
    Signature("TIFF", b"II*\0"),
    Signature("TIFF", b"MM\0*"),
    Signature("TIFF", b"II+\0"),
    Signature("TIFF", b"MM\0+"),
    Signature("AVIF", b"ftypavif", 4),
    Signature("AVIF", b"ftypavis", 4),
    *(
        Signature("HEIF", b"ftyp" + brand, 4)
        for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1")
    ),
    Signature("JPEG2000", b"\0\0\0\x0cjP  \r\n\x87\n"),
    Signature("JPEG2000", b"\xff\x4f\xff\x51"),
    Signature("BMP", b"BM"),
    Signature("ICO", b"\0\0\1\0"),
    Signature("CUR", b"\0\0\2\0"),
    Signature("ICNS", b"icns"),
    Signature("PSD", b"8BPS"),
    Signature("DDS", b"DDS "),
    Signature("QOI", b"qoif"),
    Signature("BLP", b"BLP1"),
    Signature("BLP", b"BLP2"),
    Signature("FITS", b"SIMPLE  ="),
    Signature("SGI", b"\x01\xda"),
    Signature("SUN", b"\x59\xa6\x6a\x95"),
    Signature("XPM", b"/* XPM */"),
    *(Signature("PPM", b"P" + kind) for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"F", b"f")),
    Signature("FLI", b"\x11\xaf", 4),
    Signature("FLI", b"\x12\xaf", 4),
    _unreadable("JPEG XL", b"\xff\x0a"),
    _unreadable("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n"),
    _unreadable("JPEG XR", b"II\xbc"),
    _unreadable("JPEG-LS", b"\xff\xd8\xf7"),
    _unreadable("OpenEXR", b"\x76\x2f\x31\x01"),
    _unreadable("Radiance HDR", b"#?RADIANCE"),
    _unreadable("Radiance HDR", b"#?RGBE"),
    _unreadable("farbfeld", b"farbfeld"),
    _unreadable("PAM", b"P7\n"),
    _unreadable("EPS", b"%!PS"),
    _unreadable("EPS", b"\xc5\xd0\xd3\xc6"),
    _unreadable("PDF", b"%PDF"),
    _unreadable("WMF", b"\xd7\xcd\xc6\x9a"),
    _unreadable("EMF", b" EMF", 40),
    _unreadable("MNG", b"\x8aMNG"),
    _unreadable("JNG", b"\x8bJNG"),
    _unreadable("DjVu", b"AT&TFORM"),
    _unreadable("XCF", b"gimp xcf"),
    _unreadable("FlashPix", b"\xd0\xcf\x11\xe0"),
    _unreadable("HDF5", b"\x89HDF"),
    _unreadable("GRIB", b"GRIB"),
    _unreadable("BUFR", b"BUFR"),
    _unreadable("BPG", b"BPG\xfb"),
    _unreadable("FLIF", b"FLIF"),
    _unreadable("MPEG video", b"\0\0\1\xb3"),
    _unreadable("MPEG video", b"\0\0\1\xba"),
    _unreadable("WebM video", b"\x1a\x45\xdf\xa3"),
    _unreadable("MP4 video", b"ftyp", 4),
    _unreadable("AVI video", b"AVI ", 8),
)
