"""``pocketdepth quantize --sensitivity``: what each layer of an int8 file takes, in accuracy, time and bytes. Imports
torch for a data module alone."""

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
from deploy.quantization.quantizer import open_fp32, prepared, quantized
from lightning_app.files import atomic_write, refuse_existing

RESOLUTION = 0.01  # of the int8 file's time: a cost below it cannot be told from none
NO_NOISE = 120.0  # dB, float32's own
SHOWN = 30  # layers in the picture


@dataclass(frozen=True)
class Layer:
    """One layer of an int8 file, put back to float alone.

    Attributes:
        node: its name, as ``quantize --float`` takes it.
        kind: its operator; of a convolution also the kernel, and whether it is depthwise.
        weights: the name of its weights, which says where in the network it stands.
        gain_db: growth of the SQNR of depth; below 0 where its error hides another one's.
        alone_db: SQNR with this layer alone in int8: the noise that it makes itself.
        cost_ms: growth of the median latency; negative where the layer is faster in float.
        cost_mb: growth of the file, in 10^6 bytes.
        gain_db_per_ms: by which layers are sorted; a cost below a hundredth of the int8 file's time counts as that.
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
    """Put each layer of the static int8 file back to float alone, and write ``sensitivity.{txt,json,png}``.

    Calibrated once. Gains are measured on images that were kept back from calibration, where there are enough; costs in
    time against the int8 file, which runs before each layer's file in each round.

    Args:
        model: fp32 ONNX file.
        images: folder of images.
        data: YAMLs of an experiment, whose training frames are taken where there is no folder.
        method: of calibration.
        number: how many images are calibrated on at most.
        runs: timed runs of each file.
        threads: of each session.
        output: folder.
        overwrite: replace outputs that exist.
        skip_corrupt: report corrupt images and go on.

    Returns:
        The layers, by gain per millisecond.

    Raises:
        FileNotFoundError: no such model, folder or YAML, or no image in it.
        FileExistsError: an output that exists.
        ValueError: not an fp32 ONNX file, or nothing to calibrate on.
        OSError: a corrupt image.
        RuntimeError: all images are corrupt.
    """
    files = [output / f"sensitivity.{suffix}" for suffix in ("txt", "json", "png")]
    refuse_existing(*files, overwrite=overwrite)
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
    print(f"table and picture: {output}/sensitivity.txt, .json, .png")
    return layers


def _describe(node: onnx.NodeProto, model: onnx.ModelProto) -> tuple[str, str]:
    """What a node is, and the name of its weights."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    own = next((name for name in node.input[1:2] if name in weights), "")
    if node.op_type not in ("Conv", "ConvTranspose") or not own:
        return node.op_type, ""
    kernel = "x".join(map(str, weights[own].dims[2:]))
    groups = next((each.i for each in node.attribute if each.name == "group"), 1)
    kind = f"{node.op_type} {kernel}" + (" depthwise" if groups > 1 and weights[own].dims[1] == 1 else "")
    return kind, re.sub(r"\.weight$", "", own)


def _conditions(base: Deviation, size: int, base_ms: float, images: str, runs: int, threads: int) -> str:
    host = f"{cpu_name()}, {threads} thread{'s'[: threads != 1]}, onnxruntime {onnxruntime.__version__}"
    return (
        f"each layer of the int8 file ({base.sqnr_db:.1f} dB, {base_ms:.2f} ms, {size / 1e6:.2f} MB) in float alone; "
        f"{images}; medians of {runs} runs beside the int8 file; {host}"
    )


def _table(layers: list[Layer], how: str) -> Table:
    table = Table(caption=how, caption_justify="left", box=SIMPLE_HEAD)
    for name in ("node", "kind", "place"):
        table.add_column(name, overflow="fold")
    for name in ("gain dB", "alone dB", "cost ms", "cost MB", "dB per ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for layer in layers:
        alone = f"{layer.alone_db:.1f}" if layer.alone_db < NO_NOISE else "no noise"
        figures = (f"{layer.gain_db:+.2f}", alone, f"{layer.cost_ms:+.3f}", f"{layer.cost_mb:+.3f}")
        table.add_row(layer.node, layer.kind, _place(layer), *figures, f"{layer.gain_db_per_ms:+.1f}")
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
    shares.set_yticks(places, [f"{_place(layer) or layer.node}  {layer.kind}" for layer in shown], fontsize=8)
    shares.invert_yaxis()
    shares.margins(y=0.01)
    shares.set_xlabel("noise with this layer alone in int8,\n% of the sum over layers")
    gains.set_xlabel("gain in SQNR with this layer in float,\ndB (below 0: its error hid another one's)")
    costs.set_xlabel("cost in latency of that, ms\n(green: faster in float)")
    for axes in (shares, gains, costs):
        axes.axvline(0, color="#333333", linewidth=0.8)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
    most = f", the {len(shown)} of {len(layers)} layers that make most noise" if len(shown) < len(layers) else ""
    figure.suptitle(f"{name} in int8, layer by layer{most}", x=0.01, ha="left", fontsize=12)
    figure.supxlabel("\n".join(textwrap.wrap(how, 190)), fontsize=7, color="#555555", x=0.01, ha="left")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130)


def _place(layer: Layer) -> str:
    """Where a layer stands, as shortly as it can be said."""
    return re.sub(r"^encoder\.backbone\.|\.conv$", "", layer.weights)
