"""``fit``, ``validate`` and ``test``, based on LightningCLI."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import Namespace
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities import rank_zero_info

from lightning_app.callbacks import (
    FinalValidation,
    Results,
    RunConfig,
    StartOfRun,
    continue_metrics,
    finish,
    logger_errors,
)
from lightning_app.checkpoints import Checkpoint, refuse_other_network, refuse_weights_alone
from lightning_app.experiments import use_yaml
from lightning_app.files import naming
from lightning_app.moved import with_new_names
from lightning_app.training.checkpoint_files import CheckpointFiles
from lightning_app.training.malloc import keep_freed_memory
from lightning_app.training.quiet import quiet
from lightning_app.training.resume import finished, refuse_other_settings
from lightning_app.training.run_end import print_end
from lightning_app.training.run_folder import CHECKPOINTS, RunFolder, find_checkpoint
from lightning_app.training.termination import exit_on_sigterm
from lightning_app.training.trainer_flags import drop_callbacks, refuse_flags


class Parser(LightningArgumentParser):
    """Lightning's parser. Errors raise ValueError, like those of the other verbs."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise ValueError; argparse would print the usage and exit."""
        raise ValueError(message) from ex

    def parse_string(self, content: str, *args: Any, **kwargs: Any) -> Namespace:
        """Parse YAML text, in which old names are replaced."""
        parsed: Namespace = super().parse_string(with_new_names(content), *args, **kwargs)
        return parsed


