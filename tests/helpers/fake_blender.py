"""Stands in for Blender: noise before a sloping plane, by the same protocol. Called like a Python that has ``bpy``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np


def main() -> None:
    settings = json.loads(sys.argv[3])  # -m blender SETTINGS
    mode = os.environ.get("FAKE_BLENDER", "")
    if mode == "no bpy":
        sys.exit("ModuleNotFoundError: No module named 'bpy'")
    if settings["gpu"]:
        print(json.dumps({"error": "Blender finds no GPU"}), flush=True)
    print(json.dumps({"blender": "4.5.0"}), flush=True)
    height, width = settings["size"]
    for line in sys.stdin:
        task = json.loads(line)
        for variation in task["variations"]:
            for frame in range(settings["frames"]):
                if mode == "dies" and task["scene"] == 2 and frame == 1:
                    sys.exit("Segmentation fault")
                for camera in (0, 1) if settings["stereo"] else (0,):
                    rng = np.random.default_rng((settings["seed"], task["scene"], frame, camera))
                    depth = np.broadcast_to(np.linspace(70, 2, height)[:, None], (height, width)).copy()
                    depth[: height // 3] = np.inf
                    stem = Path(task["folder"], f"{variation}-{frame}-{camera}")
                    np.save(f"{stem}.colour.npy", rng.uniform(0, 1, (height, width, 3)).astype(np.float16))
                    np.save(f"{stem}.depth.npy", depth.astype(np.float32))
                    answer = {
                        "variation": variation, "frame": frame, "camera": camera,
                        "intrinsics": [0.58 * width, 0.58 * width, (width - 1) / 2, (height - 1) / 2],
                        "extrinsics": np.eye(4).ravel().tolist(),
                    }  # fmt: skip
                    print(json.dumps(answer), flush=True)
        if mode == "sees nothing":
            print(json.dumps({"error": "the camera sees nothing in 25 streets"}), flush=True)
        print(json.dumps({"scene": task["scene"], "attempts": 1}), flush=True)


main()
