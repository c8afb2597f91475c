"""What the first layer saw in training, as metadata of a file."""

from __future__ import annotations

from torch import nn

from deploy.inference.model_info import ModelInfo


def stem_statistics(network: nn.Module) -> ModelInfo:
    """Mean and standard deviation of each channel of the first convolution's output over the training images.

    Its BatchNorm knows them. They are metadata of an ONNX file, in which both are one convolution; empty where there is
    no such pair.
    """
    kinds = (nn.Conv2d, nn.BatchNorm2d)
    first = [module for module in network.modules() if isinstance(module, kinds)][:2]
    if [isinstance(module, nn.BatchNorm2d) for module in first] != [False, True]:
        return ModelInfo()
    norm = first[1]
    assert isinstance(norm, nn.BatchNorm2d)
    if not norm.affine or norm.running_var is None:
        return ModelInfo()
    share = (norm.running_var / (norm.running_var + norm.eps)).sqrt()  # below 1 where a channel hardly varies
    mean, std = norm.bias.tolist(), (norm.weight.abs() * share).tolist()
    return ModelInfo(stem_mean=tuple(mean), stem_std=tuple(std))
