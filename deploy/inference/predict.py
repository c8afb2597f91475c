"""Depth for images."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from deploy.inference.images import find_images, read_image
from deploy.inference.load import load
from lightning_app.colormap import colour_depth
from lightning_app.files import atomic_write, refuse_existing


def predict(
    model: Path,
    images: Path,
    output: Path,
    overwrite: bool = False,
    skip_corrupt: bool = False,
    focal_px: float | None = None,
) -> None:
    """Write ``NAME.npy`` (float32 metres, the image's own size) and ``NAME.png`` (coloured) for each image; inverse
    depth up to scale and shift, if the network predicts that.

    Images of a folder's folders keep their place below ``output``.

    Raises:
        FileNotFoundError: no such model, image or folder.
        FileExistsError: an output that exists, unless ``overwrite``.
        ValueError: two images that would have the same output, or a focal length (in pixels of the images) that a
            network for a canonical camera needs and any other does not.
        OSError: a corrupt image, unless ``skip_corrupt``.
        RuntimeError: every image was corrupt.
    """
    paths = find_images(images)
    folder = images if images.is_dir() else images.parent
    targets = [output / path.relative_to(folder).with_suffix("") for path in paths]
    if len(set(targets)) < len(targets):
        twice = next(target for target in targets if targets.count(target) > 1)
        raise ValueError(f"{images}: two images named {twice.name} differ in their suffix alone")
    files = [target.with_name(target.name + suffix) for target in targets for suffix in (".npy", ".png")]
    refuse_existing(*files, overwrite=overwrite)
    network = load(model)
    relative = network.network.predicts == "inverse_depth"
    corrupt = 0
    for path, array, picture in track(list(zip(paths, files[::2], files[1::2], strict=True)), "predict"):
        try:
            image = read_image(path)
        except OSError as error:
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
    print(f"{len(paths) - corrupt} images -> {output}" + (f", {corrupt} corrupt ones skipped" if corrupt else ""))
