"""Check of everything that a plan names, before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.benchmark.references import build_reference
from deploy.inference.optional_packages import require
from deploy.pruning.pruned_checkpoint import try_fine_tuning
from deploy.quantization.calibration import read_images
from deploy.shipping.plan import Plan
from lightning_app.checkpoints import Checkpoint
from lightning_app.config import read_data_module
from lightning_app.evaluation.evaluate import split_readers
from lightning_app.evaluation.protocols import OrdinalProtocol, fitting
from lightning_app.image_files import read_image
from models.contract import DepthNetwork


def check_plan(
    plan: Plan, checkpoint: Path, data: Sequence[Path], images: Path | None, photographs: Sequence[Path]
) -> None:
    """Check sizes, data, images, packages and, with one batch each, the fine-tuning of a plan.

    Args:
        plan: plan.
        checkpoint: checkpoint that the files are built from.
        data: YAMLs of the plan's data.
        images: folder of calibration images; None for the training frames of ``data``.
        photographs: images that are predicted.

    Raises:
        FileNotFoundError: a file is missing.
        ImportError: a package that the plan requires is not installed.
        ValueError: a size that a network does not take, or a protocol, data section or fine-tuning
            that does not work.
        RuntimeError: a corrupt image, or fine-tuning that fails.
    """
    network = Checkpoint.open(checkpoint).network
    network.check_size(plan.size)
    for name in plan.references:
        build_reference(name, plan.size)
    _check_protocols(plan, data, network)
    if any(variant.prune is not None for variant in plan.variants.values()):
        require("torch_pruning", "prune")
    if any(variant.quantized for variant in plan.variants.values()):
        read_images(images, data, plan.size, number=64)  # as quantize does
    for path in photographs:
        read_image(path)
    for name, variant in plan.variants.items():
        if variant.fine_tune:
            print(f"{name}: fine-tune: one batch, to check the plan")
            try_fine_tuning(checkpoint, data, variant.fine_tune)


def _check_protocols(plan: Plan, data: Sequence[Path], network: DepthNetwork) -> None:
    module = read_data_module(data)
    found = fitting(plan.protocols or module.protocols, split_readers(module, plan.split), network.predicts)
    if isinstance(found[0], OrdinalProtocol):
        raise ValueError(f"protocol {found[0].name} has no abs_rel, which limits and the report compare; name it last")
