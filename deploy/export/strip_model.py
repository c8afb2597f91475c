"""Removal of content that no runtime needs from an ONNX model. Does not import torch."""

from __future__ import annotations

import onnx
from onnx import numpy_helper


def strip_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Reduce the file size of a model in place without changing its output.

    Removes the source locations of nodes and the operator sets that no node uses. Merges tensors with equal values,
    which are mostly zero points. Stores all tensors as raw data.
    """
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.metadata_props[:]
    used = {node.domain for node in model.graph.node} | {""}
    kept = [each for each in model.opset_import if each.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    _merge_equal_tensors(model.graph)
    return model


def _merge_equal_tensors(graph: onnx.GraphProto) -> None:
    """Keep one of several equal tensors and store all as raw data."""
    outputs = {value.name for value in graph.output}
    first: dict[tuple[object, ...], str] = {}
    renamed: dict[str, str] = {}
    tensors = []
    for tensor in graph.initializer:
        raw = numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name)
        key = (raw.data_type, tuple(raw.dims), raw.raw_data)
        if key in first and tensor.name not in outputs:
            renamed[tensor.name] = first[key]
            continue
        first.setdefault(key, tensor.name)
        tensors.append(raw)
    del graph.initializer[:]
    graph.initializer.extend(tensors)
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
