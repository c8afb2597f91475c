"""The steps that make and measure the variants of a plan, each done once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from deploy.benchmark.benchmark import benchmark
from deploy.devices.budget_check import check_budgets
from deploy.devices.gates import check_gates
from deploy.devices.targets import TARGETS, Device, read_measured, read_targets
from deploy.export.export import export
from deploy.export.model_card import write_card
from deploy.inference.evaluate import evaluate
from deploy.inference.images import find_images
from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.layer_times import layer_times
from deploy.pruning.prune import prune
from deploy.quantization.quantize import quantize, signal_to_noise
from deploy.quantization.sensitivity import sensitivity
from deploy.shipping.plan import below_data_root
from deploy.shipping.shipped import Shipped, read_json
from deploy.shipping.stages import Stages, content
from lightning_app.checkpoints import read_checkpoint
from lightning_app.files import atomic_write
from lightning_app.training.fit_process import fit


class Pipeline:
    """From a checkpoint to measured files.

    Args:
        checkpoint: of PocketDepth.
        shipped: the plan, and the folder of what is made.
        threads: of each session that is timed.
        runs: timed runs of each file, interleaved.

    Raises:
        FileNotFoundError: no image to calibrate on.
        ValueError: an unknown device.
    """

    def __init__(self, checkpoint: Path, shipped: Shipped, threads: int, runs: int) -> None:
        self.checkpoint, self.shipped, self.threads, self.runs = checkpoint, shipped, threads, runs
        self.plan, self.folder = shipped.plan, shipped.folder
        self.stages = Stages(self.folder)
        self.data = [Path(path) for path in self.plan.data]
        self.images = below_data_root(self.plan.images) if self.plan.images else None
        self.gallery = below_data_root(self.plan.photographs) if self.plan.photographs else self.images
        assert self.gallery is not None  # the plan names one of the two
        self.photographs = find_images(self.gallery)
        self.devices = _find_devices(self.plan.devices)

    def make(self, name: str) -> None:
        """Prune, fine-tune, export and quantize a variant, as far as it says so."""
        variant, float_file, file = self.plan.variants[name], self.shipped.float_file(name), self.shipped.file(name)
        start, pruned, trained = self._start(name), self._pruned(name), self._trained(name)
        do: Callable[[], object]
        if variant.prune is not None:
            do = partial(prune, start, pruned, variant.prune, overwrite=True)
            self._once(name, "prune", [start, variant.prune], pruned, do)
        if variant.fine_tune:
            self._once(name, "fine-tune", [pruned, variant.fine_tune], trained, partial(self._fine_tune, name))
        size, precision, scheme = self.plan.size, variant.precision, variant.quantized
        do = partial(export, trained, float_file, [size], precision, overwrite=True)
        self._once(name, "export", [trained, size, precision], float_file, do)
        if scheme:
            do = partial(quantize, float_file, *self._calibration(), scheme=scheme, output=file, overwrite=True)
            self._once(name, "quantize", [float_file, scheme, self._calibration()], file, do)
        card = file.with_suffix(".md")
        self._once(name, "card", [trained, file], card, partial(write_card, card, trained, [file]))

    def score(self, name: str) -> None:
        """Score a variant's file on the plan's data, and a quantized one against its float file."""
        plan, file, float_file = self.plan, self.shipped.file(name), self.shipped.float_file(name)
        scores = self.shipped.accuracy(name)
        do = partial(evaluate, file, self.data, plan.split, plan.protocols, scores, overwrite=True)
        self._once(name, "score", [file, plan.split, plan.protocols, *self.data], scores, do)
        if float_file != file:
            made_from = [float_file, file, *self.photographs]
            self._once(name, "signal to noise", made_from, self.shipped.noise(name), partial(self._compare, name))

    def check(self, name: str) -> None:
        """See what can be known of phones without one."""
        made_from = [self.shipped.file(name), *self.photographs]
        self._once(name, "gates", made_from, self.shipped.gates(name), partial(self._check, name))

    def time(self) -> None:
        """Time all files and references in turn."""
        files, references, folder = self._files(), self.plan.references, self.folder / "benchmark"
        do = partial(benchmark, files, references, self.threads, self.runs, folder, overwrite=True)
        self.stages.once("benchmark", [self.threads, self.runs, references, *files], folder / "benchmark.json", do)

    def look_inside(self) -> None:
        """Time the layers of the first variant and of the first int8 one, and see what each costs that one."""
        do: Callable[[], object]
        for name in self.shipped.inspected:
            do = partial(self._time_layers, name)
            made_from = [self.shipped.file(name), self.threads]
            self._once(name, "time layers", made_from, self.shipped.layers(name), do)
        for name in self.shipped.inspected[1:]:
            float_file, folder = self.shipped.float_file(name), self.folder / "sensitivity"
            images, data = self._calibration()
            do = partial(
                sensitivity,
                float_file,
                images,
                data,
                runs=self.runs,
                threads=self.threads,
                output=folder,
                overwrite=True,
            )
            settings = [float_file, self._calibration(), self.runs, self.threads]
            self._once(name, "sensitivity", settings, folder / "sensitivity.json", do)

    def judge_devices(self) -> None:
        """Say what is known of the files on the plan's devices."""
        if self.devices:
            files, output = self._files(), self.folder / "devices.json"
            paths = [Path(path) for path in self.plan.measured]
            made_from = [self.plan.devices, TARGETS, *paths, *files]
            self.stages.once("devices", made_from, output, partial(self._judge, files, paths, output))

    def _once(self, name: str, step: str, made_from: object, output: Path, do: Callable[[], object]) -> None:
        self.stages.once(f"{name}: {step}", made_from, output, do)

    def _calibration(self) -> tuple[Path | None, list[Path]]:
        """The folder to calibrate on, or the YAMLs whose training frames are taken."""
        return (self.images, []) if self.images else (None, self.data)

    def _files(self) -> list[Path]:
        return [self.shipped.file(name) for name in self.plan.variants]

    def _start(self, name: str) -> Path:
        """The checkpoint that a variant starts from."""
        start = self.plan.variants[name].start
        return self.checkpoint if start is None else self._trained(start)

    def _pruned(self, name: str) -> Path:
        pruned = self.plan.variants[name].prune is not None
        return self.folder / "pruned" / f"{name}.ckpt" if pruned else self._start(name)

    def _trained(self, name: str) -> Path:
        """The checkpoint that a variant is exported from."""
        tuned = self.plan.variants[name].fine_tune
        return self.folder / "training" / name / "checkpoints" / "best.ckpt" if tuned else self._pruned(name)

    def _fine_tune(self, name: str) -> None:
        """Train on from what it starts from, with that checkpoint's own YAML below the variant's arguments."""
        start, folder = self._pruned(name), self.folder / "training" / name
        arguments = self.plan.variants[name].fine_tune
        below, settings = folder.with_name(f"{name}.yaml"), folder.with_name(f"{name}.json")
        given = [content(start), arguments]
        if settings.is_file() and read_json(settings) != given:  # what was trained there is of another plan
            shutil.rmtree(folder, ignore_errors=True)
        _write(settings, given)
        with atomic_write(below) as temporary:
            temporary.write_text(read_checkpoint(start)["config"])
        fit(["-c", str(below), "--model.weights", str(start), *arguments], folder)

    def _check(self, name: str) -> None:
        gates = check_gates(self.shipped.file(name), self.gallery)
        _write(self.shipped.gates(name), [asdict(gate) for gate in gates])

    def _compare(self, name: str) -> None:
        float_file, file = OnnxNetwork(self.shipped.float_file(name)), OnnxNetwork(self.shipped.file(name))
        _write(self.shipped.noise(name), {"sqnr_db": signal_to_noise(float_file, file, self.photographs)})

    def _judge(self, files: list[Path], measured: list[Path], output: Path) -> None:
        results = [result for path in measured for result in read_measured(path)]
        _write(output, [asdict(each) for each in check_budgets(files, self.devices, results)])

    def _time_layers(self, name: str) -> None:
        times = layer_times(self.shipped.file(name), self.threads)
        _write(self.shipped.layers(name), [asdict(each) for each in times])


def _find_devices(names: list[str]) -> list[Device]:
    known = read_targets(TARGETS) if names else {}
    for name in names:
        if name not in known:
            raise ValueError(f"no device {name!r}; known are {', '.join(known)}")
    return [known[name] for name in names]


def _write(path: Path, value: object) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")
