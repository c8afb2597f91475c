"""``pocketdepth ship``: one checkpoint -> files for phones, measured, judged, and shown on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deploy.shipping.limits import Check, judge
from deploy.shipping.pipeline import Pipeline
from deploy.shipping.plan import read_plan
from deploy.shipping.report import write_report
from deploy.shipping.shipped import Shipped
from lightning_app.checkpoints import Checkpoint


def ship(
    checkpoint: Path, config: Path, output: Path = Path("runs/ship"), threads: int = 1, runs: int = 50
) -> list[Check]:
    """Make every variant of a plan, score, time and judge them, and write ``report.html``.

    What is done is not done again, whatever interrupted it: a step is repeated where its settings, or the files that it
    is made from, have changed.

    Args:
        checkpoint: of PocketDepth.
        config: the plan, see :class:`deploy.shipping.plan.Plan`.
        output: folder.
        threads: of each session.
        runs: timed runs of each file, interleaved.

    Returns:
        The limits, and whether they are kept.

    Raises:
        FileNotFoundError: no such checkpoint, plan, data or image.
        ValueError: not a checkpoint of PocketDepth, or a plan that does not fit.
        RuntimeError: a limit is broken; the report is written all the same.
    """
    plan = read_plan(config)
    Checkpoint.open(checkpoint).network.check_size(plan.size)
    shipped = Shipped(plan, output)
    pipeline = Pipeline(checkpoint, shipped, threads, runs)
    try:
        for name in plan.variants:
            pipeline.make(name)
            pipeline.score(name)
            pipeline.check(name)
        pipeline.time()
        pipeline.look_inside()
        pipeline.judge_devices()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here")
        raise
    limits = {name: variant.limits for name, variant in plan.variants.items()}
    checks = judge(limits, shipped.measured, plan.first)
    page = write_report(shipped, checks, checkpoint, pipeline.photographs)
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
