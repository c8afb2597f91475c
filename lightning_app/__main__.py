"""Run the command line: ``python -m lightning_app`` is the same as ``pocketdepth``."""

import sys

if not sys.flags.safe_path:  # -m puts the working folder first, so its files would shadow modules
    sys.path.append(sys.path.pop(0))

from lightning_app.cli.main import main

main()
