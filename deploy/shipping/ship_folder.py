"""The output folder of `pocketdepth ship`: paths of its files and their content. No torch."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from deploy.shipping.limits import Measured
from deploy.shipping.plan import Plan


class ShipFolder:
    """The output folder of a plan: paths of its files, and the measured figures.

    Args:
        plan: plan of the files.
        folder: output folder. It can be moved between calls because results are found by variant name, not by path.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder

    def file(self, name: str) -> Path:
        """Path of a variant's ONNX file."""
        return self.folder / "files" / f"{name}.onnx"

    def float_file(self, name: str) -> Path:
        """Path of a variant's float file: the file itself, or the file that it is quantized from."""
        return self.folder / "float" / f"{name}.onnx" if self.plan.variants[name].quantized else self.file(name)

    def accuracy(self, name: str) -> Path:
        """Path of a variant's scores, as `evaluate` writes them."""
        return self.folder / "accuracy" / f"{name}.json"

    def sqnr(self, name: str) -> Path:
        """Path of the SQNR of a quantized variant against its float file."""
        return self.folder / "sqnr" / f"{name}.json"

    def gates(self, name: str) -> Path:
        """Path of the results of :func:`deploy.devices.gates.check_gates` for a variant's file."""
        return self.folder / "gates" / f"{name}.json"

    def layers(self, name: str) -> Path:
        """Path of the layer times of a variant."""
        return self.folder / "layers" / f"{name}.json"

    @property
    def profiled(self) -> list[str]:
        """The variants whose layers are timed: the first variant and the first in static int8."""
        int8 = [name for name, variant in self.plan.variants.items() if variant.scheme == "static"]
        return [self.plan.first, *int8[:1]]

    @cached_property
    def timing(self) -> dict[str, Any]:
        """The content of ``benchmark.json``."""
        found: dict[str, Any] = read_json(self.folder / "benchmark" / "benchmark.json")
        return found

    @cached_property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows of the benchmark by name of variant or reference network."""
        rows = self.timing["rows"]  # variants in the order of the plan, then references
        references = rows[len(self.plan.variants) :]
        names = [row["file"] + "-int8" * (row["precision"] == "int8") for row in references]
        return dict(zip([*self.plan.variants, *names], rows, strict=True))

    @cached_property
    def scores(self) -> dict[str, Any]:
        """The scores of each variant, by name."""
        return {name: read_json(self.accuracy(name)) for name in self.plan.variants}

    @property
    def protocol(self) -> str:
        """The name of the first protocol, which limits apply to."""
        return str(next(iter(self.scores[self.plan.first]["results"])))

    @cached_property
    def measured(self) -> dict[str, Measured]:
        """The figures of each variant and reference network, by name."""
        return {name: self._measured(name, row) for name, row in self.rows.items()}

    @property
    def sensitivity(self) -> list[dict[str, Any]]:
        """The sensitivity of each layer; empty if no variant is in static int8."""
        path = self.folder / "sensitivity" / "sensitivity.json"
        return read_json(path)["layers"] if self.profiled[1:] else []

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """The results of :func:`deploy.devices.budget_check.check_budgets` for the plan's devices."""
        return read_json(self.folder / "devices.json") if self.plan.devices else []

    def _measured(self, name: str, row: dict[str, Any]) -> Measured:
        if name not in self.plan.variants:
            return Measured(None, None, 0, None, row["size_mb"], row["p50_ms"])
        metrics = self.scores[name]["results"][self.protocol]
        sqnr_db = read_json(self.sqnr(name))["sqnr_db"] if self.plan.variants[name].quantized else None
        return Measured(
            metrics["abs_rel"],
            metrics["delta1"],
            metrics["frames"],
            sqnr_db,
            row["size_mb"],
            row["p50_ms"],
            {gate["gate"]: _outcome(gate) for gate in read_json(self.gates(name))},
        )


def _outcome(gate: dict[str, str]) -> str:
    return "passed" if gate["status"] == "passed" else f"{gate['status']}: {gate['detail']}"


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text())
