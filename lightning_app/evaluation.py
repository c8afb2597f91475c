"""Any predictions on any data set under any protocols, in one pass over the frames."""

from __future__ import annotations

import contextlib
import re
import sys
from argparse import ArgumentError
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentParser
from pytorch_lightning import LightningDataModule
from rich.progress import track
from torch import Tensor

from datamodules import DepthDataModule, Reader
from datamodules.geometry import View
from lightning_app.checkpoints import read_checkpoint
from lightning_app.messages import one_line
from lightning_app.metrics import COUNTS, DepthMetrics
from lightning_app.protocols import fitting, protocol, views

Predict = Callable[[dict[str, Any]], Tensor | None]
Results = dict[str, dict[str, float]]


def measure(
    data: DepthDataModule,
    readers: Sequence[Reader],
    names: Sequence[str],
    predict: Predict,
    predicts: str,
    title: str,
    view: View | None = None,
) -> Results:
    """Score predictions of all frames.

    Args:
        data: makes the batches, of its own size.
        readers: of the frames.
        names: of the protocols.
        predict: called with each batch of evaluation samples: (B, 1, h, w), or None where there is no prediction, so
            that its frames are missing.
        predicts: what that is, ``depth`` or ``inverse_depth``.
        title: of the progress bar.
        view: what the predictions show of each frame; what the protocol says if left out.

    Returns:
        The metrics and the counts of frames by protocol.

    Raises:
        FileNotFoundError: data that is not there.
        ValueError: an unknown protocol, or one that fits neither the readers' truth nor the predictions.
    """
    protocols = fitting(names, readers, predicts)
    if view is not None:
        outside = [each.name for each in protocols if view == "kb" and getattr(each, "crop", None) is None]
        if outside:
            raise ValueError(f"protocol {outside[0]} counts pixels that the KB crop does not show")
        protocols = [replace(each, view=view) for each in protocols]
    data.batch_size = 1  # networks are run image by image, and what is invalid can be named
    data.views = views(protocols)
    metrics = [DepthMetrics(each, predicts) for each in protocols]
    for batch in track(data.evaluation_dataloader(readers), title):
        moved = data.on_after_batch_transfer(batch, 0)
        prediction = predict(moved)
        if prediction is None:
            prediction = torch.ones(len(moved["path"]), 1, 1, 1)
            moved = moved | {key: torch.zeros_like(moved[key]) for key in ("full_depth", "full_pair")}
        for metric in metrics:
            invalid = int(metric.invalid)
            metric.update(prediction, moved)
            if metric.invalid > invalid:
                print(f"invalid under {metric.protocol.name}: {moved['path'][0]}", file=sys.stderr)
    return {metric.protocol.name: _plain(metric.compute()) for metric in metrics}


def read_data_module(paths: Sequence[Path], training: bool = False) -> DepthDataModule:
    """Build the data module of one or several YAMLs, the later wins; their other sections are left alone.

    Args:
        paths: the YAMLs.
        training: with its style transfer and teacher, which only training needs, and which may lie in files that are
            not here.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: no data section, or one that does not fit.
    """
    return build_data_module(read_section(paths, "data"), ", ".join(map(str, paths)), training)


def read_section(paths: Sequence[Path], name: str) -> dict[str, Any]:
    """A section of one or several YAMLs, the later wins.

    Raises:
        FileNotFoundError: no such YAML.
        ValueError: no such section, or one that names no class_path.
    """
    section: dict[str, Any] = {}
    for path in paths:
        content = read_yaml(path)
        found = content.get(name, {}) if isinstance(content, dict) else {}
        if not isinstance(found, dict):
            raise ValueError(f"{path}: its {name} section is empty or no mapping")
        section = _merge(section, found)
    if not section:
        raise ValueError(f"{', '.join(map(str, paths))}: no {name} section")
    if "class_path" not in section:
        raise ValueError(f"{paths[0]}: its {name} section names no class_path; give experiments/base.yaml before it")
    return section


