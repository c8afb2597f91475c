"""``python -m lightning_app`` is ``pocketdepth``."""

import sys

if not sys.flags.safe_path:  # Python puts the working folder first, where a file of any name would shadow a module's
    sys.path.append(sys.path.pop(0))

from lightning_app.cli.main import main

main()
