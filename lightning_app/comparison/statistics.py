"""Statistics of variants over frames and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lightning_app.comparison.scorer import Scores
from lightning_app.evaluation.tables import print_table

MEAN_DEPTH_BASELINE = "mean depth"  # name of the constant mean-depth baseline
METRICS = ("abs_rel", "delta1")
DRAWS = 10_000  # bootstrap samples


@dataclass(frozen=True)
class Comparison:
    """Scores of variants under several protocols. The first variant is the baseline.

    Attributes:
        frames: frames that are scored in all runs under every protocol.
        values: arrays (seeds, frames), indexed by variant, protocol and metric.
    """

    frames: list[str]
    values: dict[str, dict[str, dict[str, NDArray[np.float64]]]]

    @classmethod
    def of(cls, scores: Sequence[tuple[str, Scores]]) -> Comparison:
        """Build a comparison from the scores of runs.

        Args:
            scores: name of the variant and scores, for each run.

        Raises:
            RuntimeError: no frame was scored in all runs.
        """
        each = [set(frames) for _, score in scores for frames in score.values()]
        frames = sorted(set.intersection(*each)) if each else []
        if not frames:
            raise RuntimeError("no frame was scored in all runs")
        values: dict[str, dict[str, dict[str, NDArray[np.float64]]]] = {}
        for variant in dict.fromkeys(name for name, _ in scores):
            own = [score for name, score in scores if name == variant]
            values[variant] = {
                protocol: {
                    metric: np.array([[score[protocol][frame][metric] for frame in frames] for score in own])
                    for metric in METRICS
                }
                for protocol in own[0]
            }
        return cls(frames, values)

    @property
    def protocols(self) -> list[str]:
        return list(next(iter(self.values.values())))

    def difference(self, variant: str, protocol: str, metric: str = "abs_rel") -> tuple[float, float, float]:
        """Difference of a variant to the baseline: mean, and lower and upper end of the 95 % bootstrap interval.

        Frames and seeds are resampled. Frames are paired between the variants, seeds are not.
        """
        ours, first = self.values[variant][protocol][metric], next(iter(self.values.values()))[protocol][metric]
        random = np.random.default_rng(0)
        frames = random.integers(ours.shape[1], size=(DRAWS, ours.shape[1]))
        means = [
            each[random.integers(len(each), size=(DRAWS, len(each)))[:, :, None], frames[:, None]].mean((1, 2))
            for each in (ours, first)
        ]
        low, high = np.percentile(means[0] - means[1], (2.5, 97.5))
        return float(ours.mean() - first.mean()), float(low), float(high)

    def summary(self) -> dict[str, Any]:
        """Values for JSON: means of seeds and of frames, and differences to the baseline."""
        results = {
            variant: {
                protocol: {
                    metric: {
                        "mean": float(table.mean()),
                        "seeds": table.mean(1).tolist(),
                        "frames": table.mean(0).tolist(),
                        "difference": self.difference(variant, protocol, metric),
                    }
                    for metric, table in by_metric.items()
                }
                for protocol, by_metric in by_protocol.items()
            }
            for variant, by_protocol in self.values.items()
        }
        return {"frames": self.frames, "results": results}


def print_comparison(result: Comparison, title: str) -> None:
    """Print a table with one line per variant.

    It contains the mean over seeds and frames, the standard deviation of the means of the seeds, and the difference to
    the first variant with its interval.
    """
    first, seeds = next(iter(result.values)), len(next(iter(result.values.values()))[result.protocols[0]]["abs_rel"])
    resampled = "frames and seeds" if seeds > 1 else "frames; with one seed the variation of seeds is unknown"
    plus_minus = "± standard deviation of the seeds, " if seeds > 1 else ""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    for protocol in result.protocols:
        for name in (f"{protocol}\nabs_rel", "delta1", f"abs_rel minus\n{first}"):
            table.add_column(name, justify="right", no_wrap=True)
    for place, (variant, by_protocol) in enumerate(result.values.items()):
        cells = []
        for protocol, by_metric in by_protocol.items():
            error, delta1 = by_metric["abs_rel"], by_metric["delta1"]
            spread = f" ± {error.mean(1).std(ddof=1):.3f}" if len(error) > 1 else ""
            mean, low, high = result.difference(variant, protocol)
            difference = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]" if place else ""
            cells += [f"{error.mean():.3f}{spread}", f"{delta1.mean():.3f}", difference]
        table.add_row(variant, *cells)
    print_table(table, title)
    print(f"{plus_minus}[95 % bootstrap interval] over {resampled}")
