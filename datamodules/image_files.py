"""The one decoder of images. Does not import torch."""

from __future__ import annotations

import stat
import struct
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from datamodules.reader import CorruptFrameError

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
LARGEST = 178_956_970  # pixels; Pillow refuses larger images, too
LARGEST_SIDE = 16384  # pixels of a side of a network's input
LARGEST_FILE = 8 * LARGEST  # bytes; 16-bit RGBA without compression
_REASONS: dict[type[Exception], str] = {  # in place of Pillow's messages
    UnidentifiedImageError: "not a JPEG, PNG, WebP, BMP, GIF or TIFF file with 8 or 16 bits per channel",
    Image.DecompressionBombError: f"more than {LARGEST / 1e6:.0f} million pixels",
}

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_APP1, _START_OF_SCAN, _FILL = 0xE1, 0xDA, 0xFF  # JPEG markers
_TURNS: dict[object, Callable[[Any], Any]] = {  # EXIF orientation -> how to make the stored pixels upright
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: cv2.transpose,
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.flip(cv2.transpose(pixels), -1),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as RGB uint8, (H, W, 3), see :func:`decode_image`.

    Raises:
        CorruptFrameError: the file is missing, unreadable or corrupt.
    """
    return decode_image(read_bytes(path, "image"), path)


def decode_image(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG, WebP, BMP, GIF or TIFF file as RGB uint8, (H, W, 3).

    The image is upright: its EXIF orientation is applied. Of 16 bits per channel the upper 8 are used. Transparency is
    ignored, and of several images in one file the first is used.

    Args:
        data: content of the file.
        path: path of the file for error messages.

    Raises:
        CorruptFrameError: the data is truncated or not such an image, has 32 bits per channel, or has more than 179
            million pixels.
    """
    try:
        if data.startswith(_PNG):
            return _rgb(decode_png(data))
        if data.startswith(_JPEG) and (size := _common_jpeg_size(data)):
            _check_size(*size)
            return _upright(simplejpeg.decode_jpeg(data), _jpeg_exif(data))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, and about sizes that are allowed here
            return from_pillow(Image.open(BytesIO(data), formats=_FORMATS))
    except Exception as error:  # decoders raise many types for corrupt data, e.g. SyntaxError and struct.error
        reason = _REASONS.get(type(error)) or " ".join(str(error).split()) or type(error).__name__
        raise CorruptFrameError(f"{path}: corrupt image ({reason})") from error


def decode_png(data: bytes) -> NDArray[Any]:
    """Decode a PNG as stored, upright: uint8 or uint16, (H, W) or (H, W, channels).

    Raises:
        Exception: the data is corrupt, has too many pixels or is not a PNG. The type depends on the damage.
    """
    if not data.startswith(_PNG) or data[12:16] != b"IHDR":
        raise ValueError("not a PNG")
    exif = _png_exif(data)
    _check_size(*struct.unpack_from(">II", data, 16))
    return _upright(imagecodecs.png_decode(data), exif)


def from_pillow(image: Image.Image) -> NDArray[np.uint8]:
    """RGB uint8, (H, W, 3), of a Pillow image, see :func:`decode_image`.

    Raises:
        Exception: the file of the image is corrupt, or it has 32 bits per channel or too many pixels. The type depends
            on the damage.
    """
    _check_size(*image.size)
    image.load()  # turns TIFF upright
    if image.mode in ("I", "F"):
        raise ValueError("32 bits per channel, but an image has 8 or 16")
    sixteen_bits = image.mode.startswith("I;16")
    pixels = np.asarray(image).astype(np.uint16) if sixteen_bits else np.asarray(image.convert("RGB"))
    return _upright(_rgb(pixels), image.info.get("exif", b""))


def encode_image(image: NDArray[np.uint8]) -> bytes:
    """Encode RGB uint8, (H, W, 3), as PNG."""
    return bytes(imagecodecs.png_encode(image))


def read_bytes(path: Path, what: str) -> bytes:
    """Read a file of bounded size.

    Args:
        path: the file.
        what: what it should be, for error messages, e.g. ``image``.

    Raises:
        CorruptFrameError: the file is missing, unreadable or too large.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            reason = "not a regular file"  # reading a pipe might never end
        elif status.st_size > LARGEST_FILE:
            reason = f"{status.st_size / 1e9:.1f} GB"
        else:
            return path.read_bytes()
    except FileNotFoundError:
        raise CorruptFrameError(f"{path}: no such {what}") from None
    except OSError as error:
        reason = str(error.strerror)
    raise CorruptFrameError(f"{path}: unreadable {what} ({reason})")


def _check_size(width: int, height: int) -> None:
    if not 0 < width * height <= LARGEST:
        raise ValueError(f"its header says {width}x{height} pixels; at most {LARGEST / 1e6:.0f} million are read")


def _rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert 8 or 16 bits, (H, W) or (H, W, 1 to 4), to RGB."""
    if pixels.dtype == np.uint16:
        pixels = np.right_shift(pixels, 8, out=np.empty(pixels.shape, np.uint8), casting="unsafe")
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels <= 2:
        return np.asarray(cv2.cvtColor(pixels if pixels.ndim == 2 else pixels[..., 0], cv2.COLOR_GRAY2RGB))
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB) if channels == 4 else pixels)


def _upright(pixels: NDArray[Any], exif: bytes) -> NDArray[Any]:
    """Apply the orientation of an EXIF block. Unreadable metadata does not make the image unreadable."""
    if not exif:
        return pixels
    tags = Image.Exif()
    try:
        tags.load(exif)
        turn = _TURNS.get(tags.get(ExifTags.Base.Orientation))
    except Exception:  # Pillow raises many types
        return pixels
    return pixels if turn is None else np.asarray(turn(pixels))


def _common_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG; None for CMYK and rare subsampling, which Pillow decodes."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return None if colours in ("CMYK", "YCCK") else (width, height)


def _jpeg_exif(data: bytes) -> bytes:
    """The EXIF block of a JPEG; empty if there is none."""
    place = len(_JPEG)
    while place + 4 <= len(data) and data[place] == _FILL and data[place + 1] != _START_OF_SCAN:
        if data[place + 1] == _FILL:
            place += 1
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4])
        if data[place + 1] == _APP1 and data.startswith(b"Exif\0\0", place + 4):
            return data[place + 4 : end]
        place = end
    return b""


def _png_exif(data: bytes) -> bytes:
    """The EXIF block of a PNG, which may follow its pixels; empty if there is none. Bytes after its end are ignored."""
    exif, place = b"", len(_PNG)
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"eXIf":
            exif = data[place + 8 : place + 8 + length]
        if kind == b"IEND":
            return exif
        place += 12 + length
    raise ValueError("truncated")
