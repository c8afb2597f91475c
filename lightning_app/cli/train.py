"""The verbs that train."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.cli.fit_arguments import check_fit_arguments, check_variants
from lightning_app.cli.options import LightningCommand, Overwrite, Split, call

train = typer.Typer(pretty_exceptions_enable=False)

_PANEL: dict[str, Any] = {"rich_help_panel": "Train"}
# The options of the verbs are the keys of the YAMLs. LightningCLI parses them; Typer shows those that are used most.
_LIGHTNING: dict[str, Any] = {
    "cls": LightningCommand,
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "epilog": "Every key of the YAMLs is an option. --print_config: all keys, values; --help all: descriptions; "
    "--model.help CLASS, --data.help CLASS: of a class. See docs/first-hour.md",
    **_PANEL,
}

Config = Annotated[
    list[str] | None,
    typer.Option("--config", "-c", metavar="YAML", help="base.yaml, then the experiment."),
]
CkptPath = Annotated[
    str | None,
    typer.Option("--ckpt_path", metavar="FILE", help="Or best, last: of the folder or newest run."),
]
Folder = Annotated[
    str | None,
    typer.Option("--trainer.default_root_dir", metavar="FOLDER", help="Folder of the run."),
]
Protocol = Annotated[str | None, typer.Option("--data.protocol", metavar="NAMES", help="Evaluation protocol.")]


@train.command(**_LIGHTNING)
def fit(
    context: typer.Context,
    config: Config = None,
    default_root_dir: Folder = None,
    ckpt_path: Annotated[
        str | None, typer.Option("--ckpt_path", metavar="FILE", help="Resume: a file, last or best.")
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option("--trainer.max_steps", metavar="N", help="Or max_epochs, or max_time.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--model.weights", metavar="FILE", help="Checkpoint to fine-tune.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option("--model.network.encoder", metavar="NAME", help="Any timm encoder.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--model.optimizer.lr", metavar="RATE", help="Peak learning rate.")
    ] = None,
    size: Annotated[str | None, typer.Option("--data.size", metavar="[H,W]", help="Input size.")] = None,
    batch_size: Annotated[int | None, typer.Option("--data.batch_size", metavar="N", help="Frames a step.")] = None,
    workers: Annotated[int | None, typer.Option("--data.workers", metavar="N", help="Loading processes.")] = None,
) -> None:
    """Train an experiment: fit -c base.yaml -c x.yaml [--key value]."""
    check_fit_arguments("fit", context.args)
    call("lightning_app.training.lightning_cli:run", "fit", context.args)


@train.command(**_LIGHTNING)
def validate(
    context: typer.Context,
    config: Config = None,
    ckpt_path: CkptPath = None,
    default_root_dir: Folder = None,
    protocol: Protocol = None,
) -> None:
    """Evaluate a checkpoint on the validation split (--ckpt_path)."""
    check_fit_arguments("validate", context.args)
    call("lightning_app.training.lightning_cli:run", "validate", context.args)


@train.command("test", **_LIGHTNING)
def evaluate_on_test(
    context: typer.Context,
    config: Config = None,
    ckpt_path: CkptPath = None,
    default_root_dir: Folder = None,
    protocol: Protocol = None,
) -> None:
    """Evaluate a checkpoint on the test split (--ckpt_path)."""
    check_fit_arguments("test", context.args)
    call("lightning_app.training.lightning_cli:run", "test", context.args)


@train.command(**_PANEL, context_settings=_LIGHTNING["context_settings"])
def compare(
    arguments: Annotated[
        list[str],
        typer.Argument(
            help="YAMLs of variants, or tables of variants (FILE.yaml for all, FILE.yaml:NAME for one); the first is "
            "the baseline. Other arguments are passed to fit, e.g. --trainer.max_steps 500.",
            metavar="VARIANT",
            show_default=False,
        ),
    ],
    config: Annotated[
        list[Path],
        typer.Option(
            "--config",
            "-c",
            metavar="YAML",
            help="Experiment YAML below all variants; repeatable, later files override earlier ones.",
            show_default=False,
        ),
    ],
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Name of a variant to run; repeatable (default: all).")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Seeds per variant.")] = 3,
    split: Split = "val",
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Parallel runs.")] = 1,
    output: Annotated[Path, typer.Option(help="Output folder.")] = Path("runs/compare"),
    overwrite: Overwrite = False,
) -> None:
    """Train and compare variants of an experiment over seeds.

    Finished runs are cached. An interrupted run resumes when the same command is run again.
    """
    variants = list(takewhile(lambda argument: not argument.startswith("-"), arguments))
    rest = arguments[len(variants) :]
    options = (rest, seeds, split, jobs, output, overwrite, only or [])
    check_variants(config, list(map(Path, variants)), rest, only or [])
    call("lightning_app.comparison.compare:compare", list(map(Path, variants)), config, *options)
