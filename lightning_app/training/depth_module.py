"""Lightning module of depth networks."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule
from pytorch_lightning.cli import OptimizerCallable
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from datamodules import DepthDataModule
from lightning_app.callbacks import ExactResume, HealthCheck
from lightning_app.canonical_camera import from_canonical, to_canonical
from lightning_app.checkpoints import Checkpoint, load_weights
from lightning_app.data_of_trainer import data_module
from lightning_app.evaluation.metrics import DepthMetrics, require_maps
from lightning_app.evaluation.protocols import fitting, views
from lightning_app.training.checkpoint_content import complete
from lightning_app.training.loss_terms import require_predictions, require_terms
from lightning_app.training.schedule import Optimisation, Schedule, WarmupCosine
from lightning_app.training_data import TrainingSet, read_training_data
from models.contract import require_depth_network

log = logging.getLogger(__name__)


class DepthModule(LightningModule):
    """Trains a depth network and evaluates it under the protocols of the data module.

    Args:
        network: depth network with the interface of ``models.DepthNetwork``.
        loss: maps predictions and batch to named terms, see ``losses``.
        optimizer: builds the optimizer from the parameters.
        schedule: builds the schedule from the optimizer and the total number of steps.
        weights: checkpoint of the same network to start from (fine-tuning). This does not resume its run.
        rates: learning rate multipliers of parts of the network, e.g. ``{encoder: 0.1}``; 0 freezes a part, including
            its BatchNorm statistics.
        compile: whether to train with ``torch.compile``; checkpoints are the same.
        canonical_focal_px: focal length of the canonical camera (Metric3D, arXiv 2307.10984), in pixels at the training
            size, for data of several cameras; None for no canonical camera. Metrics are in metres either way.
        pose: pose network, e.g. ``models.PoseNet``, trained along, for neighbours whose pose is unknown (videos).

    Raises:
        FileNotFoundError: no such checkpoint in ``weights``.
        ValueError: a network without the required interface, a checkpoint of another network, an unknown part or a
            negative multiplier in ``rates``, a focal length that is not positive or not applicable, or a size that is
            not a multiple of the network's stride.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        optimizer: OptimizerCallable = torch.optim.AdamW,
        schedule: Schedule = WarmupCosine,
        weights: str | None = None,
        rates: dict[str, float] | None = None,
        compile: bool = False,
        canonical_focal_px: float | None = None,
        pose: nn.Module | None = None,
    ) -> None:
        super().__init__()
        network = require_depth_network(network)
        if canonical_focal_px is not None and not canonical_focal_px > 0:
            raise ValueError(f"canonical_focal_px {canonical_focal_px} must be positive")
        if canonical_focal_px is not None and network.predicts != "depth":
            raise ValueError("canonical_focal_px requires depth in metres, but the network predicts inverse depth")
        known: Any = getattr(network, "canonical_focal_px", canonical_focal_px)
        if known != canonical_focal_px:
            raise ValueError(f"canonical_focal_px is {canonical_focal_px}, but this network's depth is for {known}")
        with warnings.catch_warnings():
            # Lightning warns of saving modules. On the command line only their configuration is saved.
            warnings.filterwarnings("ignore", "Attribute .* is an instance of `nn.Module`")
            self.save_hyperparameters(logger=False)
        self.network, self.loss, self.pose = network, loss, pose
        self.optimisation, self.weights, self.rates = Optimisation(optimizer, schedule), weights, rates or {}
        self._compiles = compile
        self._size: tuple[int, int] | None = None
        self._seen: list[TrainingSet] = []
        self.metrics = nn.ModuleList()
        self._multiscale = network.multiscale
        for name, rate in self.rates.items():
            if rate < 0:
                raise ValueError(f"rates: {rate} of {name} is negative")
            self._part(name).requires_grad_(rate > 0)
        self.canonical_focal_px = canonical_focal_px

    def setup(self, stage: str) -> None:
        """Check the input size and create the metrics of the stage; without a DepthDataModule there are none."""
        # Depthwise convolutions are about twice as fast in this memory format, also on a CPU.
        self.network.to(memory_format=torch.channels_last)
        data: Any = data_module(self.trainer)
        if not isinstance(data, DepthDataModule):
            return
        self._size = data.size
        self.network.check_size(data.size)
        readers = data.test if stage == "test" else data.val
        predicts = self.network.predicts
        protocols = fitting(data.protocols, readers, predicts) if readers else []
        data.set_evaluation_views(views(protocols))
        self.metrics = nn.ModuleList(DepthMetrics(each, predicts) for each in protocols)

    def configure_callbacks(self) -> list[Callback]:
        """What every run needs, whoever made its trainer."""
        return [ExactResume(), HealthCheck()]

    def on_fit_start(self) -> None:
        """Load initial weights unless the run is resumed, freeze parts and compile."""
        if self.trainer.ckpt_path is None:
            self._initialise()
        for name, rate in self.rates.items():
            self._part(name).train(rate > 0)
        if self._compiles:
            self._multiscale = torch.compile(self._multiscale)

    def forward(self, image: Tensor) -> Tensor:
        return self._multiscale(image)[0]

    @torch.no_grad()
    def predict(self, batch: dict[str, Any]) -> Tensor:
        """Predict a batch: (B, 1, h, w), depth in metres of each image's camera, or inverse depth."""
        prediction: Tensor = from_canonical(self(batch["image"]), batch, self.canonical_focal_px)
        return prediction

    def supervise(self, batch: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict a batch and compute its loss.

        Returns:
            The finest prediction, (B, 1, h, w), as from :meth:`predict`, and the terms of the loss.
        """
        image = batch["image"].contiguous(memory_format=torch.channels_last)
        self._size = self._size or (image.shape[-2], image.shape[-1])
        predictions = require_predictions(self.network, self._multiscale(image))
        canonical = self._with_poses(to_canonical(batch, self.canonical_focal_px))
        terms = require_terms(self.loss, self.loss(predictions, canonical | {"predicts": self.network.predicts}))
        return from_canonical(predictions[0], batch, self.canonical_focal_px), terms

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        return self._step(batch, "val")

    def test_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        return self._step(batch, "test")

    def on_validation_epoch_end(self) -> None:
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        self._log_metrics("test")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the training size, the training data and how the network is built."""
        complete(checkpoint, self, self._size, self._seen)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the run was trained on so far."""
        self._seen = read_training_data(checkpoint.get("pocketdepth", {}).get("training_data")) or []

    def configure_optimizers(self) -> OptimizerLRScheduler:
        parts = {name: list(self._part(name).parameters()) for name, rate in self.rates.items() if rate > 0}
        apart = {parameter for parameters in parts.values() for parameter in parameters}
        rest = [each for each in self.parameters() if each.requires_grad and each not in apart]
        groups = [{"params": parameters, "name": name} for name, parameters in ({"network": rest} | parts).items()]
        steps = self.trainer.estimated_stepping_batches
        return self.optimisation.configure(groups if parts else rest, steps, self.rates)

    def _step(self, batch: dict[str, Any], stage: str) -> Tensor:
        prediction, terms = self.supervise(batch)
        require_maps(prediction, batch["image"], type(self.network).__name__)
        training = stage == "train"
        named = {f"{stage}/{name}": value for name, value in terms.items()}
        self.log_dict(
            named, on_step=training, on_epoch=not training, batch_size=len(prediction), sync_dist=not training
        )
        for metric in () if training else self.metrics:
            assert isinstance(metric, DepthMetrics)
            metric.update(prediction, batch)
        return terms["loss"]

    def _with_poses(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Add predicted poses of the neighbours whose pose is unknown."""
        if "views" not in batch:
            return batch
        unknown = batch["has_view"] & ~batch["pose_known"]  # (B, N)
        if not unknown.any():
            return batch
        if self.pose is None:
            raise ValueError("previous and next images have no known pose: set model.pose, e.g. to models.PoseNet")
        image, views = batch["views"][:, :1], batch["views"][:, 1:]
        poses = batch["poses"].clone()
        poses[unknown] = self.pose(image.expand_as(views)[unknown], views[unknown]).to(poses.dtype)
        return batch | {"poses": poses}

    def _log_metrics(self, stage: str) -> None:
        for metric in self.metrics:
            assert isinstance(metric, DepthMetrics)
            name = metric.protocol.name
            self.log_dict({f"{stage}/{name}/{key}": value for key, value in metric.compute().items()})
            metric.reset()

    def _part(self, name: str) -> nn.Module:
        parts: dict[str, nn.Module] = dict(self.network.named_modules())
        if name not in parts or not name:
            known = ", ".join(part for part, _ in self.network.named_children())
            raise ValueError(f"rates: {type(self.network).__name__} has no part {name!r}; its parts are {known}")
        return parts[name]

    def _initialise(self) -> None:
        if self.weights is None:
            self.network.load_pretrained()
        else:
            start = Checkpoint.open(Path(self.weights))
            load_weights(self, start)
            self._seen = start.training_data or []
            log.info("weights from %s", self.weights)
        count = sum(parameter.numel() for parameter in self.network.parameters())
        log.info("%s: %.2f M parameters", type(self.network).__name__, count / 1e6)
