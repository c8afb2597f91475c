"""``pocketdepth ship``: one checkpoint -> files for phones, checked against limits, and one report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deploy.shipping.limits import Check, check_limits
from deploy.shipping.pipeline import Pipeline
from deploy.shipping.plan import read_plan
from deploy.shipping.report import write_report
from deploy.shipping.ship_folder import ShipFolder
from lightning_app.checkpoints import Checkpoint


def ship(
    checkpoint: Path, config: Path, output: Path = Path("runs/ship"), threads: int = 1, runs: int = 50
) -> list[Check]:
    """Build every variant of a plan, evaluate and time the files, check the limits, and write ``report.html``.

    Finished steps are cached: a step runs again only if its settings or its input files changed, so that an interrupted
    call can be repeated.

    Args:
        checkpoint: of PocketDepth.
        config: the plan, see :class:`deploy.shipping.plan.Plan`.
        output: folder of the files and the report; it can be moved afterwards.
        threads: of each session.
        runs: timed runs of each file, interleaved.

    Returns:
        Every limit, and whether it is kept.

    Raises:
        FileNotFoundError: no such checkpoint, plan, data or image.
        ValueError: not a checkpoint of PocketDepth, or an invalid plan.
        RuntimeError: a limit is broken; the report is written nevertheless.
    """
    plan = read_plan(config)
    Checkpoint.open(checkpoint).network.check_size(plan.size)
    folder = ShipFolder(plan, output)
    pipeline = Pipeline(checkpoint, folder, threads, runs)
    try:
        for name in plan.variants:
            pipeline.build(name)
            pipeline.evaluate(name)
            pipeline.run_checks(name)
        pipeline.benchmark()
        pipeline.profile_layers()
        pipeline.check_devices()
    except KeyboardInterrupt:
        print("interrupted; the same command resumes")
        raise
    limits = {name: variant.limits for name, variant in plan.variants.items()}
    checks = check_limits(limits, folder.measured, plan.first)
    page = write_report(folder, checks, checkpoint, pipeline.photographs)
    _show(checks)
    print(f"{page}, and the files in {output}/files")
    broken = [check for check in checks if not check.kept]
    if broken:
        named = "; ".join(f"{check.variant}: {check.limit} {check.measured}, {check.asked}" for check in broken[:3])
        raise RuntimeError(f"{len(broken)} of {len(checks)} limits are broken: {named}")
    return checks


def _show(checks: Sequence[Check]) -> None:
    table = Table(box=SIMPLE_HEAD)
    for name in ("file", "limit", "asked", "measured", ""):
        table.add_column(name, justify="right" if name in ("asked", "measured") else "left")
    for check in checks:
        kept = "[green]kept" if check.kept else "[red]broken"
        table.add_row(check.variant, check.limit, check.asked, check.measured, kept)
    Console().print(table)
