"""Depth prediction for images: ``pocketdepth predict``."""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from rich.progress import track

from deploy.inference.depth_picture import depth_picture
from deploy.inference.load import DepthModel, load
from lightning_app.files import atomic_write, require_writable
from lightning_app.image_files import CorruptFrameError, find_images, read_image

_KEY = "pocketdepth"  # of a picture's text; its value identifies image, model and focal length


def predict(
    model: Path,
    images: Sequence[Path],
    output: Path,
    overwrite: bool = False,
    skip_corrupt: bool = False,
    focal_px: float | None = None,
) -> None:
    """Predict depth for images and write ``NAME.npy`` and ``NAME.png`` for each.

    ``NAME.npy`` is float32 depth in metres, or inverse depth up to scale and shift, (H, W), at the size of the image.
    ``NAME.png`` shows image, depth and scale side by side. The structure of the folders below the deepest folder that
    contains all sources is kept. Outputs of the same image, model and focal length are kept, so that an interrupted
    call can be repeated. Pictures that an earlier call wrote into a folder of images are no images.

    Args:
        model: checkpoint, run folder or ONNX file.
        images: image files, folders or patterns such as ``photos/*.jpg``.
        output: folder for the results.
        overwrite: replace existing outputs.
        skip_corrupt: corrupt images are no failure.
        focal_px: focal length in pixels of the images. Required for a network that was trained for a canonical camera;
            an error for any other network.

    Raises:
        FileNotFoundError: the model, an image or a folder is missing.
        FileExistsError: an output of another image or model exists and ``overwrite`` is False.
        ValueError: two images have the same output name, or the focal length is missing or not applicable.
        RuntimeError: images could not be predicted, after all others were.
        OSError: an output cannot be written.
    """
    sources = [source for each in images for source in _expand(each)]
    found = list(dict.fromkeys(path for source in sources for path in find_images(source)))
    paths = [path for path in found if path.suffix != ".png" or _made_from(path) is None]
    if len(paths) < len(found):
        print(f"skipped {len(found) - len(paths)} pictures of earlier predictions")
    if not paths:
        raise FileNotFoundError(f"{images[0]}: no image, only pictures of earlier predictions")
    targets = _targets(paths, sources, output)
    require_writable(_with(targets[0], ".npy"))
    network = load(model)
    with network.network.path.open("rb") as stream:
        by = f"{hashlib.file_digest(stream, 'sha256').hexdigest()} {focal_px}"
    left = [
        (path, target) for path, target in zip(paths, targets, strict=True) if overwrite or not _kept(path, target, by)
    ]
    corrupt = 0
    for path, target in track(left, "predict"):
        try:
            _predict(network, path, target, focal_px, by)
        except CorruptFrameError as error:
            print(f"skipped: {error}", file=sys.stderr)
            corrupt += 1
    kept = f", {len(paths) - len(left)} already there" if len(left) < len(paths) else ""
    print(
        f"{len(left) - corrupt} images -> {output}{kept}" + (f", {corrupt} corrupt images skipped" if corrupt else "")
    )
    if corrupt and (not skip_corrupt or corrupt == len(paths)):
        hint = "" if corrupt == len(paths) else "; --skip-corrupt accepts that"
        raise RuntimeError(f"{corrupt} of {len(paths)} images are corrupt{hint}")


def _predict(network: DepthModel, path: Path, target: Path, focal_px: float | None, by: str) -> None:
    """Predict one image and write its outputs, the array last.

    Raises:
        CorruptFrameError: the image is corrupt.
        RuntimeError: the output of the network is not finite.
    """
    image = read_image(path)
    depth = network(image, focal_px)
    made_from = PngInfo()
    made_from.add_text(_KEY, _identity(path, by))
    with atomic_write(_with(target, ".png")) as temporary:
        depth_picture(image, depth, network.network.predicts).save(temporary, pnginfo=made_from)
    with atomic_write(_with(target, ".npy")) as temporary:
        np.save(temporary, depth)


def _kept(path: Path, target: Path, by: str) -> bool:
    """Whether the outputs of an image are there.

    Raises:
        FileExistsError: there are outputs of something else.
    """
    array, picture = _with(target, ".npy"), _with(target, ".png")
    existing = next((each for each in (picture, array) if each.exists()), None)
    if existing is None:
        return False
    if _made_from(picture) != _identity(path, by):
        raise FileExistsError(
            f"{existing}: exists, but not made from this image and model; give --overwrite or another --output"
        )
    return array.exists()


def _made_from(picture: Path) -> str | None:
    """The identity in a picture that :func:`predict` wrote; None for any other file."""
    with suppress(OSError, SyntaxError, ValueError, Image.DecompressionBombError), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the image is not decoded
        with Image.open(picture) as opened:
            identity: str | None = opened.info.get(_KEY)
            return identity
    return None


def _identity(path: Path, by: str) -> str:
    """SHA-256 of an image file and of what predicts it."""
    with path.open("rb") as stream:
        return hashlib.sha256(f"{hashlib.file_digest(stream, 'sha256').hexdigest()} {by}".encode()).hexdigest()


def _expand(source: Path) -> Iterator[Path]:
    """A file or folder, or what a pattern matches, if the shell did not expand it.

    Raises:
        FileNotFoundError: nothing matches the pattern.
    """
    if source.exists() or not set("*?[") & set(str(source)):
        yield source
        return
    root = Path(source.anchor)
    found = sorted(root.glob(str(source.relative_to(root))))
    if not found:
        raise FileNotFoundError(f"{source}: no such file; nothing matches this pattern")
    yield from found


def _targets(paths: Sequence[Path], sources: Sequence[Path], output: Path) -> list[Path]:
    """Outputs of the images, without suffix."""
    folders = [source if source.is_dir() else source.parent for source in sources]
    folder = os.path.commonpath([os.path.abspath(each) for each in folders])  # noqa: PTH100 - resolves .., keeps links
    targets = [output / Path(os.path.abspath(path)).relative_to(folder).with_suffix("") for path in paths]  # noqa: PTH100
    if len(set(targets)) < len(targets):
        twice = next(target for target in targets if targets.count(target) > 1)
        raise ValueError(f"{folder}: several images named {twice.name} differ only in their suffix; rename them")
    return targets


def _with(target: Path, suffix: str) -> Path:
    return target.with_name(target.name + suffix)
