"""``fit``, ``validate`` and ``test``: from YAML to a run, by LightningCLI."""

from __future__ import annotations

import logging
import os
import pickle
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace
from pytorch_lightning import LightningDataModule, LightningModule
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities import rank_zero_info, rank_zero_only

from lightning_app.callbacks import Results, RunConfig

RUN_VARIABLE = "POCKETDEPTH_RUN"
_LIGHTNINGS_CHECKPOINTS = ("best", "last", "hpc", "registry")


class PocketDepthCLI(LightningCLI):
    """LightningCLI with a folder for each run."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The verbs, and which arguments of the trainer's methods the command line fills in."""
        return {
            "fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule"},
            "validate": {"model", "dataloaders", "datamodule"},
            "test": {"model", "dataloaders", "datamodule"},
        }

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse; Lightning's own method warns of any argument list that is not sys.argv's."""
        self.config = parser.parse_args(args)  # type: ignore[arg-type]
        config = self.config[self.config.subcommand]
        if config.get("ckpt_path") and config.ckpt_path not in _LIGHTNINGS_CHECKPOINTS:
            _refuse_other_network(Path(config.ckpt_path), config.model.init_args.get("network"))

    def before_instantiate_classes(self) -> None:
        """Give the run its folder, and let loggers and checkpoints write below it."""
        config = self.config[self.subcommand]
        root = _run_folder(config, str(self.subcommand))
        config.trainer.default_root_dir = str(root)
        for logger in _as_list(config.trainer.get("logger")):
            if isinstance(logger, Namespace) and logger.init_args.get("save_dir") in (None, "runs"):
                logger.init_args.save_dir = str(root)
        if self.subcommand != "fit":
            config.trainer.enable_checkpointing = False
            config.verbose = False  # Results prints the metrics with their protocol, Lightning without
            config.trainer.callbacks = [item for item in _as_list(config.trainer.callbacks) if not _saves(item)]
        for callback in _as_list(config.trainer.get("callbacks")):
            if _saves(callback) and callback.init_args.get("dirpath") is None:
                callback.init_args.dirpath = str(root / "checkpoints")
        rank_zero_info(f"run: {root}")


def run(subcommand: str, args: list[str]) -> None:
    """Run one of Lightning's verbs with the arguments of the command line."""
    _quiet()
    usage = {"usage": f"pocketdepth {subcommand} -c EXPERIMENT.yaml [-c MORE.yaml ...] [--key value ...]"}
    PocketDepthCLI(
        model_class=LightningModule,
        datamodule_class=LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        save_config_callback=RunConfig,
        save_config_kwargs={"save_to_log_dir": False},
        trainer_defaults={"callbacks": [Results()], "use_distributed_sampler": False},
        seed_everything_default=0,
        parser_kwargs={subcommand: usage, "prog": "pocketdepth"},
        auto_configure_optimizers=False,
        args=[subcommand, *args],
    )


def _refuse_other_network(checkpoint: Path, network: Namespace | None) -> None:
    """Refuse a checkpoint whose network is not the configuration's: LightningCLI would take the checkpoint's silently.

    Raises:
        FileNotFoundError: no such checkpoint.
        ValueError: not a checkpoint, or one of another network.
    """
    if not checkpoint.is_file():
        raise FileNotFoundError(f"{checkpoint}: no such checkpoint")
    try:
        theirs = torch.load(checkpoint, map_location="cpu", weights_only=True)["hyper_parameters"].get("network")
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError) as error:
        raise ValueError(f"{checkpoint}: not a checkpoint of PocketDepth ({type(error).__name__})") from error
    if network is None or theirs is None:
        return
    ours, others = (_flat(description) for description in (network.as_dict(), theirs))
    different = [key for key in sorted(ours.keys() | others.keys()) if ours.get(key) != others.get(key)]
    if different:
        key = different[0]
        raise ValueError(
            f"{checkpoint}: a checkpoint of another network: its {key} is {others.get(key)}, here it is "
            f"{ours.get(key)}; to start from other weights give --model.weights"
        )


def _flat(description: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key, without how they are nested in init_args and without where weights came from."""
    flat: dict[str, Any] = {}
    for key, value in description.items():
        name = prefix if key == "init_args" else f"{prefix}.{key}".lstrip(".")
        flat |= _flat(value, name) if isinstance(value, dict) else {name: value}
    return {key: value for key, value in flat.items() if key != "weights"}


def _run_folder(config: Namespace, subcommand: str) -> Path:
    if getattr(rank_zero_only, "rank", 0) != 0:
        # The first process claimed it before it started this one.
        return Path(os.environ.get(RUN_VARIABLE, "runs"))
    given = config.trainer.default_root_dir
    if given is None:
        root = _claim(Path("runs") / _experiment_name(config), subcommand)
    else:
        root = Path(given)
        results = [*root.glob("checkpoints/*.ckpt"), *root.glob("*.json")]
        if results and not config.get("ckpt_path"):
            raise FileExistsError(
                f"{root} holds a run already: give another --trainer.default_root_dir, or --ckpt_path to resume it"
            )
    os.environ[RUN_VARIABLE] = str(root)
    return root


def _experiment_name(config: Namespace) -> str:
    """The stem of the last YAML on the command line (a sweep's arguments come as JSON)."""
    files = [str(path) for path in config.get("config") or []]
    return next((Path(path).stem for path in reversed(files) if path.endswith((".yaml", ".yml"))), "run")


def _claim(parent: Path, subcommand: str) -> Path:
    """A new folder named after the time; concurrent runs cannot get the same one."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S") + ("" if subcommand == "fit" else f"-{subcommand}")
    for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
        root = parent / (stamp + suffix)
        try:
            root.mkdir(parents=True)
        except FileExistsError:
            continue
        return root
    raise FileExistsError(f"{parent}/{stamp}: taken a thousand times")


def _saves(callback: Namespace) -> bool:
    return str(callback.class_path).endswith("ModelCheckpoint")


def _quiet() -> None:
    """Let our own messages through, and silence what Lightning says of itself and of what is meant to be so."""
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
        ".*callbacks used to create the checkpoint",
        ".*your dataloader is not resumable",  # the sampler's position is that of the checkpoint
    )
    for message in expected:
        warnings.filterwarnings("ignore", message)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
