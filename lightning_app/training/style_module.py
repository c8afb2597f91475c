"""Lightning module of style transfer networks."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule
from pytorch_lightning.cli import OptimizerCallable
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor

from datamodules.samples import content_and_style
from lightning_app.callbacks import ExactResume, HealthCheck
from lightning_app.checkpoints import Checkpoint
from lightning_app.data_of_trainer import data_module
from lightning_app.training.checkpoint_content import complete
from lightning_app.training.schedule import Optimisation, Schedule, WarmupCosine
from losses import ContentStyle
from models import AdaIN
from models.adain import channel_statistics, renormalise


class StyleModule(LightningModule):
    """Trains the decoder of a style transfer network. In each batch, synthetic frames get the style of real ones.

    Args:
        network: style transfer network; its encoder is not trained.
        loss: loss on features of the encoder.
        optimizer: builds the optimizer from the decoder's parameters.
        schedule: builds the schedule from the optimizer and the total number of steps.

    Raises:
        ValueError: a batch without synthetic or without real frames.
    """

    def __init__(
        self,
        network: AdaIN,
        loss: ContentStyle,
        optimizer: OptimizerCallable = torch.optim.AdamW,
        schedule: Schedule = WarmupCosine,
    ) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Attribute .* is an instance of `nn.Module`")
            self.save_hyperparameters(logger=False)
        self.network, self.loss, self.optimisation = network, loss, Optimisation(optimizer, schedule)

    def setup(self, stage: str) -> None:
        """Check the input size."""
        if stage != "fit":
            raise ValueError("a style transfer network has no metrics to validate or test; see the panels of its run")
        self.network.check_size(data_module(self.trainer).size)
        self.network.to(memory_format=torch.channels_last)

    def configure_callbacks(self) -> list[Callback]:
        """What every run needs, whoever made its trainer."""
        return [ExactResume(), HealthCheck()]

    def on_fit_start(self) -> None:
        """Load the encoder's weights unless the run is resumed."""
        if self.trainer.ckpt_path is None:
            self.network.load_pretrained()

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        content, style = content_and_style(batch)
        # Strengths from 1 to 0 within the batch, so that the network learns all of them.
        strength = torch.linspace(1, 0, len(content), device=content.device)
        contents, styles = ([image, *self.network.encode(image)] for image in (content, style))
        wanted = [
            torch.lerp(channel_statistics(ours), channel_statistics(theirs), strength.view(-1, 1, 1))
            for ours, theirs in zip(contents, styles, strict=True)
        ]
        target = renormalise(contents[-1], channel_statistics(styles[-1]), strength)
        stylised = self.network.decode(target, (content.shape[-2], content.shape[-1]))
        terms = self.loss([stylised, *self.network.encode(stylised)], target, wanted)
        self.log_dict({f"train/{name}": value for name, value in terms.items()}, batch_size=len(content))
        loss: Tensor = terms["loss"]
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return self.optimisation.configure(self.network.decoder.parameters(), self.trainer.estimated_stepping_batches)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the training size, the training data and how the network is built."""
        complete(checkpoint, self, data_module(self.trainer).size)


def load_stylizer(checkpoint: str) -> AdaIN:
    """Load a trained style transfer network.

    In a YAML: ``network: {class_path: lightning_app.training.load_stylizer, init_args: {checkpoint: adain.ckpt}}``.

    Args:
        checkpoint: checkpoint of :class:`StyleModule`, which includes the encoder.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint of :class:`StyleModule`, or its weights do not match.
    """
    network: Any = Checkpoint.open(Path(checkpoint), "lightning_app.training.StyleModule").build_network()
    network.trained = True
    return network  # type: ignore[no-any-return]
