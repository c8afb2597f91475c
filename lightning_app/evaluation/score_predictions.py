"""Score a folder of predictions of any model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from datamodules.depth_io import read_depth
from datamodules.folders import find_files
from datamodules.geometry import View
from datamodules.reader import CorruptFrameError
from lightning_app.config import read_data_module
from lightning_app.evaluation.evaluate import (
    Results,
    describe,
    frame_scores,
    mean_scores,
    print_invalid,
    require_scored,
    split_readers,
)
from lightning_app.evaluation.protocols import AnyProtocol, fitting
from lightning_app.evaluation.tables import print_results, write_results
from lightning_app.files import refuse_existing


def score(
    predictions: Path,
    data: list[Path],
    split: str = "test",
    protocols: list[str] | None = None,
    predicts: str = "depth",
    scale: float | None = None,
    view: View = "full",
    skip_missing: bool = False,
    output: Path | None = None,
    overwrite: bool = False,
) -> Results:
    """Score a folder of predictions and print the table.

    A prediction has the path of its frame, or the last parts of it if they are unique:
    ``<date>/<drive>/image_02/data/0000000069.npy``, or ``rgb_00045.npy`` if no other frame has that name.

    Args:
        predictions: folder of ``.npy`` (h, w) or 16-bit ``.png`` files, any size.
        data: YAMLs with a ``data`` section; later files override earlier ones.
        split: ``val`` or ``test``.
        protocols: names of protocols; None for those of the data section.
        predicts: ``depth`` in metres, or ``inverse_depth`` up to scale and shift.
        scale: divisor of PNG values; required for PNGs.
        view: region of the frame that a prediction covers, ``full`` or ``kb`` (KITTI benchmark crop).
        skip_missing: count frames without a valid prediction as missing instead of raising.
        output: JSON file to write.
        overwrite: whether to replace an existing ``output``.

    Returns:
        Metrics and frame counts by protocol.

    Raises:
        FileNotFoundError: no such folder, YAML or data, or frames without a prediction.
        FileExistsError: ``output`` exists.
        ValueError: an unknown protocol or split, an invalid data section, PNGs without a valid scale, or one prediction
            for two frames.
        RuntimeError: a corrupt prediction, or no frame could be scored.
    """
    if predicts not in ("depth", "inverse_depth") or view not in get_args(View):
        raise ValueError(f"predicts {predicts!r} and view {view!r} must be depth or inverse_depth, and full or kb")
    if scale is not None and not 0 < scale < np.inf:
        raise ValueError(f"scale {scale} must be positive and finite; KITTI's is 256")
    if output is not None:
        refuse_existing(output, overwrite=overwrite)
    module = read_data_module(data)
    readers = split_readers(module, split)
    files = _match(predictions, [path for reader in readers for path in reader.paths], skip_missing)
    if scale is None and any(file.suffix == ".png" for file in files.values()):
        raise ValueError(f"{predictions}: PNGs need --scale, the divisor of their values (KITTI: 256)")

    def predict(batch: dict[str, Any]) -> Tensor | None:
        file = files.get(batch["path"][0])
        try:
            return None if file is None else _checked(file, _read(file, scale or 1.0), batch["full_size"][0], view)
        except CorruptFrameError as error:
            if not skip_missing:
                raise
            print(f"skipped: {error}", file=sys.stderr)
            return None

    names = protocols or module.protocols
    fitted = _with_view(fitting(names, readers, predicts), view)
    size = (8, 8)  # the images are not used
    scores = frame_scores(module, readers, fitted, predict, predicts, size=size, title="score")
    results = mean_scores(print_invalid(scores), fitted)
    described = describe(readers, names)
    print_results(results, f"{predictions} on {split}: {described}", output)
    require_scored(results)
    if output is not None:
        write_results(
            output,
            results,
            predictions=str(predictions),
            data=[str(path) for path in data],
            split=split,
            frames=described,
            predicts=predicts,
            scale=scale,
            view=view,
        )
    return results


def _with_view(protocols: Sequence[AnyProtocol], view: View) -> list[AnyProtocol]:
    """Protocols for predictions of a view; raises ValueError if one uses pixels outside of it."""
    outside = [each.name for each in protocols if view == "kb" and getattr(each, "crop", None) is None]
    if outside:
        raise ValueError(f"protocol {outside[0]} uses pixels outside of the KB crop")
    return [replace(each, view=view) for each in protocols]


def _checked(file: Path, prediction: Tensor, frame: Tensor, view: View) -> Tensor:
    """Return the prediction; raises ValueError if its size is that of another view."""
    size, kb = tuple(prediction.shape[2:]), (352, 1216)
    if size == kb and view == "full" and tuple(frame.tolist()) != kb:
        raise ValueError(f"{file}: has the size of the KB crop, 352x1216, not of its frame; give --view kb")
    if view == "kb" and size == tuple(frame.tolist()):
        raise ValueError(f"{file}: has the size of its frame, not of the KB crop; leave out --view kb")
    return prediction


def _match(folder: Path, frames: list[Path], skip_missing: bool) -> dict[str, Path]:
    """Find the prediction of each frame: paths of frames -> files.

    Raises:
        FileNotFoundError: no such folder, or frames without a prediction.
        ValueError: one prediction for two frames.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of predictions")
    files = [file for file in find_files(folder) if file.suffix in (".npy", ".png")]
    if any(file.suffix == ".npy" for file in files):
        files = [file for file in files if file.suffix == ".npy"]  # `predict` also writes coloured PNGs
    found = {file.relative_to(folder).with_suffix("").parts: file for file in files}
    matched: dict[str, Path] = {}
    for frame in frames:
        parts = frame.with_suffix("").parts
        keys = (parts[start:] for start in range(len(parts)))
        match = next((found[key] for key in keys if key in found), None)
        if match is not None:
            matched[str(frame)] = match
    by_file = {file: frame for frame, file in matched.items()}
    if len(by_file) < len(matched):
        one, file = next((frame, file) for frame, file in matched.items() if by_file[file] != frame)
        raise ValueError(f"{file}: matches both {one} and {by_file[file]}; keep the folders of the frames")
    absent = [frame for frame in frames if str(frame) not in matched]
    if absent and (not skip_missing or not matched):
        example = _shortest_name(absent[0], frames)
        there = f"found {files[0].relative_to(folder)}" if files else "found no .npy or .png file"
        raise FileNotFoundError(
            f"{folder}: no prediction for {len(absent)} of {len(frames)} frames, e.g. {absent[0]}; expected "
            f"{example}.npy or .png, {there}" + ("" if skip_missing else "; --skip-missing counts them as missing")
        )
    return matched


def _shortest_name(frame: Path, frames: list[Path]) -> Path:
    """The shortest end of a frame's path that is unique among the frames, without its suffix."""
    parts = frame.with_suffix("").parts
    others = [other.with_suffix("").parts for other in frames if other != frame]
    alone = (n for n in range(1, len(parts)) if all(other[-n:] != parts[-n:] for other in others))
    return Path(*parts[-next(alone, len(parts)) :])


def _read(file: Path, scale: float) -> Tensor:
    """Read a prediction as a tensor, (1, 1, h, w)."""
    if file.suffix == ".png":
        return torch.from_numpy(read_depth(file, scale))[None, None]
    try:
        array = np.asarray(np.load(file)).squeeze().astype(np.float32)
    except (OSError, ValueError, TypeError, EOFError, MemoryError) as error:
        raise CorruptFrameError(f"{file}: corrupt prediction ({error})") from error
    if array.ndim != 2:
        raise CorruptFrameError(f"{file}: a prediction of shape {array.shape}, not (h, w)")
    return torch.from_numpy(array)[None, None]
