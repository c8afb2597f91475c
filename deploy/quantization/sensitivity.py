"""``pocketdepth quantize --sensitivity``: effect of each int8 layer on accuracy, latency and file size.

Imports torch only if a data module is used.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import onnxruntime
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deploy.measure.sqnr import Deviation, Fp32Reference
from deploy.measure.timing import cpu_name
from deploy.quantization.calibration import Method, ranges, read_images
from deploy.quantization.calibration_shift import warn_if_calibration_shifted
from deploy.quantization.layer_costs import alone_db, costs_ms, variants
from deploy.quantization.quantizer import fp32_file, open_fp32, prepared, quantized
from lightning_app.files import atomic_write, refuse_existing

RESOLUTION = 0.01  # smallest measurable cost, relative to the latency of the int8 file
NO_NOISE = 120.0  # SQNR in dB that corresponds to float32 rounding
SHOWN = 30  # largest number of layers in the plot


@dataclass(frozen=True)
class Layer:
    """Effect of one layer of an int8 file.

    Attributes:
        node: name of the node, as accepted by ``quantize --float``.
        kind: operator; for convolutions also the kernel size and whether it is depthwise.
        weights: name of the layer's weight without ``.weight``; empty if it has none.
        gain_db: increase of the SQNR of depth with this layer in float. Negative if its error cancels another error.
        alone_db: SQNR of depth with only this layer in int8.
        cost_ms: increase of the median latency with this layer in float. Negative if it is faster in float.
        cost_mb: increase of the file size with this layer in float, in 10^6 bytes.
        gain_db_per_ms: sort key. The cost is at least 1% of the latency of the int8 file.
    """

    node: str
    kind: str
    weights: str
    gain_db: float
    alone_db: float
    cost_ms: float
    cost_mb: float
    gain_db_per_ms: float


def sensitivity(
    model: Path,
    images: Path | None = None,
    data: Sequence[Path] = (),
    method: Method = "minmax",
    number: int = 64,
    runs: int = 20,
    threads: int = 1,
    output: Path = Path("runs/sensitivity"),
    overwrite: bool = False,
    skip_corrupt: bool = False,
) -> list[Layer]:
    """Measure the effect of each layer of the static int8 file and write ``sensitivity.{txt,json,png}``.

    Calibration runs once. Accuracy is measured on held-out images if there are enough images. Latency is measured in
    interleaved runs: each run of a variant follows a run of the int8 file.

    Args:
        model: fp32 ONNX file, or a checkpoint, which is exported first, beside it.
        images: folder of calibration images.
        data: YAMLs of an experiment. Without ``images``, its training split is used for calibration.
        method: calibration method: ``minmax``, ``percentile`` or ``entropy``.
        number: largest number of calibration images.
        runs: number of timed runs per file.
        threads: number of threads of each session.
        output: folder for the results.
        overwrite: replace existing outputs.
        skip_corrupt: report and skip corrupt images.

    Returns:
        The layers, sorted by gain per millisecond, highest first.

    Raises:
        FileNotFoundError: the model, the folder or a YAML is missing, or the folder contains no image.
        FileExistsError: an output exists.
        ValueError: not an fp32 ONNX file, or no calibration images.
        OSError: an image is corrupt and ``skip_corrupt`` is False.
        RuntimeError: all images are corrupt.
    """
    files = [output / f"sensitivity.{suffix}" for suffix in ("txt", "json", "png")]
    refuse_existing(*files, overwrite=overwrite)
    model = fp32_file(model)
    network = open_fp32(model)
    fp32 = prepared(model)
    chosen = read_images(images, data, network.size, number, skip_corrupt)
    warn_if_calibration_shifted(fp32, network.info, chosen.calibrate)
    found = ranges(fp32, chosen.calibrate, method)
    with TemporaryDirectory() as name:
        make = partial(quantized, fp32, "static", found)
        reference = Fp32Reference(network, chosen.judge)
        tried = variants(make, reference, Path(name))
        alone = alone_db(make, reference, [each.node for each in tried[1:]], [])
        base_ms, costs = costs_ms(tried[0].path, [each.path for each in tried[1:]], runs, threads)
    nodes = {node.name: node for node in fp32.graph.node}
    layers = []
    for each, cost_ms in zip(tried[1:], costs, strict=True):
        gain_db = each.deviation.sqnr_db - tried[0].deviation.sqnr_db
        kind, weights = _describe(nodes[each.node], fp32)
        cost_mb = (each.size - tried[0].size) / 1e6
        per_ms = gain_db / max(cost_ms, RESOLUTION * base_ms)
        layers.append(Layer(each.node, kind, weights, gain_db, alone[each.node], cost_ms, cost_mb, per_ms))
    layers.sort(key=lambda layer: -layer.gain_db_per_ms)
    how = _conditions(tried[0].deviation, tried[0].size, base_ms, str(chosen), runs, threads)
    table = _table(layers, how)
    with atomic_write(files[0]) as temporary, temporary.open("w") as stream:
        Console(file=stream, width=130).print(table)
    with atomic_write(files[1]) as temporary:
        content: dict[str, Any] = {
            "model": str(model),
            "how": how,
            "int8": tried[0].deviation._asdict() | {"ms": base_ms, "mb": tried[0].size / 1e6},
            "layers": [asdict(layer) for layer in layers],
        }
        temporary.write_text(json.dumps(content, indent=2) + "\n")
    _draw(layers, model.name, how, files[2])
    Console(width=max(Console().width, 130)).print(table)
    print(f"table and plot: {output}/sensitivity.txt, .json, .png")
    return layers


def _describe(node: onnx.NodeProto, model: onnx.ModelProto) -> tuple[str, str]:
    """Return the kind of a node and the name of its weight."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    own = next((name for name in node.input[1:2] if name in weights), "")
    if node.op_type not in ("Conv", "ConvTranspose") or not own:
        return node.op_type, ""
    kernel = "x".join(map(str, weights[own].dims[2:]))
    groups = next((each.i for each in node.attribute if each.name == "group"), 1)
    kind = f"{node.op_type} {kernel}" + (" depthwise" if groups > 1 and weights[own].dims[1] == 1 else "")
    return kind, re.sub(r"\.weight$", "", own)


