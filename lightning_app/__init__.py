"""Command line, training, evaluation, comparison, profiling and data tools."""

import sys
from pathlib import Path

from lightning_app.own_packages import require_own_packages

# The command line checks in main(), which prints one line; with `python -m`, the working folder is still first then.
if sys.argv[:1] != ["-m"] and Path(*sys.argv[:1]).stem != "pocketdepth":
    require_own_packages()
