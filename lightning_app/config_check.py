"""Check keys, class paths and numbers of a configuration before torch is imported.

jsonargparse checks everything, but after several seconds of imports, and it names no similar key. What cannot be known
without an import is left to it.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lightning_app.class_names import full_name, require_class, require_encoder, short_names
from lightning_app.protocol_names import require_protocol
from lightning_app.signatures import parameters, scalar_types

TOP = ("trainer", "model", "data", "seed_everything", "ckpt_path", "weights_only", "verbose")
# What other programs call our keys, if it is not similar to ours.
_ALSO_CALLED = {
    "trainer.accelerator": ("device", "cuda", "cpu"),
    "trainer.default_root_dir": ("output", "output_dir", "out", "out_dir", "log_dir", "logdir", "save_dir", "run_dir"),
    "trainer.devices": ("gpu", "gpus", "num_gpus", "ngpus", "nproc"),
    "trainer.max_epochs": ("epoch", "epochs", "num_epochs", "n_epochs"),
    "trainer.max_steps": ("steps", "num_steps", "iters", "iterations", "max_iters", "max_iter"),
    "trainer.precision": ("amp", "fp16", "bf16", "mixed_precision"),
    "model.network.encoder": ("backbone", "arch"),
    "model.network.weights": ("pretrained", "encoder_weights"),
    "model.optimizer.lr": ("learning_rate", "base_lr"),
    "model.optimizer.weight_decay": ("wd",),
    "model.schedule": ("scheduler", "lr_scheduler"),
    "data.batch_size": ("bs", "batch", "batchsize", "train_batch_size"),
    "data.size": ("img_size", "image_size", "input_size", "imgsz", "resolution", "crop_size"),
    "data.workers": ("num_workers", "n_workers"),
    "ckpt_path": ("resume", "resume_from", "checkpoint", "ckpt", "resume_from_checkpoint"),
    "seed_everything": ("seed", "manual_seed"),
}
_EXPECTED = {"int": "a whole number", "float": "a number", "bool": "true or false"}
_BASES = {"Reader"}  # classes of which only a subclass is given
_BUILTIN = {
    *_EXPECTED,
    "None",
    "Optional",
    "Union",
    "Iterable",
    "Sequence",
    "Mapping",
    "list",
    "tuple",
    "dict",
    "Tensor",
}


class ConfigCheck:
    """Collects the parts of a configuration in their order, and checks each.

    Attributes:
        classes: class path of each key whose class is known, e.g. of ``model.network``.
    """

    def __init__(self) -> None:
        self.classes = {"trainer": "pytorch_lightning.Trainer"}
        self._checkpoints: dict[str, tuple[Any, str]] = {}  # the last value of each key, and where it is given

    def add(self, config: dict[str, Any], source: str, sections: tuple[str, ...] = TOP) -> None:
        """Check a YAML.

        Args:
            config: content of the YAML.
            source: name of the YAML.
            sections: sections to check; others are ignored.

        Raises:
            ValueError: an unknown key or class, or a value that is not the number that it should be.
            ImportError: a class path names a module that does not exist.
        """
        for key, value in config.items():
            if str(key).partition(".")[0] in sections or sections == TOP:
                self.set(str(key), value, f"{source}: ")

    def require_checkpoints(self) -> None:
        """Raise FileNotFoundError if a checkpoint of the whole configuration does not exist."""
        for key, (value, source) in self._checkpoints.items():
            if _is_missing(value):
                raise FileNotFoundError(f"{value}: no such checkpoint ({source}{key})")

    def set(self, key: str, value: Any, source: str = "--") -> None:
        """Check a value of the command line or of a YAML.

        Args:
            key: dotted key; the levels ``init_args`` may be left out.
            value: parsed value.
            source: text before the key in messages: ``--``, or the name of a YAML.

        Raises:
            ValueError, ImportError: like :meth:`add`.
        """
        parts = [part for part in key.split(".") if part not in ("init_args", "class_path")]
        if parts[0].rstrip("+") not in TOP:
            raise ValueError(f"{source}{key}: no such key; {self._similar(key, '', source)}")
        if "dict_kwargs" in parts:  # what no signature lists
            return
        annotation: ast.expr | None = None
        for index in range(1, len(parts)):
            above, name = ".".join(parts[:index]), re.sub(r"\[\d+\]$|\+$", "", parts[index])
            arguments = self._arguments(above)
            if arguments is not None and name not in arguments:
                raise ValueError(self._no_argument(above, name, source))
            annotation = (arguments or {}).get(name)
            self._assume_class(".".join(parts[: index + 1]), annotation)
        self._value(".".join(parts).rstrip("+"), value, annotation, source)

    def _value(self, key: str, value: Any, annotation: ast.expr | None, source: str) -> None:
        if types := scalar_types(annotation):
            if not _is_one_of(value, types):
                expected = " or ".join(_EXPECTED[name] for name in _EXPECTED if name in types)
                raise ValueError(f"{source}{key}: expected {expected}, got {value}")
        elif isinstance(value, dict):
            self._mapping(key, value, source)
        elif isinstance(value, list):
            self._forget(f"{key}[")
            for index, each in enumerate(value):
                if isinstance(each, dict):
                    self._mapping(f"{key}[{index}]", each, source)
        elif isinstance(value, str) and (key in ("model", "data") or _takes_a_class(annotation)):
            self._class(key, value, source)
        elif isinstance(value, str) and key.endswith("network.encoder"):
            require_encoder(value, f"{source}{key}")
        elif key == "data.protocol" and isinstance(value, str):
            require_protocol(value)
        elif key in ("ckpt_path", "model.weights"):
            self._checkpoints[key] = (value, source)

    def _mapping(self, key: str, value: dict[str, Any], source: str) -> None:
        if isinstance(value.get("class_path"), str):
            self._class(key, value["class_path"], source)
        if "init_args" in value and value["init_args"] is None:
            raise ValueError(f"{source}{key}.init_args: is empty; leave it out, or give arguments")
        whole = key in self.classes and not value.keys() & {"class_path", "init_args"}  # init_args left out
        arguments = value if whole else value.get("init_args")
        for name, each in arguments.items() if isinstance(arguments, dict) else ():
            self.set(f"{key}.{name}", each, source)

    def _class(self, key: str, name: str, source: str) -> None:
        """Remember the class of a key; arguments of another class are forgotten."""
        if not re.fullmatch(r"[A-Z]\w*|[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", name):  # may be a word, such as forward_x
            return
        class_path = name if "." in name else full_name(name, f"{source}{key}")
        if "." in class_path:
            require_class(class_path, f"{source}{key}")
        if self.classes.get(key) != class_path:
            self._forget(f"{key}.")
        self.classes[key] = class_path

    def _assume_class(self, key: str, annotation: ast.expr | None) -> None:
        """Remember the class of an argument that takes one class of ours, such as ``augmentation``, and no others."""
        named = _named(annotation)
        path = short_names().get(min(named), "") if len(named) == 1 and named.isdisjoint(_BASES) else ""
        if path.startswith("datamodules."):
            self.classes.setdefault(key, path)

    def _forget(self, prefix: str) -> None:
        self.classes = {key: path for key, path in self.classes.items() if not key.startswith(prefix)}

    def _arguments(self, key: str) -> dict[str, ast.expr | None] | None:
        return parameters(self.classes[key]) if key in self.classes else None

    def _no_argument(self, above: str, name: str, source: str) -> str:
        kind = self.classes[above].rpartition(".")[2]
        return f"{source}{above}.{name}: {kind} has no argument {name}; {self._similar(name, above, source)}"

    def _similar(self, name: str, above: str, source: str) -> str:
        """Advice for an unknown key: the similar key beside it, or the key of that name elsewhere."""
        word = name.rpartition(".")[2].replace("-", "_").lower()
        dashes = "--" if source == "--" else ""
        beside = list(self._arguments(above) or ()) if above else list(TOP)
        leaves: dict[str, str] = {}
        for key in self._keys():
            leaves.setdefault(key.rpartition(".")[2], key)
        also = next((key for key, others in _ALSO_CALLED.items() if word in others), None)
        elsewhere = [leaves.get(word) or also] if word in leaves or also else []
        elsewhere += [leaves[each] for each in get_close_matches(word, leaves, n=1, cutoff=0.75)]
        near = [f"{above}.{each}".lstrip(".") for each in get_close_matches(word, beside, n=1, cutoff=0.75)]
        for found in (*near, *elsewhere):
            return f"did you mean {dashes}{found}?"
        return f"there are {', '.join(beside)}"

    def _keys(self) -> Iterator[str]:
        """All known keys, those of few levels first."""
        yield from TOP
        for key in sorted((each for each in self.classes if "[" not in each), key=lambda each: each.count(".")):
            yield from (f"{key}.{name}" for name in self._arguments(key) or ())


def _takes_a_class(annotation: ast.expr | None) -> bool:
    """Whether an argument takes an object, so that text given for it names a class."""
    named = _named(annotation)
    return bool(named) and not named & {"str", "Any", "Path", "Literal", "object", "timedelta"}


def _named(annotation: ast.expr | None) -> set[str]:
    """Names in an annotation, without those of builtin types."""
    nodes = list(ast.walk(annotation)) if annotation else []
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    return (named | {node.attr for node in nodes if isinstance(node, ast.Attribute)}) - _BUILTIN


def _is_missing(checkpoint: Any) -> bool:
    """Whether the value is the path of a checkpoint that does not exist; it may also be a URL or a word."""
    known = isinstance(checkpoint, str) and checkpoint.endswith(".ckpt") and "://" not in checkpoint
    return known and not Path(checkpoint).exists()


def _is_one_of(value: Any, types: set[str]) -> bool:
    """Whether a value is a number of these types. YAML reads ``1e-3`` as text, jsonargparse as a number."""
    if value is None or isinstance(value, bool):
        return True
    if types == {"bool"}:
        return False
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return (math.isfinite(number) and number.is_integer()) or ("float" in types and math.isfinite(number))
