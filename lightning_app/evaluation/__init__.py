"""Evaluation: protocols, metrics and tables."""

from lightning_app.evaluation.metrics import DepthMetrics, frame_errors
from lightning_app.evaluation.protocols import PROTOCOLS, Protocol
from lightning_app.evaluation.score_predictions import score

__all__ = ["PROTOCOLS", "DepthMetrics", "Protocol", "frame_errors", "score"]
