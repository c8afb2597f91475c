"""Callbacks: progress, results, configuration, panels and throughput. Only this folder imports loggers."""

from lightning_app.callbacks.continued_metrics import continue_metrics
from lightning_app.callbacks.exact_resume import ExactResume
from lightning_app.callbacks.final_validation import FinalValidation
from lightning_app.callbacks.health_check import HealthCheck
from lightning_app.callbacks.logger_errors import logger_errors
from lightning_app.callbacks.loggers import StartOfRun, finish
from lightning_app.callbacks.panels import Panels
from lightning_app.callbacks.progress import StepProgress
from lightning_app.callbacks.results import Results
from lightning_app.callbacks.run_config import RunConfig
from lightning_app.callbacks.style_panels import StylePanels
from lightning_app.callbacks.throughput import Throughput

__all__ = [
    "ExactResume",
    "FinalValidation",
    "HealthCheck",
    "Panels",
    "Results",
    "RunConfig",
    "StartOfRun",
    "StepProgress",
    "StylePanels",
    "Throughput",
    "continue_metrics",
    "finish",
    "logger_errors",
]
