"""``python -m lightning_app`` is ``pocketdepth``."""

from lightning_app.cli.main import main

main()
