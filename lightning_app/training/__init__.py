"""Training: LightningCLI, Lightning modules, schedules and run folders."""

from lightning_app.training.depth_module import DepthModule
from lightning_app.training.schedule import OneCycle, WarmupCosine
from lightning_app.training.style_module import StyleModule, load_stylizer

__all__ = ["DepthModule", "OneCycle", "StyleModule", "WarmupCosine", "load_stylizer"]