def read_yaml(path: Path) -> Any:
    """What a YAML holds; raises FileNotFoundError where there is none, ValueError where it is something else."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such YAML")
    try:
        return yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a YAML ({error})") from error


def build_data_module(section: dict[str, Any], source: str, training: bool = False) -> DepthDataModule:
    """Build the data module of a data section, for training or without what only that needs; raises ValueError, naming
    its source, where it does not fit.
    """
    if not training and isinstance(section.get("init_args"), dict):
        unneeded = {name: None for name in ("style", "teacher") if section["init_args"].get(name)}
        section = _merge(section, {"init_args": unneeded})
    module = build(LightningDataModule, section, source)
    if not isinstance(module, DepthDataModule):
        raise ValueError(f"{source}: its data section is no datamodules.DepthDataModule")
    return module


def build(kind: type, section: dict[str, Any], source: str) -> Any:
    """An instance of a subclass of ``kind``; raises ValueError, naming the section's source, where it does not fit."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(kind, "it", required=True)
    try:
        return parser.instantiate_classes(parser.parse_object({"it": section})).it
    except ArgumentError as error:
        # Its keys begin with the name that it has in this parser.
        reason = re.sub(r"^it(: |\.init_args\.|\.)", "", one_line(error))
        raise ValueError(f"{source}: {reason}") from error


def split_readers(data: DepthDataModule, split: str) -> list[Reader]:
    """The readers of ``val`` or ``test``, after a look for their files.

    Raises:
        FileNotFoundError: files of frames are not there, unless damaged frames are skipped.
        ValueError: another split, or one without a reader.
    """
    if split not in ("val", "test"):
        raise ValueError(f"split {split!r} is not val or test")
    data.setup("validate" if split == "val" else "test")
    return data.val if split == "val" else data.test


def describe(readers: Sequence[Reader], names: Sequence[str]) -> str:
    """The data sets that the protocols of these names score, with their frames; several are pooled into one number."""
    readers = [reader for reader in readers if any(reader.truth in protocol(name).truths for name in names)]
    named = " and ".join(f"{reader} ({len(reader)} frames)" for reader in readers)
    return named + (", pooled" if len(readers) > 1 else "")


def warn_of_leaks(model: Path, readers: Sequence[Reader]) -> None:
    """Say which scenes a checkpoint was trained on and is scored on, as far as its training data is on this machine."""
    if model.suffix != ".ckpt":
        return
    training: list[Reader] = []
    with contextlib.suppress(ValueError, KeyError, ImportError, yaml.YAMLError):
        section = yaml.safe_load(read_checkpoint(model)["config"])["data"]
        training = build_data_module(section, str(model)).train
    trained = {scene for reader in training for scene in _scenes(reader)}
    for reader in readers:
        seen = trained & _scenes(reader)
        if seen:
            print(f"warning: {model} was trained on {len(seen)} scenes of {reader}, e.g. {min(seen)}", file=sys.stderr)


def _scenes(reader: Reader) -> set[str]:
    """The scenes of a reader, or its frames where scenes are not known; none where it is not on this machine."""
    with contextlib.suppress(FileNotFoundError, ValueError, ImportError):
        return reader.scenes_found or {str(path.resolve()) for path in reader.paths}
    return set()


def require_scored(results: Results) -> None:
    """Raise RuntimeError where no frame was scored under any protocol."""
    if not any(metrics["frames"] for metrics in results.values()):
        raise RuntimeError("not one frame could be scored: all are missing or invalid")


def _plain(metrics: dict[str, Tensor]) -> dict[str, float]:
    return {name: int(value) if name in COUNTS else float(value) for name, value in metrics.items()}


def _merge(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The second over the first, key by key, as the command line does it with several ``-c``."""
    both = {key: _merge(first[key], value) for key, value in second.items() if _nested(first.get(key), value)}
    return first | second | both


def _nested(first: Any, second: Any) -> bool:
    return isinstance(first, dict) and isinstance(second, dict)
