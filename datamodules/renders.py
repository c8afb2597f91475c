"""What ``pocketdepth data render`` leaves beside its frames."""

from __future__ import annotations

import json
from pathlib import Path

from datamodules.lists import read_text
from datamodules.reader import Licence


def licence_of_renders(root: Path) -> Licence | None:
    """The licence of frames of ``pocketdepth data render``, which leaves its settings with them; None for others."""
    path = root / "settings.json"
    try:
        settings = json.loads(read_text(path)) if path.is_file() else {}
        if not {"pocketdepth", "blender", "textures"} <= set(settings):
            return None
    except (TypeError, ValueError):
        return None
    if settings["textures"] is not None:
        return Licence("streets rendered with photographs", "that of the photographs on their surfaces", None)
    return Licence("streets rendered by PocketDepth", "free for any use", True)