def _conditions(base: Deviation, size: int, base_ms: float, images: str, runs: int, threads: int) -> str:
    """Describe the measurement in one line."""
    host = f"{cpu_name()}, {threads} thread{'s'[: threads != 1]}, onnxruntime {onnxruntime.__version__}"
    return (
        f"int8 file ({base.sqnr_db:.1f} dB, {base_ms:.2f} ms, {size / 1e6:.2f} MB) with one layer in float at a time; "
        f"{images}; medians of {runs} runs, interleaved with the int8 file; {host}"
    )


def _table(layers: list[Layer], how: str) -> Table:
    table = Table(caption=how, caption_justify="left", box=SIMPLE_HEAD)
    for name in ("node", "kind", "layer"):
        table.add_column(name, overflow="fold")
    for name in ("gain, dB", "alone, dB", "cost, ms", "cost, MB", "dB per ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for layer in layers:
        alone = f"{layer.alone_db:.1f}" if layer.alone_db < NO_NOISE else "no noise"
        figures = (f"{layer.gain_db:+.2f}", alone, f"{layer.cost_ms:+.3f}", f"{layer.cost_mb:+.3f}")
        table.add_row(layer.node, layer.kind, _short_name(layer), *figures, f"{layer.gain_db_per_ms:+.1f}")
    return table


def _draw(layers: list[Layer], name: str, how: str, path: Path) -> None:
    from matplotlib.figure import Figure  # slow to import

    noise = {layer.node: 10 ** (-layer.alone_db / 10) for layer in layers}
    shown = sorted(layers, key=lambda layer: -noise[layer.node])[:SHOWN]
    figure = Figure(figsize=(12, 1.8 + 0.26 * len(shown)), layout="constrained")
    shares, gains, costs = figure.subplots(1, 3, sharey=True)
    places = range(len(shown))
    total = max(sum(noise.values()), 1e-30)
    shares.barh(places, [100 * noise[layer.node] / total for layer in shown], color="#8a5aa8", height=0.7)
    gains.barh(places, [layer.gain_db for layer in shown], color="#3b6fb6", height=0.7)
    colours = ["#e08a2e" if layer.cost_ms > 0 else "#4c9a5b" for layer in shown]
    costs.barh(places, [layer.cost_ms for layer in shown], color=colours, height=0.7)
    shares.set_yticks(places, [f"{_short_name(layer) or layer.node}  {layer.kind}" for layer in shown], fontsize=8)
    shares.invert_yaxis()
    shares.margins(y=0.01)
    shares.set_xlabel("noise with only this layer in int8,\n% of the sum over layers")
    gains.set_xlabel("SQNR gain with this layer in float,\ndB (below 0: its error cancels another error)")
    costs.set_xlabel("additional latency with this layer in float,\nms (green: faster in float)")
    for axes in (shares, gains, costs):
        axes.axvline(0, color="#333333", linewidth=0.8)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
    most = f" ({len(shown)} of {len(layers)} layers, those with the most noise)" if len(shown) < len(layers) else ""
    figure.suptitle(f"{name} in int8, per layer{most}", x=0.01, ha="left", fontsize=12)
    figure.supxlabel("\n".join(textwrap.wrap(how, 190)), fontsize=7, color="#555555", x=0.01, ha="left")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130)


def _short_name(layer: Layer) -> str:
    """Shortened name of the layer in the network."""
    return re.sub(r"^encoder\.backbone\.|\.conv$", "", layer.weights)
