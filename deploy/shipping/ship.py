"""``pocketdepth ship``: build files for phones from one checkpoint, check their limits, and write a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deploy.shipping.limits import Check, check_limits
from deploy.shipping.pipeline import Pipeline
from deploy.shipping.plan import open_plan
from deploy.shipping.report import write_report
from deploy.shipping.ship_folder import ShipFolder
from lightning_app.one_writer import one_writer


def ship(
    checkpoint: Path, config: Path, output: Path = Path("runs/ship"), threads: int = 1, runs: int = 50
) -> list[Check]:
    """Build every variant of a plan, evaluate and time the files, check the limits, and write ``report.html``.

    Finished steps are cached. A step runs again only if its settings or input files have changed. The same call resumes
    an interrupted one.

    Args:
        checkpoint: PocketDepth checkpoint.
        config: YAML of the plan, see :class:`deploy.shipping.plan.Plan`.
        output: output folder. It can be moved afterwards.
        threads: number of threads per session.
        runs: number of timed runs per file, interleaved.

    Returns:
        The result of each limit.

    Raises:
        FileNotFoundError: no such checkpoint, plan, data or image.
        ImportError: a package that the plan requires is not installed.
        ValueError: not a PocketDepth checkpoint, or an invalid plan. Nothing was made.
        RuntimeError: a limit is violated (the report is written nevertheless), or another process is writing to
            ``output``.
    """
    plan = open_plan(config)
    folder = ShipFolder(plan, output)
    pipeline = Pipeline(checkpoint, folder, threads, runs)
    try:
        pipeline.check()
    except ValueError as error:
        raise ValueError(f"{config}: {error}") from error
    with one_writer(output):
        return _ship(checkpoint, folder, pipeline)


def _ship(checkpoint: Path, folder: ShipFolder, pipeline: Pipeline) -> list[Check]:
    plan = folder.plan
    try:
        for name in plan.variants:
            pipeline.build(name)
            pipeline.evaluate(name)
            pipeline.run_checks(name)
        pipeline.benchmark()
        pipeline.profile_layers()
        pipeline.check_devices()
    except (KeyboardInterrupt, SystemExit):
        print("interrupted; run the same command again to resume")
        raise
    limits = {name: variant.limits for name, variant in plan.variants.items()}
    checks = check_limits(limits, folder.measured, plan.first)
    page = write_report(folder, checks, checkpoint, pipeline.photographs)
    _show(checks)
    print(f"report: {page}, files: {folder.folder}/files")
    violated = [check for check in checks if not check.kept]
    if violated:
        named = "; ".join(f"{check.variant}: {check.limit} {check.measured}, {check.asked}" for check in violated[:3])
        raise RuntimeError(f"{len(violated)} of {len(checks)} limits violated: {named}")
    return checks


def _show(checks: Sequence[Check]) -> None:
    table = Table(box=SIMPLE_HEAD)
    for name in ("variant", "limit", "required", "measured", "result"):
        table.add_column(name, justify="right" if name in ("required", "measured") else "left")
    for check in checks:
        result = "[green]met" if check.kept else "[red]violated"
        table.add_row(check.variant, check.limit, check.asked, check.measured, result)
    Console().print(table)
