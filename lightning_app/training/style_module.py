"""Training of the stylizer, and opening one that was trained."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.cli import OptimizerCallable
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor

from datamodules.samples import content_and_style
from lightning_app.checkpoints import Checkpoint
from lightning_app.data_of_trainer import data_module
from lightning_app.training.schedule import Optimisation, Schedule, WarmupCosine
from losses import ContentStyle
from models import AdaIN
from models.adain import channel_statistics, renormalise


class StyleModule(LightningModule):
    """Trains the decoder of a stylizer: in each batch the synthetic frames get the look of the real ones.

    Args:
        network: the stylizer; its encoder stays as it is.
        loss: on the encoder's features.
        optimizer: built from the decoder's parameters.
        schedule: built from the optimizer and the number of steps of the run.

    Raises:
        ValueError: a batch without a synthetic or without a real frame.
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
        """Prepare a stage."""
        if stage != "fit":
            raise ValueError("a stylizer has no validate and no test: look at the panels of its run")
        self.network.check_size(data_module(self.trainer).size)
        self.network.to(memory_format=torch.channels_last)

    def on_fit_start(self) -> None:
        """Load the encoder's weights, unless the run is resumed and has them."""
        if self.trainer.ckpt_path is None:
            self.network.load_pretrained()

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        content, style = content_and_style(batch)
        # Of all strengths, so that it learns what each of them means.
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
        """Say what the file holds beside the weights."""
        checkpoint["pocketdepth"] = {"size": list(data_module(self.trainer).size)}


def load_stylizer(checkpoint: str) -> AdaIN:
    """A trained stylizer, to be named in a YAML:
    ``network: {class_path: lightning_app.training.load_stylizer, init_args: {checkpoint: adain.ckpt}}``.

    Args:
        checkpoint: of a run of :class:`StyleModule`; it carries the encoder too.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a checkpoint of something else, or one whose weights do not fit.
    """
    network: Any = Checkpoint.open(Path(checkpoint), "lightning_app.training.StyleModule").build_network()
    network.trained = True
    return network  # type: ignore[no-any-return]
