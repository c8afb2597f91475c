"""Depth prediction for images: ``pocketdepth predict``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from deploy.inference.load import load
from lightning_app.colormap import colour_depth
from lightning_app.files import atomic_write, refuse_existing
from lightning_app.image_files import CorruptFrameError, find_images, read_image


def predict(
    model: Path,
    images: Path,
    output: Path,
    overwrite: bool = False,
    skip_corrupt: bool = False,
    focal_px: float | None = None,
) -> None:
    """Predict depth for images and write ``NAME.npy`` and ``NAME.png`` for each.

    ``NAME.npy`` is float32 depth in metres, or inverse depth up to scale and shift, (H, W), at the size of the image.
    ``NAME.png`` is the same map in colour. The structure of subfolders is kept.

    Args:
        model: checkpoint or ONNX file.
        images: image file or folder.
        output: folder for the results.
        overwrite: replace existing outputs.
        skip_corrupt: report and skip corrupt images.
        focal_px: focal length in pixels of the images. Required for a network that was trained for a canonical camera;
            an error for any other network.

    Raises:
        FileNotFoundError: the model, the image or the folder is missing.
        FileExistsError: an output exists and ``overwrite`` is False.
        ValueError: two images have the same output name, or the focal length is missing or not applicable.
        CorruptFrameError: an image is corrupt and ``skip_corrupt`` is False.
        RuntimeError: all images are corrupt.
    """
    paths = find_images(images)
    folder = images if images.is_dir() else images.parent
    targets = [output / path.relative_to(folder).with_suffix("") for path in paths]
    if len(set(targets)) < len(targets):
        twice = next(target for target in targets if targets.count(target) > 1)
        raise ValueError(f"{images}: several images named {twice.name} differ only in their suffix; rename them")
    files = [target.with_name(target.name + suffix) for target in targets for suffix in (".npy", ".png")]
    refuse_existing(*files, overwrite=overwrite)
    network = load(model)
    relative = network.network.predicts == "inverse_depth"
    corrupt = 0
    for path, array, picture in track(list(zip(paths, files[::2], files[1::2], strict=True)), "predict"):
        try:
            image = read_image(path)
        except CorruptFrameError as error:
            if not skip_corrupt:
                raise
            print(f"skipped: {error}", file=sys.stderr)
            corrupt += 1
            continue
        depth = network(image, focal_px)
        with atomic_write(array) as temporary:
            np.save(temporary, depth)
        with atomic_write(picture) as temporary:
            Image.fromarray(colour_depth(1 / (depth - depth.min() + 1e-3) if relative else depth)).save(temporary)
    if corrupt == len(paths):
        raise RuntimeError(f"{images}: all {corrupt} images are corrupt")
    print(f"{len(paths) - corrupt} images -> {output}" + (f", {corrupt} corrupt images skipped" if corrupt else ""))
