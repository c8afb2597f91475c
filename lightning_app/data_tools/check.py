"""``pocketdepth data check``: read all frames, report corrupt ones and draw contact sheets."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rich.progress import track

from datamodules import DepthDataModule, Frame, Reader
from datamodules.check import FrameReport, check
from datamodules.reader import guessed_pinhole
from lightning_app.colormap import colour_depth
from lightning_app.data_tools.neighbour_summary import summarise_neighbours
from lightning_app.data_tools.sources import read_source
from lightning_app.files import atomic_write

WIDTH, HEIGHT = 320, 240  # maximum size of a picture on a sheet, pixels
CAPTION = 15  # height of a caption, pixels
COLUMNS, ROWS = 4, 4
MOST = COLUMNS * ROWS  # frames on a sheet
SHOWN = 10  # problems printed to stderr
UNKNOWN = 70  # grey value of unknown depth; far depth is black


def check_data(
    reader: str | None,
    arguments: Sequence[str],
    data: Sequence[Path],
    output: Path = Path("runs/check"),
) -> None:
    """Read every frame of a reader or of all readers of YAMLs, print a summary, and draw a contact sheet per reader.

    Args:
        reader: name of a reader in ``datamodules``, or a class path; None to use ``data``.
        arguments: arguments of the reader, as on the command line.
        data: YAMLs with a ``data`` section, instead of a reader; later files override earlier ones.
        output: folder of the sheets, and of ``broken.txt``, the list of problems. Existing files are replaced.

    Raises:
        FileNotFoundError: no such data set.
        ValueError: an invalid reader or YAML.
        RuntimeError: a frame is corrupt or listed twice, or splits overlap.
    """
    readers, module = read_source(reader, arguments, data)
    problems: list[str] = []
    lines: list[str] = []
    for name, each in readers.items():
        try:
            each.entries  # noqa: B018 (reads the list of frames)
        except (FileNotFoundError, ValueError) as error:
            if module is None:
                raise
            problems.append(f"{name}: {error}")
            lines.append(f"{name}: {each}\n  {'missing' if isinstance(error, FileNotFoundError) else 'unreadable'}")
            continue
        reports = list(track(check(each), f"check {name}", total=len(each)))
        corrupt = [report.problem for report in reports if report.problem]
        problems += corrupt
        problems += [f"{path}: listed {count} times" for path, count in Counter(each.paths).items() if count > 1]
        lines.append(f"{name}: {each}\n  {len(reports)} frames, {len(corrupt) or 'none'} corrupt{_summary(reports)}")
        about_neighbours, odd = summarise_neighbours([report for report in reports if not report.problem])
        lines += [f"  {line}" for line in about_neighbours]
        problems += odd
        draw_sheet(each, dict(enumerate(reports)), output / f"{name if module else str(each).replace(' ', '-')}.png")
    problems += _leaks(module) if module else []
    print("\n".join(lines))
    print(f"contact sheets: {output}/")
    if problems:
        for problem in problems[:SHOWN]:
            print(f"problem: {problem}", file=sys.stderr)
        with atomic_write(output / "broken.txt") as temporary:
            temporary.write_text("\n".join(problems) + "\n")
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise RuntimeError(f"{count}, see {output / 'broken.txt'}")
    (output / "broken.txt").unlink(missing_ok=True)


def _leaks(module: DepthDataModule) -> list[str]:
    """Frames or scenes shared between the splits, which raise an error in training."""
    try:
        module.refuse_leaks()
    except (FileNotFoundError, ValueError) as error:
        return [str(error)] if isinstance(error, ValueError) else []
    return []


def _summary(reports: list[FrameReport]) -> str:
    """Sizes, depth range, fraction of known pixels and intrinsics of the frames without a problem."""
    valid = [report for report in reports if not report.problem]
    if not valid:
        return ""
    sizes = Counter(report.size for report in valid).most_common()
    shown = [f"{height}x{width}" + (f" ({count})" if len(sizes) > 1 else "") for (height, width), count in sizes[:5]]
    more = [f"{len(sizes) - 5} more sizes"] if len(sizes) > 5 else []
    lines = ["", f"height x width {', '.join(shown + more)}"]
    known = [report for report in valid if report.far > 0]
    if known:
        share = _range([100 * report.valid for report in known], "{:.1f}")
        near, far = min(report.near for report in known), max(report.far for report in known)
        without = f", {len(valid) - len(known)} frames without depth" if len(known) < len(valid) else ""
        lines.append(f"depth {near:.2f} to {far:.2f} m, known at {share} % of the pixels{without}")
    focal, cx, cy = (_range([report.intrinsics[place] for report in valid], "{:.1f}") for place in (0, 2, 3))
    guess = all(np.isclose(r.intrinsics[0], guessed_pinhole(r.size)[0, 0]) for r in valid)
    guessed = " (assumed: the camera is unknown)" if guess else ""
    return "\n  ".join([*lines, f"intrinsics fx {focal}, cx {cx}, cy {cy} px{guessed}"])


def _range(values: list[float], form: str) -> str:
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


def draw_sheet(reader: Reader, reports: Mapping[int, FrameReport], path: Path) -> None:
    """Draw frames spread evenly over a reader, at most half of them corrupt ones if there are enough others.

    The image is above its depth (near is bright, unknown is grey).

    Args:
        reader: reader of the frames.
        reports: index of a frame -> its report, for the frames to choose from.
        path: picture to write.
    """
    others = [index for index, report in reports.items() if not report.problem]
    corrupt = [index for index, report in reports.items() if report.problem]
    corrupt = corrupt[: max(MOST // 2, MOST - len(others))]
    places = np.linspace(0, len(others) - 1, MOST - len(corrupt)).round().astype(int).tolist() if others else []
    spread = {others[place] for place in places}
    chosen = sorted([*corrupt, *spread])
    aspects = [report.size[0] / report.size[1] for report in reports.values() if report.size[1]]
    height = min(HEIGHT, round(WIDTH * float(np.median(aspects)))) if aspects else HEIGHT // 2
    tile = _Tile(height, depths=any(report.far > 0 for report in reports.values()))
    tiles = [tile.draw(reader, index, reports[index]) for index in chosen]
    columns = min(COLUMNS, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    with atomic_write(path) as temporary:
        Image.fromarray(np.concatenate(rows)).save(temporary)


class _Tile(NamedTuple):
    """Draws a frame of a sheet.

    Attributes:
        height: height of the image, and of the depth below it, pixels.
        depths: whether to draw depth.
    """

    height: int
    depths: bool

    def draw(self, reader: Reader, index: int, report: FrameReport) -> NDArray[np.uint8]:
        canvas = Image.new("RGB", (WIDTH + 4, CAPTION + self.height * (1 + self.depths) + 4), "white")
        draw = ImageDraw.Draw(canvas)
        inside = report.path.is_relative_to(reader.root)
        caption = str(report.path.relative_to(reader.root) if inside else report.path)
        draw.text((2, 1), caption if len(caption) < 54 else f"…{caption[-53:]}", fill="black", font_size=11)
        if report.problem and not report.size[0]:
            draw.rectangle((0, CAPTION, WIDTH, CAPTION + self.height), fill="#b03030")
            words = textwrap.wrap(report.problem.replace(str(report.path), report.path.name), 50)
            draw.text((6, CAPTION + 4), "\n".join(words[: (self.height - 8) // 15]), fill="white", font_size=12)
            return np.asarray(canvas)
        frame = reader[index]
        canvas.paste(Image.fromarray(self._fit(frame.image, cv2.INTER_AREA)), (0, CAPTION))
        if frame.pair is not None:
            self._draw_pair(draw, frame.pair.tolist(), frame.image.shape)
        if self.depths:
            canvas.paste(Image.fromarray(self._coloured(frame)), (0, CAPTION + self.height))
        if report.problem:
            draw.rectangle((0, CAPTION, WIDTH - 1, canvas.height - 5), outline="#d02020", width=4)
        return np.asarray(canvas)

    def _coloured(self, frame: Frame) -> NDArray[np.uint8]:
        inverse = np.divide(1, frame.depth, out=np.zeros_like(frame.depth), where=frame.depth > 0)
        if 0 < (inverse > 0).mean() < 0.3:  # LiDAR: enlarge points; where they overlap the nearest is kept
            inverse = cv2.dilate(inverse, np.ones((5, 5), np.uint8))
        shown = self._fit(
            cv2.resize(inverse, frame.image.shape[1::-1], interpolation=cv2.INTER_NEAREST), cv2.INTER_NEAREST
        )
        picture = colour_depth(np.divide(1, shown, out=np.zeros_like(shown), where=shown > 0))
        picture[shown == 0] = UNKNOWN
        return picture

    def _draw_pair(self, draw: ImageDraw.ImageDraw, pair: list[int], size: tuple[int, ...]) -> None:
        """Draw the nearer point of an ordinal pair as a dot, the farther one as a ring."""
        row_a, column_a, row_b, column_b, order = pair
        for row, column, farther in ((row_a, column_a, order > 0), (row_b, column_b, order < 0)):
            x, y = column * self._scale(size), CAPTION + row * self._scale(size)
            draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=None if farther else "yellow", outline="yellow", width=2)

    def _scale(self, size: tuple[int, ...]) -> float:
        return min(self.height / size[0], WIDTH / size[1])

    def _fit(self, picture: Any, interpolation: int) -> NDArray[Any]:
        """Resize a picture to the tile; the aspect ratio is kept."""
        height, width = picture.shape[:2]
        size = (max(1, round(width * self._scale(picture.shape))), max(1, round(height * self._scale(picture.shape))))
        return np.asarray(cv2.resize(picture, size, interpolation=interpolation))
