"""The verbs that train."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_app.cli.fit_arguments import check_fit_arguments, check_variants
from lightning_app.cli.options import Overwrite, Split, call

train = typer.Typer(pretty_exceptions_enable=False)

_PANEL: dict[str, Any] = {"rich_help_panel": "Train"}
# All arguments, including --help, are passed to LightningCLI.
_LIGHTNING: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
    **_PANEL,
}


@train.command(**_LIGHTNING)
def fit(context: typer.Context) -> None:
    """Train an experiment: fit -c base.yaml -c x.yaml [--key value]."""
    check_fit_arguments("fit", context.args)
    call("lightning_app.training.lightning_cli:run", "fit", context.args)


@train.command(**_LIGHTNING)
def validate(context: typer.Context) -> None:
    """Evaluate a checkpoint on the validation split (--ckpt_path)."""
    check_fit_arguments("validate", context.args)
    call("lightning_app.training.lightning_cli:run", "validate", context.args)


@train.command(**_LIGHTNING)
def test(context: typer.Context) -> None:
    """Evaluate a checkpoint on the test split (--ckpt_path)."""
    check_fit_arguments("test", context.args)
    call("lightning_app.training.lightning_cli:run", "test", context.args)


@train.command(**_LIGHTNING | {"add_help_option": True})
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
    check_variants(config, list(map(Path, variants)), rest)
    call("lightning_app.comparison.compare:compare", list(map(Path, variants)), config, *options)
