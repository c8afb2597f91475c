"""What the first layer saw in training, as metadata of a file."""

from __future__ import annotations

from torch import nn


def stem_statistics(network: nn.Module) -> dict[str, str]:
    """Mean and standard deviation of each channel of the first convolution's output over the training images.

    Its BatchNorm knows them. They are metadata of an ONNX file, in which both are one convolution; empty where there is
    no such pair.
    """
    from torch import nn

    kinds = (nn.Conv2d, nn.BatchNorm2d)
    first = [module for module in network.modules() if isinstance(module, kinds)][:2]
    if [isinstance(module, nn.BatchNorm2d) for module in first] != [False, True]:
        return {}
    norm = first[1]
    assert isinstance(norm, nn.BatchNorm2d)
    if not norm.affine or norm.running_var is None:
        return {}
    share = (norm.running_var / (norm.running_var + norm.eps)).sqrt()  # below 1 where a channel hardly varies
    values = {"stem_mean": norm.bias, "stem_std": norm.weight.abs() * share}
    return {name: " ".join(f"{value:.4g}" for value in each.tolist()) for name, each in values.items()}
