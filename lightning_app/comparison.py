"""What variants scored, frame by frame and seed by seed: what that allows to be concluded, as a table and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import Tensor

from lightning_app.callbacks.panels import is_sparse, to_picture, widened
from lightning_app.colour import colour_depth
from lightning_app.files import written_whole
from lightning_app.frame_scores import Picture, Scores
from lightning_app.report import print_table

BLIND = "mean depth"  # what looks at no image
METRICS = ("abs_rel", "delta1")
DRAWS = 10_000  # of the bootstrap
WIDTH, LABEL = 320, 170  # of a picture in a panel, and of the names before them


@dataclass(frozen=True)
class Comparison:
    """Variants under several protocols; the first is what the others are compared with.

    Attributes:
        frames: the frames that all runs scored under every protocol.
        values: by variant, protocol and metric: (seeds, frames).
    """

    frames: list[str]
    values: dict[str, dict[str, dict[str, NDArray[np.float64]]]]

    @classmethod
    def of(cls, scores: Sequence[tuple[str, Scores]]) -> Comparison:
        """From the scores of each run, by protocol, frame and metric, with its variant's name.

        Raises:
            RuntimeError: not one frame was scored by all.
        """
        each = [set(frames) for _, score in scores for frames in score.values()]
        frames = sorted(set.intersection(*each)) if each else []
        if not frames:
            raise RuntimeError("not one frame was scored by all runs")
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
        """By how much a variant differs from the first: the mean, and the interval that holds 95 % of the means of
        redrawn frames and seeds (a bootstrap over both; frames are paired, seeds are not).
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
        """All of it, for JSON."""
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
    """Print a line for each variant: means over seeds and frames, the standard deviation of the seeds' means, and the
    difference to the first variant with its interval.
    """
    first, seeds = next(iter(result.values)), len(next(iter(result.values.values()))[result.protocols[0]]["abs_rel"])
    redrawn = "frames and seeds" if seeds > 1 else "frames; one seed says nothing of how much seeds differ"
    plus_minus = "± standard deviation of the seeds, " if seeds > 1 else ""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    for protocol in result.protocols:
        for name in (f"{protocol}\nabs_rel", "delta1", f"abs_rel against\n{first}"):
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
    print(f"{plus_minus}[95 % interval] over redrawn {redrawn}")


def draw_bars(result: Comparison, path: Path) -> None:
    """Draw abs_rel of each variant: the bar to the mean, a point for each seed, a line over the middle 95 % of what
    redrawn frames give.
    """
    variants, protocols = list(result.values), result.protocols
    figure = Figure(figsize=(1.5 + 4.2 * len(protocols), 1.6 + 0.45 * len(variants)), layout="constrained")
    random = np.random.default_rng(0)
    frames = random.integers(len(result.frames), size=(DRAWS, len(result.frames)))
    for place, protocol in enumerate(protocols):
        axes = figure.add_subplot(1, len(protocols), place + 1)
        for row, variant in enumerate(variants):
            table = result.values[variant][protocol]["abs_rel"]
            low, high = np.percentile(table.mean(0)[frames].mean(1), (2.5, 97.5))
            colour = "#9aa5b1" if row == 0 else "#d3b673" if variant == BLIND else "#3b6fb6"
            axes.barh(row, table.mean(), color=colour, height=0.62)
            axes.hlines(row, low, high, color="#333333", linewidth=1.2)
            axes.plot(table.mean(1), np.full(len(table), row), "o", color="white", markeredgecolor="#333333", ms=4)
            axes.text(high, row, f"  {table.mean():.3f}", va="center", fontsize=8)
        axes.set_yticks(range(len(variants)), variants if place == 0 else [""] * len(variants))
        axes.invert_yaxis()
        axes.set_xlim(0, 1.15 * axes.get_xlim()[1])
        axes.set_title(f"{protocol} abs_rel, lower is better", fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    how = f"{len(result.frames)} frames: bar the mean, points the seeds, line 95 % of redrawn frames"
    figure.supxlabel(how, fontsize=8, color="#555555")
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=130)


def draw_panels(result: Comparison, variants: Mapping[str, Sequence[Picture]], path: Path) -> None:
    """Draw the same frames below each other: image, truth, and each variant's prediction with the first seed, brought
    to the truth's median and in its colours, with its abs_rel under the first protocol.

    Args:
        result: the scores.
        variants: pictures of the same frames, by name.
        path: of the PNG.
    """
    protocol, columns = result.protocols[0], []
    for frame in zip(*variants.values(), strict=True):
        pictures = [to_picture(frame[0].image), *_coloured(frame[0].truth, [each.prediction for each in frame])]
        scored = frame[0].path in result.frames
        place = result.frames.index(frame[0].path) if scored else 0
        errors = [result.values[name][protocol]["abs_rel"][0, place] for name in variants]
        notes = ["", "", *(f"{error:.3f}" if scored else "" for error in errors)]
        columns.append([_tile(*pair) for pair in zip(pictures, notes, strict=True)])
    names = ["image", "truth, near is bright", *variants]
    labels = [_label(name, tile.shape[0]) for name, tile in zip(names, columns[0], strict=True)]
    rows = [np.concatenate(row, axis=1) for row in zip(labels, *columns, strict=True)]
    with written_whole(path) as temporary:
        Image.fromarray(np.concatenate(rows)).save(temporary)


def _coloured(truth: Tensor, predictions: Sequence[Tensor]) -> list[NDArray[np.uint8]]:
    known = truth > 0
    near, far = (float(np.percentile(truth[known].cpu().numpy(), q)) for q in (2, 98)) if known.any() else (1.0, 80.0)
    pictures = [colour_depth((widened(truth) if is_sparse(truth) else truth)[0].cpu().numpy(), near, far)]
    for prediction in predictions:
        scale = truth[known].median() / prediction[known].median() if known.any() else 1.0
        pictures.append(colour_depth((prediction * scale)[0].cpu().numpy(), near, far))
    return pictures


def _label(name: str, height: int) -> NDArray[np.uint8]:
    """The name of a row."""
    label = Image.new("RGB", (LABEL, height), "white")
    ImageDraw.Draw(label).text((LABEL - 6, height // 2), name, fill="black", font_size=13, anchor="rm")
    return np.asarray(label)


def _tile(picture: NDArray[np.uint8], note: str) -> NDArray[np.uint8]:
    """At most WIDTH wide, with a note in its corner."""
    tile = Image.fromarray(picture)
    if tile.width > WIDTH:
        tile = tile.resize((WIDTH, round(tile.height * WIDTH / tile.width)), Image.Resampling.BOX)
    ImageDraw.Draw(tile).text((4, 2), note, fill="white", font_size=12, stroke_width=2, stroke_fill="black")
    return np.asarray(tile)
