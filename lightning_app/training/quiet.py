"""What training logs."""

from __future__ import annotations

import logging
import warnings


def quiet() -> None:
    """Show messages of this project, and suppress hints of Lightning and expected warnings."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    for package in ("lightning_app", "models", "datamodules"):
        logging.getLogger(package).setLevel(logging.INFO)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(
        lambda record: not record.getMessage().startswith(("💡", "GPU available", "TPU available", "`Trainer.fit`"))
    )
    expected = (
        ".*treespec.*is deprecated",
        "Experiment logs directory .* exists",
        "Checkpoint directory .* exists",
        ".*does not have many workers",
        "Found .* module\\(s\\) in eval mode",  # a frozen encoder's
        "You passed in a `val_dataloader` but have no `validation_step`",  # a stylizer is not validated
        ".*callbacks used to create the checkpoint",
        ".*recommended to use `self.log",  # torchmetrics synchronises the metrics
        "The number of training batches .* is smaller than the logging interval",
        ".*your dataloader is not resumable",  # the sampler resumes from the checkpoint's step
    )
    for message in expected:
        warnings.filterwarnings("ignore", message)
