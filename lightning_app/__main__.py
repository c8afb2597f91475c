"""``python -m lightning_app`` is ``pocketdepth``."""

from lightning_app.app import main

main()
