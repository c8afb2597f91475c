"""The decoder: what it takes, what it makes of it, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from datamodules import depth_io
from datamodules.image_files import decode_image, from_pillow, read_image
from datamodules.reader import CorruptFrameError
from tests.helpers.fake_data import picture
from tests.helpers.image_bytes import (
    STORED,
    chunk,
    claimed_bmp,
    claimed_gif,
    claimed_jpeg,
    claimed_png,
    encoded,
    turned,
)

RGB = picture(0, (40, 60))
GREY = np.asarray(Image.fromarray(RGB).convert("L"))
SIXTEEN = GREY.astype(np.uint16) * 257
PALETTE = Image.fromarray(RGB).quantize(64)
TIFF_16_BIG_ENDIAN = Image.frombytes("I;16B", (60, 40), SIXTEEN.astype(">u2").tobytes())


def rgb(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("RGB"))


def hidden_header(data: bytes) -> bytes:
    """A PNG with a chunk before its header, which claims a small size."""
    return data[:8] + chunk(b"abCd", bytes([0, 0, 0, 9, 0, 0, 0, 6])) + data[8:]


def png_of_16_bits(pixels: NDArray[np.uint8]) -> bytes:
    return bytes(imagecodecs.png_encode(pixels.astype(np.uint16) * 257))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(kind: str, orientation: int, tmp_path: Path) -> None:
    (tmp_path / "phone.x").write_bytes(turned(RGB, orientation, kind))
    with Image.open(tmp_path / "phone.x") as opened:
        images = [read_image(tmp_path / "phone.x"), from_pillow(opened)]
    for image in images:
        assert image.shape == RGB.shape
        assert np.abs(image.astype(int) - RGB).mean() <= (2 if kind == "JPEG" else 0)


def test_exif_of_other_decoders_and_places() -> None:
    sideways = Image.fromarray(STORED[6](RGB))
    cmyk = decode_image(encoded(sideways.convert("CMYK"), "JPEG", 6), Path("c.jpg"))
    assert np.abs(cmyk.astype(int) - RGB).mean() <= 2
    plain, exif = encoded(sideways, "PNG"), Image.Exif()
    exif[0x112] = 6
    late = plain[:-12] + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + plain[-12:]
    np.testing.assert_array_equal(decode_image(late, Path("l.png")), RGB)
    np.testing.assert_array_equal(decode_image(turned(SIXTEEN, 8), Path("s.png")), np.dstack([GREY] * 3))


@pytest.mark.parametrize("value", [0, 9, 6000])
def test_unknown_orientations_and_damaged_exif_change_nothing(value: int) -> None:
    data = encoded(Image.fromarray(RGB), "JPEG", value)
    plain = decode_image(encoded(Image.fromarray(RGB), "JPEG"), Path("a.jpg"))
    np.testing.assert_array_equal(decode_image(data, Path("b.jpg")), plain)
    damaged = data.replace(b"Exif\0\0MM", b"Exif\0\0??").replace(b"Exif\0\0II", b"Exif\0\0??")
    np.testing.assert_array_equal(decode_image(damaged, Path("c.jpg")), plain)


KINDS = {
    "16-bit grey PNG": (encoded(Image.fromarray(SIXTEEN), "PNG"), GREY),
    "16-bit grey TIFF": (encoded(Image.fromarray(SIXTEEN), "TIFF"), GREY),
    "16-bit grey TIFF, big-endian": (encoded(TIFF_16_BIG_ENDIAN, "TIFF"), GREY),
    "16-bit RGB PNG": (png_of_16_bits(RGB), RGB),
    "16-bit RGBA PNG": (png_of_16_bits(np.dstack([RGB, GREY])), RGB),
    "16-bit grey PNG with alpha": (png_of_16_bits(np.dstack([GREY, GREY])), GREY),
    "grey PNG": (encoded(Image.fromarray(GREY), "PNG"), GREY),
    "grey PNG with alpha": (encoded(Image.fromarray(GREY).convert("LA"), "PNG"), GREY),
    "RGBA PNG": (encoded(Image.fromarray(np.dstack([RGB, GREY])), "PNG"), RGB),
    "palette PNG": (encoded(PALETTE, "PNG"), rgb(PALETTE)),
    "1-bit PNG": (encoded(Image.fromarray(GREY).convert("1"), "PNG"), rgb(Image.fromarray(GREY).convert("1"))),
    "PNG with bytes after its end": (encoded(Image.fromarray(RGB), "PNG") + b"more" * 5000, RGB),
    "WebP with alpha": (encoded(Image.fromarray(RGB).convert("RGBA"), "WEBP"), RGB),
    "BMP": (encoded(Image.fromarray(RGB), "BMP"), RGB),
    "GIF": (encoded(PALETTE, "GIF"), rgb(PALETTE)),
    "1-bit TIFF": (encoded(Image.fromarray(GREY).convert("1"), "TIFF"), rgb(Image.fromarray(GREY).convert("1"))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_is_rgb(kind: str) -> None:
    data, expected = KINDS[kind]
    image = decode_image(data, Path(kind))
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, expected if expected.ndim == 3 else np.dstack([expected] * 3))


def test_jpeg_in_grey_and_cmyk() -> None:
    for mode in ("L", "CMYK"):
        image = Image.fromarray(RGB).convert(mode)
        decoded = decode_image(encoded(image, "JPEG"), Path("a.jpg"))
        assert np.abs(decoded.astype(int) - rgb(image)).max() <= 12


def test_jpeg_that_the_fast_decoder_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(data: bytes) -> None:
        raise ValueError("Could not determine subsampling level of JPEG image")

    monkeypatch.setattr("simplejpeg.decode_jpeg_header", unknown)
    decoded = decode_image(turned(RGB, 6, "JPEG"), Path("a.jpg"))
    assert np.abs(decoded.astype(int) - RGB).mean() <= 2


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_several_images_the_first_is_used(kind: str, tmp_path: Path) -> None:
    frames = [PALETTE, PALETTE.rotate(180), PALETTE.rotate(90)]
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    PALETTE.save(tmp_path / "all", kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(read_image(tmp_path / "all"), rgb(PALETTE))


REFUSED = {
    "float TIFF": (encoded(Image.fromarray(GREY.astype(np.float32)), "TIFF"), "32 bits per channel"),
    "32-bit TIFF": (encoded(Image.fromarray(GREY.astype(np.int32)), "TIFF"), "32 bits per channel"),
    "text": (b"not an image", "not a JPEG, PNG, WebP, BMP, GIF or TIFF file"),
    "empty": (b"", "not a JPEG, PNG"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not a JPEG, PNG"),
    "half a PNG": (encoded(Image.fromarray(RGB), "PNG")[:900], "truncated"),
    "half a JPEG": (encoded(Image.fromarray(RGB), "JPEG")[:900], ""),
    "half a WebP": (encoded(Image.fromarray(RGB), "WEBP")[:900], ""),
    "half a TIFF": (encoded(Image.fromarray(RGB), "TIFF")[:900], "truncated"),
    "PNG without pixels": (claimed_png(9, 6), "Not enough"),
    "PNG that hides its header": (hidden_header(claimed_png(30_000, 30_000)), "not a PNG"),
    "PNG of no size": (claimed_png(0, 6), "0x6 pixels"),
    "huge PNG": (claimed_png(200_000, 200_000), "200000x200000 pixels"),
    "huge 16-bit PNG": (claimed_png(30_000, 30_000, 16, 0), "30000x30000 pixels"),
    "PNG of 195 million pixels": (claimed_png(15_000, 13_000), "15000x13000 pixels; at most 179 million"),
    "huge JPEG": (claimed_jpeg(65_500, 65_500), "65500x65500 pixels"),
    "huge CMYK JPEG": (claimed_jpeg(65_500, 65_500, "CMYK"), "more than 179 million pixels"),
    "huge GIF": (claimed_gif(65_535, 65_535), "more than 179 million pixels"),
    "huge BMP": (claimed_bmp(60_000, 60_000), "more than 179 million pixels"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_damaged_and_huge_files_are_corrupt_images(kind: str) -> None:
    data, reason = REFUSED[kind]
    with pytest.raises(CorruptFrameError, match=rf"^x: corrupt image \(.*{reason}"):
        decode_image(data, Path("x"))


def test_every_flipped_byte_of_a_png_is_found() -> None:
    data = encoded(Image.fromarray(RGB), "PNG")
    start, end = data.index(b"IDAT") + 4, data.index(b"IEND") - 4
    for place in range(start, end, 97):
        flipped = data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :]
        with pytest.raises(CorruptFrameError):
            decode_image(flipped, Path("x.png"))


def test_what_is_no_readable_file_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "absent")
    with (tmp_path / "vast.png").open("wb") as file:
        file.truncate(2_000_000_000)  # takes no space on the disk
    for name, reason in (("folder", "not a regular file"), ("link", "no such image"), ("vast", r"2\.0 GB")):
        with pytest.raises(CorruptFrameError, match=reason):
            read_image(tmp_path / f"{name}.png")


def test_depth_maps_are_read_like_images(tmp_path: Path) -> None:
    depth = np.arange(1, 2401, dtype=np.float32).reshape(40, 60) / np.float32(100)
    path = tmp_path / "d.png"
    depth_io.write_vkitti_depth(path, depth)
    content = path.read_bytes()
    path.write_bytes(content + b"more" * 5000)
    np.testing.assert_array_equal(depth_io.read_vkitti_depth(path), depth)
    path.write_bytes(turned((depth * 100).round().astype(np.uint16), 6))
    np.testing.assert_allclose(depth_io.read_vkitti_depth(path), depth, rtol=1e-6)
    for data in (claimed_png(200_000, 200_000, 16, 0), claimed_png(30_000, 30_000, 16, 0), content[:-20]):
        path.write_bytes(data)
        with pytest.raises(CorruptFrameError, match="corrupt depth file"):
            depth_io.read_vkitti_depth(path)


def test_decoding_imports_no_torch() -> None:
    code = "import sys, lightning_app.image_files; assert not {'torch', 'pytorch_lightning'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
