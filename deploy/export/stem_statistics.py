"""Statistics of the first layer on the training images, for the metadata of a file."""

from __future__ import annotations

from torch import nn

from deploy.inference.model_info import ModelInfo


def stem_statistics(network: nn.Module) -> ModelInfo:
    """Return mean and standard deviation of the first convolution's output channels over the training images.

    They are read from the BatchNorm after the first convolution. The export fuses both layers, so the values are stored
    as metadata. The result has no entries if the network does not begin with such a pair.
    """
    kinds = (nn.Conv2d, nn.BatchNorm2d)
    first = [module for module in network.modules() if isinstance(module, kinds)][:2]
    if [isinstance(module, nn.BatchNorm2d) for module in first] != [False, True]:
        return ModelInfo()
    norm = first[1]
    assert isinstance(norm, nn.BatchNorm2d)
    if not norm.affine or norm.running_var is None:
        return ModelInfo()
    share = (norm.running_var / (norm.running_var + norm.eps)).sqrt()  # below 1 for channels of small variance
    mean, std = norm.bias.tolist(), (norm.weight.abs() * share).tolist()
    return ModelInfo(stem_mean=tuple(mean), stem_std=tuple(std))