class PocketDepthCLI(LightningCLI):
    """LightningCLI with a folder for each run.

    Attributes:
        resumed: the checkpoint that the run resumes, and its number of steps.
    """

    resumed: tuple[Path, int] | None = None

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The verbs, and the arguments of the trainer's methods that are not exposed on the command line."""
        return {
            "fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule"},
            "validate": {"model", "dataloaders", "datamodule"},
            "test": {"model", "dataloaders", "datamodule"},
        }

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse arguments; Lightning's own method warns if they are not those of sys.argv."""
        assert isinstance(args, list)
        self.given = args[1:]
        self.config = parser.parse_args(_with_yamls_found(args))
        config = self.config[self.config.subcommand]
        network = config.model.init_args.get("network")
        if _trained(network):
            if self.config.subcommand == "fit" or config.get("ckpt_path"):
                raise ValueError(f"{network.class_path} is trained already: use test or validate, without --ckpt_path")
        elif self.config.subcommand != "fit" and not config.get("ckpt_path"):
            raise ValueError(f"{self.config.subcommand} needs --ckpt_path; without it the weights would be random")
        if self.config.subcommand == "fit":
            refuse_flags(config.trainer)

    def _parse_ckpt_path(self) -> None:
        """Take the model's numbers from the checkpoint. Lightning's own method takes its classes, too.

        Classes come from the YAMLs alone, because a checkpoint may come from anybody.
        """
        config = self.config[self.config.subcommand]
        if not config.get("ckpt_path"):
            return
        find_checkpoint(config, self.config.subcommand)
        checkpoint = Checkpoint.open(Path(config.ckpt_path), config.model.class_path)
        network = config.model.init_args.get("network")
        refuse_other_network(checkpoint, network and network.as_dict())
        if self.config.subcommand == "fit":
            refuse_weights_alone(checkpoint)
            refuse_other_settings(checkpoint, config.model)
            message = finished(checkpoint, config.trainer)
            if message:
                print(message)
                sys.exit()
            self.resumed = checkpoint.path, int(checkpoint.content["global_step"])
        numbers = {key: value for key, value in checkpoint.hyper_parameters.items() if _only_numbers(value)}
        model = {"class_path": config.model.class_path, "dict_kwargs": numbers}
        self.config = self.parser.parse_object({str(self.config.subcommand): {"model": model}}, self.config)

    def before_instantiate_classes(self) -> None:
        """Set the run's folder, also for loggers and checkpoints."""
        config = self.config[self.subcommand]
        self.folder = RunFolder(config, str(self.subcommand))
        root = self.folder.path
        config.trainer.default_root_dir = str(root)
        for logger in _as_list(config.trainer.get("logger")):
            if isinstance(logger, Namespace) and logger.init_args.get("save_dir") in (None, "runs"):
                logger.init_args.save_dir = str(root)
        if self.subcommand != "fit":
            config.trainer.enable_checkpointing = False
            config.verbose = False  # Results prints the metrics
        drop_callbacks(config.trainer)
        protocol = _as_list(config.data.get("init_args", {}).get("protocol") or "kitti-eigen")[0]
        for callback in _as_list(config.trainer.get("callbacks")):
            arguments = callback.get("init_args") or {}
            if arguments.get("monitor"):  # the name of the metric contains the protocol
                arguments["monitor"] = arguments["monitor"].replace("{protocol}", protocol)
            if _saves(callback) and callback.init_args.get("dirpath") is None:
                callback.init_args.dirpath = str(root / CHECKPOINTS)
        rank_zero_info(f"run: {root}")

    def instantiate_classes(self) -> None:
        """Instantiate the classes; nothing is left of a run that this refuses."""
        with self.folder.empty_if_refused():
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Instantiate the trainer, with callbacks that come before and after all others."""
        trainer = super().instantiate_trainer(**kwargs)
        if self.resumed is not None:  # before StartOfRun replaces the loggers
            continue_metrics(trainer, *self.resumed)
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        trainer.callbacks = [StartOfRun(trainer, self.folder.start), *callbacks, FinalValidation()]  # type: ignore[attr-defined]
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # otherwise a plugin's
            trainer.strategy.checkpoint_io = CheckpointFiles()
        return trainer

    def _run_subcommand(self, subcommand: str) -> None:
        """Run the trainer; nothing is left of a run that it refuses."""
        try:
            with self.folder.empty_if_refused(), naming(self.folder.path):
                super()._run_subcommand(subcommand)
        finally:
            finish(self.trainer)
            self.folder.release()
            if subcommand == "fit" and self.folder.started and self.trainer.is_global_zero:
                print_end(self.trainer, self.folder.path, self.given)


def run(subcommand: str, args: list[str], cli: type[PocketDepthCLI] = PocketDepthCLI) -> None:
    """Run ``fit``, ``validate`` or ``test``.

    Args:
        subcommand: the verb.
        args: arguments of the command line after the verb.
        cli: command line class.
    """
    quiet()
    keep_freed_memory()
    usage = f"pocketdepth {subcommand} -c base.yaml -c EXPERIMENT.yaml [-c MORE.yaml ...] [--key value ...]"
    with exit_on_sigterm(), logger_errors(), _misconfiguration_is_wrong_use():
        cli(
            model_class=LightningModule,
            datamodule_class=LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=RunConfig,
            save_config_kwargs={"save_to_log_dir": False},
            trainer_defaults={"callbacks": [Results()], "use_distributed_sampler": False},
            seed_everything_default=0,
            parser_class=Parser,
            parser_kwargs={subcommand: {"usage": usage}},
            auto_configure_optimizers=False,
            args=[subcommand, *args],
        )


def _with_yamls_found(args: list[str]) -> list[str]:
    """Replace the YAMLs of ``-c`` by their paths; other values of ``-c`` (JSON, URLs) are left to LightningCLI."""
    found = []
    for before, argument in zip(["", *args], args, strict=False):
        match = re.fullmatch(r"((?:-c|--config)=|)(.+\.ya?ml)", argument)
        if match and (match[1] or before in ("-c", "--config")) and "://" not in argument:
            argument = f"{match[1]}{use_yaml(Path(match[2]))}"
        found.append(argument)
    return found


@contextmanager
def _misconfiguration_is_wrong_use() -> Iterator[None]:
    """Raise ValueError for Lightning's MisconfigurationException, e.g. if a monitored metric is not logged."""
    try:
        yield
    except MisconfigurationException as error:
        raise ValueError(str(error)) from error


def _trained(network: Namespace | None) -> bool:
    """Whether a configured network is already trained, such as an exported file."""
    if network is None:
        return False
    module, _, name = network.class_path.rpartition(".")
    return bool(getattr(getattr(import_module(module), name), "trained", False))


def _only_numbers(value: Any) -> bool:
    """Whether a setting consists of numbers, which name no class and no file."""
    each = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return value is None or isinstance(value, int | float) if each is None else all(map(_only_numbers, each))


def _saves(callback: Namespace) -> bool:
    return str(callback.class_path).endswith("ModelCheckpoint")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
