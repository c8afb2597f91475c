"""Evaluate a checkpoint or an exported file: ``python examples/evaluate.py street.ckpt base.yaml quickstart.yaml``."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy import evaluate


def main(model: str, *yamls: str) -> None:
    """Score a model on the validation split of the YAMLs."""
    for protocol, metrics in evaluate(Path(model), [Path(yaml) for yaml in yamls], split="val").items():
        print(f"{protocol}: abs_rel {metrics['abs_rel']:.4f} over {metrics['frames']} frames")


if __name__ == "__main__":
    main(*sys.argv[1:])
