"""Export a checkpoint, quantize it, and run the file: ``python examples/export.py street.ckpt photos/``."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy import export_onnx, load, quantize


def main(checkpoint: str, photos: str) -> None:
    """Write an fp32 and an int8 file beside the checkpoint, and predict the depth of the first photo."""
    (fp32,) = export_onnx(checkpoint)  # or a network in memory: export_onnx(network, "depth.onnx", sizes=[(192, 640)])
    int8 = quantize(fp32, Path(photos))  # calibrated on the photos
    photo = min(Path(photos).rglob("*.jpg"))
    depth = load(int8)(photo)  # float32 metres, (H, W)
    print(f"{photo.name}: {depth.min():.1f} to {depth.max():.1f} m")


if __name__ == "__main__":
    main(*sys.argv[1:])
