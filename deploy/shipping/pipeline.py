"""The cached steps of a plan, which build the files of its variants and measure them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from deploy.benchmark.benchmark import benchmark
from deploy.devices.budget_check import check_budgets
from deploy.devices.gates import check_gates
from deploy.devices.targets import TARGETS, read_measured, read_targets
from deploy.export.export import export
from deploy.export.model_card import write_card
from deploy.inference.evaluate import evaluate
from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.agreement import read_inputs
from deploy.measure.layer_times import layer_times
from deploy.measure.sqnr import Fp32Reference
from deploy.pruning.prune import prune
from deploy.pruning.pruned_checkpoint import fine_tuning
from deploy.quantization.quantize import quantize
from deploy.quantization.sensitivity import sensitivity
from deploy.shipping.plan import below_data_root
from deploy.shipping.plan_check import check_plan
from deploy.shipping.ship_folder import ShipFolder
from lightning_app.checkpoints import Checkpoint
from lightning_app.experiments import use_yaml
from lightning_app.files import write_json
from lightning_app.image_files import find_images
from lightning_app.step_cache import StepCache
from lightning_app.training.fit_process import as_inputs, fit

COMPARED = 8  # number of photographs that SQNR is measured on


class Pipeline:
    """Builds and measures the files of a plan. Each step is cached.

    Args:
        checkpoint: PocketDepth checkpoint.
        output: output folder with its plan.
        threads: number of threads per session, for timing and sensitivity.
        runs: number of timed runs per file, interleaved.

    Raises:
        FileNotFoundError: no such YAML or image folder, or no image in it.
        ValueError: a corrupt step cache.
    """

    def __init__(self, checkpoint: Path, output: ShipFolder, threads: int, runs: int) -> None:
        self.checkpoint, self.output, self.threads, self.runs = checkpoint, output, threads, runs
        self.plan, self.folder = output.plan, output.folder
        self.steps = StepCache(self.folder)
        self.data = [use_yaml(Path(path)) for path in self.plan.data]
        self.images = below_data_root(self.plan.images) if self.plan.images else None
        self.gallery = below_data_root(self.plan.photographs) if self.plan.photographs else self.images
        assert self.gallery is not None  # read_plan requires images or photographs
        self.photographs = find_images(self.gallery)

    def check(self) -> None:
        """Check everything that the plan names, see :func:`deploy.shipping.plan_check.check_plan`.

        Training that has started or is finished was checked before.
        """
        started = {name for name in self.plan.variants if (self.folder / "training" / name).exists()}
        variants = {
            name: replace(variant, fine_tune=[]) if name in started else variant
            for name, variant in self.plan.variants.items()
        }
        plan = replace(self.plan, variants=variants)
        check_plan(plan, self.checkpoint, self.data, self.images, self.photographs[:COMPARED])

    def build(self, name: str) -> None:
        """Prune, fine-tune, export and quantize a variant as the plan specifies, and write its model card."""
        variant, float_file, file = self.plan.variants[name], self.output.float_file(name), self.output.file(name)
        start, pruned, trained = self._start(name), self._pruned(name), self._trained(name)
        step: Callable[[], object]
        if variant.prune is not None:
            step = partial(prune, start, pruned, variant.prune, overwrite=True)
            self.steps.run(f"{name}: prune", [start, variant.prune], pruned, step)
        if variant.fine_tune:
            inputs = [pruned, self.data, as_inputs(variant.fine_tune)]
            self.steps.run(f"{name}: fine-tune", inputs, trained, partial(self._fine_tune, name))
        size, precision, scheme = self.plan.size, variant.precision, variant.quantized
        step = partial(export, trained, float_file, [size], precision, overwrite=True)
        self.steps.run(f"{name}: export", [trained, size, precision], float_file, step)
        if scheme:
            step = partial(quantize, float_file, *self._calibration(), scheme=scheme, output=file, overwrite=True)
            self.steps.run(f"{name}: quantize", [float_file, scheme, self._calibration()], file, step)
        card = file.with_suffix(".md")
        step = partial(self._write_card, trained, file)
        self.steps.run(f"{name}: model card", [trained, file], card, step)

    def evaluate(self, name: str) -> None:
        """Score a variant's file on the plan's data, and measure the SQNR of a quantized one."""
        plan, file, float_file = self.plan, self.output.file(name), self.output.float_file(name)
        scores = self.output.accuracy(name)
        step = partial(evaluate, file, self.data, plan.split, plan.protocols, scores, overwrite=True)
        self.steps.run(f"{name}: evaluate", [file, plan.split, plan.protocols, *self.data], scores, step)
        if float_file != file:
            inputs = [float_file, file, *self.photographs]
            self.steps.run(f"{name}: SQNR", inputs, self.output.sqnr(name), partial(self._measure_sqnr, name))

    def run_checks(self, name: str) -> None:
        """Run the checks that need no device on a variant's file."""
        inputs = [self.output.file(name), *self.photographs]
        self.steps.run(f"{name}: gates", inputs, self.output.gates(name), partial(self._check, name))

    def benchmark(self) -> None:
        """Time all files and reference networks in interleaved runs."""
        files, references, folder = self._files(), self.plan.references, self.folder / "benchmark"
        step = partial(benchmark, files, references, self.threads, self.runs, folder, overwrite=True)
        inputs = [self.threads, self.runs, references, *self._named_files()]
        self.steps.run("benchmark", inputs, folder / "benchmark.json", step)

    def profile_layers(self) -> None:
        """Time the layers of the first variant and of the first static int8 variant, and measure the sensitivity of the
        latter."""
        for name in self.output.profiled:
            inputs = [self.output.file(name), self.threads]
            self.steps.run(f"{name}: layer times", inputs, self.output.layers(name), partial(self._time_layers, name))
        for name in self.output.profiled[1:]:
            float_file, folder = self.output.float_file(name), self.folder / "sensitivity"
            images, data = self._calibration()
            step = partial(
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
            self.steps.run(f"{name}: sensitivity", settings, folder / "sensitivity.json", step)

    def check_devices(self) -> None:
        """Check the files against the latency budgets of the plan's devices."""
        if self.plan.devices:
            files, output = self._files(), self.folder / "devices.json"
            paths = [Path(path) for path in self.plan.measured]
            inputs = [self.plan.devices, TARGETS, *paths, *self._named_files()]
            self.steps.run("devices", inputs, output, partial(self._check_budgets, files, paths, output))

    def _calibration(self) -> tuple[Path | None, list[Path]]:
        """Calibration images: a folder, or the YAMLs whose training frames are used."""
        return (self.images, []) if self.images else (None, self.data)

    def _files(self) -> list[Path]:
        return [self.output.file(name) for name in self.plan.variants]

    def _named_files(self) -> list[tuple[str, Path]]:
        """Names and files of all variants, as inputs of a step whose output contains the names."""
        return [(name, self.output.file(name)) for name in self.plan.variants]

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
        """Fine-tune a variant on the YAMLs of the plan."""
        config = self.folder / "networks" / f"{name}.yaml"
        arguments = fine_tuning(self._pruned(name), self.data, self.plan.variants[name].fine_tune, config)
        fit(arguments, self.folder / "training" / name)

    def _write_card(self, checkpoint: Path, file: Path) -> None:
        write_card(file.with_suffix(".md"), Checkpoint.open(checkpoint), [file])

    def _check(self, name: str) -> None:
        gates = check_gates(self.output.file(name), self.gallery)
        write_json(self.output.gates(name), [asdict(gate) for gate in gates])

    def _measure_sqnr(self, name: str) -> None:
        float_file, file = OnnxNetwork(self.output.float_file(name)), OnnxNetwork(self.output.file(name))
        reference = Fp32Reference(float_file, read_inputs(self.photographs[:COMPARED], float_file.size))
        write_json(self.output.sqnr(name), {"sqnr_db": reference.compare(file).sqnr_db})

    def _check_budgets(self, files: list[Path], measured: list[Path], output: Path) -> None:
        results = [result for path in measured for result in read_measured(path)]
        known = read_targets(TARGETS)
        devices = [known[name] for name in self.plan.devices]
        write_json(output, [asdict(each) for each in check_budgets(files, devices, results)])

    def _time_layers(self, name: str) -> None:
        times = layer_times(self.output.file(name), self.threads)
        write_json(self.output.layers(name), [asdict(each) for each in times])
