"""Image files as bytes: encoded, turned by their EXIF orientation, or with a header that claims another size."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

# How a camera that is held in each way stores what is upright in the world: EXIF orientation -> stored pixels.
STORED: dict[int, Any] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def encoded(image: Image.Image, kind: str, orientation: int = 0) -> bytes:
    """Encode an image as it is, with an EXIF orientation if it is not 0; WebP without loss."""
    exif, buffer = Image.Exif(), BytesIO()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    lossless: dict[str, Any] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}
    image.save(buffer, kind, exif=exif, **lossless.get(kind, {}))
    return buffer.getvalue()


def turned(upright: NDArray[Any], orientation: int, kind: str = "PNG") -> bytes:
    """Encode an image as a camera stores it that is held in another way."""
    return encoded(Image.fromarray(np.ascontiguousarray(STORED[orientation](upright))), kind, orientation)


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def claimed_png(width: int, height: int, bits: int = 8, colour: int = 2) -> bytes:
    """A PNG of a few bytes whose header claims a size."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def claimed_jpeg(width: int, height: int, mode: str = "RGB") -> bytes:
    """A JPEG of a few bytes whose header claims a size."""
    data = bytearray(encoded(Image.new(mode, (16, 16)), "JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def claimed_gif(width: int, height: int) -> bytes:
    """A GIF of a few bytes whose header claims a size."""
    data = encoded(Image.new("P", (16, 16)), "GIF")
    return data[:6] + struct.pack("<HH", width, height) + data[10:]


def claimed_bmp(width: int, height: int) -> bytes:
    """A BMP of a few bytes whose header claims a size."""
    data = encoded(Image.new("RGB", (16, 16)), "BMP")
    return data[:18] + struct.pack("<ii", width, height) + data[26:]
