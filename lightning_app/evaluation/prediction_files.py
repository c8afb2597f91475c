"""Find the prediction of each frame: in a folder, or in one array of all frames."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from datamodules.folders import find_files
from lightning_app.evaluation.prediction_arrays import entries, first_dimension

SUFFIXES = (".npy", ".npz", ".png")
_NUMBER = re.compile(r"(?:arr_)?(\d+)")  # numpy.savez names arrays arr_0, arr_1, ...


class Source(NamedTuple):
    """Where a prediction is.

    Attributes:
        file: .npy, .npz or .png file.
        entry: name of an array in a .npz file; empty for other files.
        number: position in an array of all frames, (n, h, w); None for an array of one frame.
    """

    file: Path
    entry: str = ""
    number: int | None = None

    def __str__(self) -> str:
        entry = f", array {self.entry}" if self.entry else ""
        return f"{self.file}{entry}" + ("" if self.number is None else f", frame {self.number}")


def find_predictions(predictions: Path, frames: Sequence[Path], skip_missing: bool) -> dict[str, Source]:
    """Find the prediction of each frame.

    Args:
        predictions: folder of files, or one .npy or .npz file of all frames.
        frames: paths of the frames, in the order of the data section's lists.
        skip_missing: accept frames without a prediction, as long as one frame has one.

    Returns:
        Sources by path of the frame.

    Raises:
        CorruptFrameError: the file of all frames is corrupt.
        FileNotFoundError: no such file or folder, or frames without a prediction.
        ValueError: one prediction for two frames, more than one way to match, or a wrong number of predictions.
    """
    if predictions.is_dir():
        return _by_name(predictions, _files(predictions), frames, skip_missing)
    if not predictions.is_file():
        raise FileNotFoundError(f"{predictions}: no such file or folder of predictions")
    if predictions.suffix not in (".npy", ".npz"):
        raise ValueError(f"{predictions}: predictions are a folder, or one .npy or .npz file of all frames")
    names = entries(predictions)
    if len(names) > 1:
        found = {tuple(name.split("/")): Source(predictions, name) for name in names}
        return _by_name(predictions, found, frames, skip_missing)
    count = first_dimension(predictions, names[0])
    if count is None and len(frames) == 1:
        return {str(frames[0]): Source(predictions, names[0])}
    if count != len(frames):
        found_text = "one map" if count is None else f"{count} predictions"
        raise ValueError(f"{predictions}: has {found_text} for {len(frames)} frames; it needs (frames, h, w)")
    return {str(frame): Source(predictions, names[0], index) for index, frame in enumerate(frames)}


def _files(folder: Path) -> dict[tuple[str, ...], Source]:
    """Predictions in a folder by the parts of their paths without suffix. Hidden files and folders are ignored."""
    paths = [path.relative_to(folder) for path in find_files(folder) if path.suffix in SUFFIXES]
    if any(path.suffix != ".png" for path in paths):
        paths = [path for path in paths if path.suffix != ".png"]  # `predict` also writes pictures
    found: dict[tuple[str, ...], Source] = {}
    for path in paths:
        parts = path.with_suffix("").parts
        if parts in found:
            raise ValueError(f"{folder / path}: {found[parts].file.name} is another prediction; delete one of them")
        found[parts] = Source(folder / path)
    return found


def _by_name(
    where: Path, found: Mapping[tuple[str, ...], Source], frames: Sequence[Path], skip_missing: bool
) -> dict[str, Source]:
    named = {str(frame): match for frame in frames if (match := _named_like(frame, found)) is not None}
    numbered = _numbered(found, frames)
    if numbered and named and any(numbered[frame] != source for frame, source in named.items()):
        frame, source = next((frame, source) for frame, source in named.items() if numbered[frame] != source)
        raise ValueError(
            f"{where}: ambiguous: by its name, {source} is the prediction of {frame}; as the number of a line of the "
            "list it is not. Name predictions after their frames, with folders, or give one .npy file (frames, h, w)"
        )
    matched = named if len(named) == len(frames) else numbered or named
    by_source = {source: frame for frame, source in matched.items()}
    if len(by_source) < len(matched):
        one, source = next((frame, source) for frame, source in matched.items() if by_source[source] != frame)
        raise ValueError(f"{source}: matches both {one} and {by_source[source]}; keep the folders of the frames")
    absent = [frame for frame in frames if str(frame) not in matched]
    if absent and (not skip_missing or not matched):
        raise FileNotFoundError(_absent(where, found, frames, absent) + _hint(found, frames, skip_missing))
    return matched


def _named_like(frame: Path, found: Mapping[tuple[str, ...], Source]) -> Source | None:
    return next((found[name] for name in _names(frame) if name in found), None)


def _names(frame: Path) -> Iterator[tuple[str, ...]]:
    """Names of a frame's prediction, the longest first: its path, and joined as in bts, ``<drive>_<frame>``."""
    parts = tuple(part for part in frame.with_suffix("").parts if part != frame.anchor)
    for start in range(len(parts)):
        yield parts[start:]
        if start < len(parts) - 1:
            yield (*parts[start:-1], frame.name)  # `predict` keeps the suffix where it tells two images apart
    yield (frame.name,)
    folders = parts[:-1]
    for start in range(len(folders)):
        for stop in range(len(folders), start, -1):
            yield ("_".join([*folders[start:stop], parts[-1]]),)


def _numbered(found: Mapping[tuple[str, ...], Source], frames: Sequence[Path]) -> dict[str, Source]:
    """Predictions whose names are the numbers of all lines of the list, counted from 0; empty for other names."""
    matches = [_NUMBER.fullmatch(name[-1]) if len(name) == 1 else None for name in found]
    numbers = {int(match[1]): source for match, source in zip(matches, found.values(), strict=True) if match}
    if len(found) != len(frames) or sorted(numbers) != list(range(len(frames))):
        return {}
    return {str(frame): numbers[line] for line, frame in enumerate(frames)}


def _absent(
    where: Path, found: Mapping[tuple[str, ...], Source], frames: Sequence[Path], absent: Sequence[Path]
) -> str:
    there = f"found {'/'.join(next(iter(found)))}" if found else f"found no {', '.join(SUFFIXES)} file"
    return (
        f"{where}: no prediction for {len(absent)} of {len(frames)} frames, e.g. {absent[0]}; expected "
        f"{_shortest_name(absent[0], frames)}.npy, .npz or .png, {there}"
    )


def _hint(found: Mapping[tuple[str, ...], Source], frames: Sequence[Path], skip_missing: bool) -> str:
    """Advice after the message about frames without a prediction."""
    if len(found) == 1 and len(frames) > 1:
        return "; if that is an array of all frames, give the file itself"
    if found and all(len(name) == 1 and _NUMBER.fullmatch(name[0]) for name in found):
        return f"; numbers must be those of all {len(frames)} lines of the list, from 0 on; there are {len(found)}"
    return "" if skip_missing else "; --skip-missing counts them as missing"


def _shortest_name(frame: Path, frames: Sequence[Path]) -> Path:
    """The shortest end of a frame's path that is unique among the frames, without its suffix."""
    parts = frame.with_suffix("").parts
    others = [other.with_suffix("").parts for other in frames if other != frame]
    alone = (n for n in range(1, len(parts)) if all(other[-n:] != parts[-n:] for other in others))
    return Path(*parts[-next(alone, len(parts)) :])
