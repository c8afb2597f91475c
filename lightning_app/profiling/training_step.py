"""``pocketdepth profile``: measure and profile the training step of an experiment."""

from __future__ import annotations

import itertools
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity

from lightning_app.data_of_trainer import data_module
from lightning_app.files import atomic_write, refuse_existing
from lightning_app.profiling.plain_loop import Batch, bare_step
from lightning_app.profiling.style_cost import style_step
from lightning_app.training.depth_module import DepthModule
from lightning_app.training.lightning_cli import PocketDepthCLI, run

BLOCK, WARMUP, PROFILED, CACHED = 5, 5, 3, 4  # steps, and batches in memory
TOP = 12  # operations in the profile


def profile(args: Sequence[str], steps: int = 50, trace: Path | None = None, overwrite: bool = False) -> None:
    """Time and profile the training step of an experiment.

    1. Steps of Lightning and of a bare PyTorch loop are timed in interleaved blocks, on batches in memory. Network,
       loss, optimizer, precision and transforms are the same. Style transfer, if configured, is also timed separately.
    2. Steps of Lightning with the data loader are timed, including the time spent waiting for data.
    3. A few steps run under the profiler of torch.

    Validation, loggers and callbacks are disabled. The trained weights are discarded.

    Args:
        args: arguments of ``fit``.
        steps: number of timed steps of each measurement.
        trace: JSON file to write, a trace of the profiled steps for chrome://tracing or Perfetto.
        overwrite: whether to replace an existing ``trace``.

    Raises:
        FileExistsError: ``trace`` exists.
        ValueError: a module other than DepthModule, or gradient accumulation, which the bare loop does not support.
    """
    if trace is not None:
        refuse_existing(trace, overwrite=overwrite)
    blocks = -(-steps // BLOCK)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # otherwise the profiler reports an error without a GPU

    class Profiled(PocketDepthCLI):
        def before_fit(self) -> None:
            if not isinstance(self.model, DepthModule):
                raise ValueError(f"profile supports only DepthModule, not {type(self.model).__name__}")
            if self.trainer.accumulate_grad_batches != 1:
                raise ValueError("profile does not support accumulate_grad_batches; set it to 1")
            clock = _Clock(blocks, trace)
            real = self.datamodule.train_dataloader
            self.datamodule.train_dataloader = lambda: _Batches(real(), clock)
            self.trainer.callbacks.append(clock)  # type: ignore[attr-defined]

    total = WARMUP + 2 * blocks * BLOCK + WARMUP + PROFILED
    with tempfile.TemporaryDirectory() as folder:
        own = ("--trainer.max_steps", str(total), "--trainer.limit_val_batches", "0", "--trainer.logger", "false")
        callbacks = ("--trainer.callbacks", "[lightning_app.callbacks.StepProgress]")
        run("fit", [*args, *own, *callbacks, "--trainer.default_root_dir", folder], Profiled)


class _Batches:
    """Repeats batches in memory, then yields batches of the loader and measures the waiting time."""

    def __init__(self, loader: Any, clock: _Clock) -> None:
        self.loader, self.clock = loader, clock
        self.kept = list(itertools.islice(iter(loader), CACHED))
        clock.kept = self.kept

    def __len__(self) -> int:
        return self.clock.total

    def __iter__(self) -> Iterator[Batch]:
        yield from itertools.islice(itertools.cycle(self.kept), self.clock.cached_steps)
        endless = itertools.chain.from_iterable(itertools.repeat(self.loader))
        while True:
            start = time.perf_counter()
            batch = next(endless)
            self.clock.waited += time.perf_counter() - start
            yield batch


class _Clock(Callback):
    """Times blocks of steps and runs blocks of the bare loop in between. Must be the last callback.

    Attributes:
        kept: batches in memory, for the bare loop.
        waited: time spent waiting for the loader, in seconds.
    """

    def __init__(self, blocks: int, trace: Path | None) -> None:
        self.blocks, self.trace = blocks, trace
        self.cached_steps = WARMUP + blocks * BLOCK
        self.loaded_steps = self.cached_steps + WARMUP + blocks * BLOCK
        self.total = self.loaded_steps + PROFILED
        self.kept: list[Batch] = []
        self.waited = 0.0
        self.seconds: dict[str, list[float]] = {"lightning": [], "bare": [], "style": [], "loader": []}
        self.memory: dict[str, float] = {}
        self._since = self._waited_before = 0.0
        self._bare: Callable[[Batch], object] | None = None
        self._style: Callable[[Batch], object] | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        step, device = batch_idx + 1, pl_module.device
        if step <= self.cached_steps and (step - WARMUP) % BLOCK == 0 and step >= WARMUP:
            if step > WARMUP:
                self._end("lightning", device)
            assert isinstance(pl_module, DepthModule)
            self._run_beside(trainer, pl_module)
            self._begin(device)
        elif step == self.cached_steps + WARMUP:
            self._bare = self._style = None  # free their memory
            self._waited_before = self.waited
            self._begin(device)
        elif (
            self.cached_steps + WARMUP < step <= self.loaded_steps and (step - self.cached_steps - WARMUP) % BLOCK == 0
        ):
            self._end("loader", device)
            self._begin(device)
        if step == self.loaded_steps:
            self.waited -= self._waited_before
            self._profiler = torch.profiler.profile(activities=_activities(device))
            self._profiler.start()
            self._begin(device)
        elif step == self.total:
            wall = self._elapsed(device)
            self._profiler.stop()
            self._report(trainer, pl_module, len(batch["image"]), wall)

    def _begin(self, device: torch.device) -> None:
        _wait_for(device)
        self._since = time.perf_counter()

    def _elapsed(self, device: torch.device) -> float:
        _wait_for(device)
        return time.perf_counter() - self._since

    def _end(self, name: str, device: torch.device) -> None:
        self.seconds[name].append(self._elapsed(device) / BLOCK)
        if device.type == "cuda":
            self.memory[name] = torch.cuda.max_memory_allocated(device) / 2**20
            torch.cuda.reset_peak_memory_stats(device)

    def _run_beside(self, trainer: Trainer, module: DepthModule) -> None:
        """Time a block of the bare loop, and one of style transfer if configured."""
        if self._bare is None:
            self._bare = bare_step(trainer, module)
            style = data_module(trainer).style
            self._style = style_step(style, module.device) if style is not None else None
            self._repeat(self._bare, WARMUP)
        self._begin(module.device)
        self._repeat(self._bare, BLOCK)
        self._end("bare", module.device)
        if self._style is not None:
            if not self.seconds["style"]:
                self._repeat(self._style, WARMUP)
            self._begin(module.device)
            self._repeat(self._style, BLOCK)
            self._end("style", module.device)

    def _repeat(self, step: Callable[[Batch], object], times: int) -> None:
        for batch in itertools.islice(itertools.cycle(self.kept), times):
            step(batch)

    def _report(self, trainer: Trainer, module: LightningModule, batch: int, wall: float) -> None:
        data = data_module(trainer)
        median = {name: statistics.median(values) for name, values in self.seconds.items() if values}
        device = module.device
        threads = f" with {torch.get_num_threads()} threads" if device.type == "cpu" else ""
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        table = Table(box=SIMPLE_HEAD, caption_justify="left")
        for column in ("training step", "ms", "images/s", "peak memory"):
            table.add_column(column, justify="left" if column == "training step" else "right")
        for key, title in (
            ("lightning", "Lightning, batches in memory"),
            ("bare", "bare PyTorch loop, same batches"),
            ("style", "style transfer only, same batches"),
            ("loader", f"Lightning, loader with {data.workers} workers"),
        ):
            if key not in median:
                continue
            memory = f"{self.memory[key]:,.0f} MiB" if key in self.memory else ""
            table.add_row(title, f"{1e3 * median[key]:.1f}", f"{batch / median[key]:.1f}", memory)
        print(
            f"{batch} frames of {data.size[0]}x{data.size[1]}, {trainer.precision}, on {name}{threads}; "
            f"medians of {self.blocks} blocks of {BLOCK} steps"
        )
        Console().print(table)
        print(f"Lightning relative to the bare loop: {median['lightning'] / median['bare'] - 1:+.1%}")
        if "style" in median:
            print(f"style transfer: {median['style'] / median['lightning']:.1%} of a step")
        print(f"waiting for data: {self.waited / (self.blocks * BLOCK * statistics.mean(self.seconds['loader'])):.1%}")
        if device.type == "cpu":  # torch does not track memory on a CPU
            print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")
        _print_profile(self._profiler, device, wall)
        if self.trace is not None:
            with atomic_write(self.trace) as temporary:
                self._profiler.export_chrome_trace(str(temporary))
            print(f"trace: {self.trace}")


def _print_profile(profiler: torch.profiler.profile, device: torch.device, wall: float) -> None:
    cuda = device.type == "cuda"
    rows = [
        (each.key, each.self_device_time_total if cuda else each.self_cpu_time_total, each.count)
        for each in profiler.key_averages()
    ]
    busy = sum(taken for _, taken, _ in rows)
    if cuda:
        print(f"device utilisation: {busy / 1e6 / wall:.0%}")
    table = Table(box=SIMPLE_HEAD, title=f"profile of {PROFILED} steps", title_justify="left")
    table.add_column("operation", overflow="fold")
    for column in ("share", "ms/step", "calls/step"):
        table.add_column(column, justify="right")
    for name, taken, count in sorted(rows, key=lambda row: -row[1])[:TOP]:
        table.add_row(name, f"{taken / busy:.1%}", f"{taken / 1e3 / PROFILED:.1f}", f"{count / PROFILED:.0f}")
    Console().print(table)


def _activities(device: torch.device) -> list[ProfilerActivity]:
    return [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device.type == "cuda")


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
