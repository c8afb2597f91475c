"""``quantize --auto``: the fewest layers in float that meet an accuracy loss. Imports torch for a data module alone."""

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

RUNS = 20  # timed runs for the report


def auto_float_nodes(
    make: Make,
    model: Path,
    reference: Fp32Reference,
    limit: float,
    float_nodes: Sequence[str] = (),
    data: Sequence[Path] = (),
) -> list[str]:
    """The fewest layers to keep in float, in the order of the noise that each makes alone.

    Layers are sorted by the SQNR that is left with each of them alone in int8, the lowest first: the gain of putting
    one back to float says less, as errors of layers cancel each other in part. The first 1, 2, 4, ... of them are kept
    in float until the limit is met, then bisection finds the fewest. What is returned was measured to meet the limit,
    but it is the fewest of this order alone: a smaller set may exist, and where more layers in float lose more, a
    shorter beginning too. No set is taken that moves depth farther from fp32's than none does: abs_rel of few frames,
    aligned by their median, may fall all the same.

    Args:
        make: quantizes, with the metadata of its file.
        model: the fp32 file.
        reference: its output for the images that each file is compared on.
        limit: of the loss: the mean change of depth on those images; or, with ``data``, the relative growth of abs_rel.
        float_nodes: what stays in float in any case.
        data: YAMLs of an experiment, on whose ``val`` frames abs_rel is measured under the first protocol.

    Returns:
        ``float_nodes`` and the layers that it takes.

    Raises:
        ValueError: the protocol of ``data`` has no abs_rel.
        RuntimeError: the limit is not met with all layers but one in float.
    """

    def change(path: Path) -> float:
        return reference.compare(OnnxNetwork(path, threads=1)).change

    loss, of = _growth_of_abs_rel(model, data) if data else (change, "the mean change of depth")
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
            more = ", but depth is farther from fp32's" if farther else ""
            print(f"auto: {count} of {len(order)} layers in float: {losses[count]:.2%}{more}")
            return losses[count] <= limit and not farther

        low, high, most = 0, 1, len(order) - 1
        while high > most or not meets(high):
            if high >= most:
                best = min([before, *losses.values()])
                raise RuntimeError(
                    f"--auto {limit}: {of} is {best:.2%} at best, even with all but one of {len(order)} layers in "
                    "float; keep fp32, or allow more"
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


def _growth_of_abs_rel(model: Path, data: Sequence[Path]) -> tuple[Callable[[Path], float], str]:
    """The growth of abs_rel from a model to a file, as a function of the file; and what it is of."""
    reference, protocol = _abs_rel(model, data)
    return lambda path: _abs_rel(path, data)[0] / reference - 1, f"the growth of abs_rel on val ({protocol})"


def _abs_rel(path: Path, data: Sequence[Path]) -> tuple[float, str]:
    from deploy.inference.evaluate import evaluate  # imports torch

    with contextlib.redirect_stdout(io.StringIO()):  # a table for each file
        results = evaluate(path, list(data), "val")
    protocol, metrics = next(iter(results.items()))
    if "abs_rel" not in metrics:
        raise ValueError(f"{', '.join(map(str, data))}: protocol {protocol} has no abs_rel for --auto to hold")
    return metrics["abs_rel"], protocol
