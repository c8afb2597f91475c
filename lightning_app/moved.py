"""Old names in checkpoints and YAMLs, and their replacements."""

from __future__ import annotations

import re
from typing import Any

# Prefixes of class paths, and settings with their values.
MOVED = {
    "lightning_app.depth_module.": "lightning_app.training.",
    "lightning_app.style_module.": "lightning_app.training.",
    "lightning_app.schedule.": "lightning_app.training.",
    "deploy.teacher.": "deploy.inference.",
    "deploy.onnx_module.": "deploy.inference.",
    "deploy.int8.fake_quantize.": "deploy.quantization.",
    "models.narrowed": "models.with_pruned_channels",
    "damaged: refuse": "on_corrupt: raise",
    "damaged: skip": "on_corrupt: skip",
    "shared_scenes: refuse": "shared_scenes: raise",
}
_OLD = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, MOVED))})")


def with_new_names(value: Any) -> Any:
    """Replace old names in a string, or in all strings of nested dictionaries and lists."""
    if isinstance(value, str):
        return _OLD.sub(lambda match: MOVED[match[0]], value)
    if isinstance(value, dict):
        return {with_new_names(key): with_new_names(each) for key, each in value.items()}
    return [with_new_names(each) for each in value] if isinstance(value, list) else value
