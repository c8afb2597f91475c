"""``quantize --auto``: search for the fewest float layers that meet a limit of accuracy loss.

Imports torch only if a data module is used.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from deploy.inference.onnx_network import OnnxNetwork
from deploy.measure.sqnr import Fp32Reference
from deploy.quantization.layer_costs import Make, alone_db, costs_ms, int8_layers

RUNS = 20  # number of timed runs for the printed latency


def auto_float_nodes(
    make: Make,
    model: Path,
    reference: Fp32Reference,
    limit: float,
    float_nodes: Sequence[str] = (),
    data: Sequence[Path] = (),
) -> list[str]:
    """Find the fewest layers to keep in float, in the order of the noise of each layer.

    Layers are sorted by the SQNR with only that layer in int8, lowest first. The gain of a single layer in float is
    less informative, because errors of layers partly cancel each other. The first 1, 2, 4, ... layers are kept in float
    until the limit is met. Bisection then finds the smallest number.

    The result is measured to meet the limit. It is not guaranteed to be minimal: a smaller set of other layers can
    exist, and the loss does not always decrease with more layers in float. A set that increases the mean change of
    depth is rejected, because abs_rel on few median-aligned frames can decrease by chance.

    Args:
        make: function that quantizes with given nodes in float and adds the metadata.
        model: fp32 file.
        reference: outputs of ``model`` for the images that each file is compared on.
        limit: largest accuracy loss: the mean change of depth, or with ``data`` the relative increase of abs_rel.
        float_nodes: names of nodes that always stay in float.
        data: YAMLs of an experiment. abs_rel is measured on its validation split under the first protocol.

    Returns:
        ``float_nodes`` and the names of the selected layers.

    Raises:
        ValueError: the protocol of ``data`` has no abs_rel.
        RuntimeError: the limit is not met, even with all layers except one in float.
    """

    def change(path: Path) -> float:
        return reference.compare(OnnxNetwork(path, threads=1, warn=False)).change

    loss, of = _abs_rel_increase(model, data) if data else (change, "the mean change of depth")
    with TemporaryDirectory() as name:
        first = Path(name) / "0.onnx"
        onnx.save(make(float_nodes), first)
        before, changed = loss(first), change(first)
        allowed = f"auto: {of} is {before:.2%}, {limit:.2%} is allowed"
        if before <= limit:
            print(f"{allowed}: no further layer in float")
            return list(float_nodes)
        print(allowed)
        noise = alone_db(make, reference, int8_layers(onnx.load(first), float_nodes), float_nodes)
        order = sorted(noise, key=lambda node: noise[node])
        losses: dict[int, float] = {}

        def meets(count: int) -> bool:
            path = first.with_name(f"{count}.onnx")
            onnx.save(make([*float_nodes, *order[:count]]), path)
            losses[count] = loss(path)
            farther = change(path) > changed
            more = ", rejected: larger mean change of depth" if farther else ""
            print(f"auto: {count} of {len(order)} layers in float: {losses[count]:.2%}{more}")
            return losses[count] <= limit and not farther

        low, high, most = 0, 1, len(order) - 1
        while high > most or not meets(high):
            if high >= most:
                best = min([before, *losses.values()])
                raise RuntimeError(
                    f"--auto {limit}: {of} is {best:.2%} at best, even with all but one of {len(order)} layers in "
                    "float; keep fp32, or increase --auto"
                )
            low, high = high, min(2 * high, most)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if meets(middle) else (middle, high)
        found = first.with_name(f"{high}.onnx")
        before_ms, (cost_ms,) = costs_ms(first, [found], RUNS)
        cost_mb = (found.stat().st_size - first.stat().st_size) / 1e6
        print(f"auto: {high} of {len(order)} layers stay in float: {', '.join(order[:high])}")
        print(f"auto: {of} {before:.2%} -> {losses[high]:.2%}, ", end="")
        print(f"for {cost_ms:+.2f} ms on {before_ms:.2f} ms (1 thread, {RUNS} interleaved runs) and {cost_mb:+.2f} MB")
        return [*float_nodes, *order[:high]]


def _abs_rel_increase(model: Path, data: Sequence[Path]) -> tuple[Callable[[Path], float], str]:
    """Return a function for the relative increase of abs_rel from a model to a file, and a description of it."""
    reference, protocol = _abs_rel(model, data)
    return (
        lambda path: _abs_rel(path, data)[0] / reference - 1,
        f"the relative increase of abs_rel on the validation split ({protocol})",
    )


def _abs_rel(path: Path, data: Sequence[Path]) -> tuple[float, str]:
    """Return abs_rel on the validation split and the name of the protocol."""
    from deploy.inference.evaluate import evaluate  # imports torch

    # Suppress the table of each file, and warnings about temporary files that `quantize` printed for the model.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        results = evaluate(path, list(data), "val")
    protocol, metrics = next(iter(results.items()))
    if "abs_rel" not in metrics:
        raise ValueError(f"{', '.join(map(str, data))}: --auto needs abs_rel, which protocol {protocol} does not have")
    return metrics["abs_rel"], protocol
