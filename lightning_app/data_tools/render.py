"""``pocketdepth data render``: render streets in the layout of Virtual KITTI 2."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from datamodules.depth_io import write_vkitti_depth
from datamodules.folders import find_images
from lightning_app.data_tools.blender_process import Blender
from lightning_app.data_tools.camera_effects import Effects, develop, draw_effects
from lightning_app.data_tools.render_settings import RenderSettings
from lightning_app.files import atomic_folder, require_writable
from lightning_app.one_writer import LOCK, one_writer, read_part
from lightning_app.step_cache import claim

SHEET = "contact_sheet.png"
BYTES_PER_PIXEL = 2.5  # of an image and its depth on the disk, at most
_INTRINSIC = "frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]"
_EXTRINSIC = "frame cameraID " + " ".join(f"r{row},1 r{row},2 r{row},3 t{row}" for row in (1, 2, 3)) + " 0 0 0 1"


def render(
    output: Path,
    settings: RenderSettings,
    scenes: int = 100,
    shard: str = "1/1",
    workers: int | None = None,
    gpu: bool = False,
    overwrite: bool = False,
) -> None:
    """Render streets: images, exact depth, intrinsics and poses, in the layout of Virtual KITTI 2 as one tree.

    A scene is written when it is complete, and existing scenes are kept: the same command resumes, and a larger number
    of scenes adds to the others. The same settings render the same frames.

    Args:
        output: folder of the scenes, of ``settings.json`` and of a contact sheet.
        settings: what the streets look like.
        scenes: number of scenes, each of another street.
        shard: part of the scenes to render; ``2/4`` is the second of four parts, e.g. for one of four machines.
        workers: number of processes, with one thread each; one per core by default.
        gpu: whether to render on the GPU.
        overwrite: whether to render existing scenes anew, and to remove those of other settings.

    Raises:
        FileNotFoundError: no Python with Blender, or no textures.
        FileExistsError: ``output`` contains other files.
        ImportError: Blender cannot be imported.
        ValueError: invalid settings, a part without scenes, no GPU, or scenes of other settings in ``output``.
        OSError: not enough space on the disk.
        RuntimeError: a scene failed, or another process renders the same part.
    """
    number, parts = read_part(shard)
    require_writable(output)
    wanted = range(number, scenes + 1, parts)
    if not wanted:
        raise ValueError(f"--shard {shard}: no scene is left for it with --scenes {scenes}")
    textures = [str(path.resolve()) for path in find_images(settings.textures)] if settings.textures else []
    task = asdict(settings) | {"textures": textures, "threads": 1, "gpu": gpu}  # more threads, other frames
    with (
        one_writer(output, f"{LOCK}-{number}-of-{parts}"),
        _started(task, workers or _default_workers(gpu), wanted) as pool,
    ):
        claim(output, asdict(settings) | {"blender": pool[0].version, "pocketdepth": version("pocketdepth")}, overwrite)
        names = {_name(scene) for scene in wanted}
        for path in list(output.iterdir()):
            stale = path.name.startswith(".")  # of a process that was killed
            if (stale or overwrite) and path.name.removeprefix(".").partition(".")[0] in names:
                shutil.rmtree(path)
        todo = [scene for scene in wanted if not _is_complete(output / _name(scene), settings)]
        _require_space(output, settings, len(todo))
        start = time.monotonic()
        try:
            _render_all(pool, todo, settings, output)
        except KeyboardInterrupt:
            print("interrupted; the scenes that are complete are kept, the same command resumes", file=sys.stderr)
            raise
        minutes = (time.monotonic() - start) / 60
    _draw_sheet(output)
    frames = len(todo) * settings.frames_per_scene
    notes = [f"{frames} frames in {minutes:.1f} min, {frames / minutes:.0f} per minute"] if todo else []
    notes += [f"{len(wanted) - len(todo)} were there already"] if len(todo) < len(wanted) else []
    scenes_made = f"{len(wanted)} scene{'s' * (len(wanted) > 1)}"
    print(f"{scenes_made} -> {output} ({'; '.join(notes)})\ncontact sheet: {output / SHEET}")


def _is_complete(folder: Path, settings: RenderSettings) -> bool:
    """Whether a scene has all of its files; somebody may have removed some."""
    frames = settings.frames_per_scene
    counts = {"frames/rgb/*/rgb_*.jpg": frames, "frames/depth/*/depth_*.png": frames}
    counts |= dict.fromkeys(("intrinsic.txt", "extrinsic.txt"), settings.per_scene)
    return all(len(list(folder.glob(f"*/{pattern}"))) == count for pattern, count in counts.items())


def _default_workers(gpu: bool) -> int:
    return 1 if gpu else len(os.sched_getaffinity(0))


@contextmanager
def _started(task: dict[str, Any], workers: int, scenes: Sequence[int]) -> Iterator[list[Blender]]:
    """Start processes, and end them at the end of the block."""
    pool: list[Blender] = []
    try:
        for _ in range(max(1, min(workers, len(scenes)))):
            pool.append(Blender(task))
        yield pool
    finally:
        for blender in pool:
            blender.stop()


def _require_space(output: Path, settings: RenderSettings, scenes: int) -> None:
    frames = scenes * settings.frames_per_scene
    needed = frames * settings.size[0] * settings.size[1] * BYTES_PER_PIXEL
    free = shutil.disk_usage(output).free
    if needed > free:
        raise OSError(f"{output}: {frames} frames need about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")


def _render_all(pool: Sequence[Blender], scenes: Sequence[int], settings: RenderSettings, output: Path) -> None:
    """Render scenes, each in whichever process is free."""
    idle: SimpleQueue[Blender] = SimpleQueue()
    for blender in pool:
        idle.put(blender)
    if not scenes:
        return
    with _bar() as bar, ThreadPoolExecutor(len(pool)) as threads:
        shown = bar.add_task("render", total=len(scenes) * settings.frames_per_scene)

        def one(scene: int) -> None:
            blender = idle.get()
            try:
                _render_scene(blender, scene, settings, output / _name(scene), lambda: bar.advance(shown))
            finally:  # even if it died: who waits for it must not wait for ever
                idle.put(blender)

        try:
            for done in as_completed([threads.submit(one, scene) for scene in scenes]):
                done.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            for blender in pool:  # what waits for an answer then ends
                blender.stop()
            raise


def _render_scene(
    blender: Blender, scene: int, settings: RenderSettings, target: Path, advance: Callable[[], None]
) -> None:
    """Render a scene, and write it when it is complete."""
    variations = settings.drawn(scene)
    plain = "effects" in settings.without
    effects = {
        variation: Effects() if plain else draw_effects(_rng(settings, scene, place), variation)
        for place, variation in enumerate(variations)
    }
    tables: dict[str, list[dict[str, Any]]] = {variation: [] for variation in variations}
    with atomic_folder(target) as folder, TemporaryDirectory() as raw:
        for answer in blender.render(scene, variations, Path(raw)):
            variation, frame, camera = answer["variation"], answer["frame"], answer["camera"]
            tables[variation].append(answer)
            colour, depth = _take(Path(raw), f"{variation}-{frame}-{camera}")
            rng = _rng(settings, scene, variations.index(variation), frame, camera)
            image = develop(colour, depth, effects[variation], rng)
            _write_frame(folder / variation, frame, camera, image, depth, effects[variation].quality)
            advance()
        for variation, answers in tables.items():
            _write_tables(folder / variation, answers)


def _take(folder: Path, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read a frame that Blender wrote, and remove its files."""
    arrays = []
    for kind in ("colour", "depth"):
        path = folder / f"{name}.{kind}.npy"
        arrays.append(np.load(path).astype(np.float32))
        path.unlink()
    return arrays[0], arrays[1]


def _rng(settings: RenderSettings, *place: int) -> np.random.Generator:
    return np.random.default_rng((settings.seed, *place))


def _write_frame(
    folder: Path, frame: int, camera: int, image: NDArray[np.uint8], depth: NDArray[np.float32], quality: int
) -> None:
    rgb, truth = (folder / "frames" / kind / f"Camera_{camera}" for kind in ("rgb", "depth"))
    for each in (rgb, truth):
        each.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(rgb / f"rgb_{frame:05d}.jpg", quality=quality)
    write_vkitti_depth(truth / f"depth_{frame:05d}.png", depth)


def _write_tables(folder: Path, answers: Sequence[dict[str, Any]]) -> None:
    for name, header in (("intrinsic", _INTRINSIC), ("extrinsic", _EXTRINSIC)):
        rows = [
            " ".join([str(answer["frame"]), str(answer["camera"]), *(f"{value:.10g}" for value in answer[f"{name}s"])])
            for answer in answers
        ]
        (folder / f"{name}.txt").write_text("\n".join([header, *rows]) + "\n")


def _draw_sheet(output: Path) -> None:
    """Draw frames spread evenly over all scenes that are there."""
    from datamodules import VirtualKitti  # imports torch
    from datamodules.check import report_frame
    from lightning_app.data_tools.check import MOST, draw_sheet

    reader = VirtualKitti(str(output.resolve()))
    places = np.unique(np.linspace(0, len(reader) - 1, MOST).astype(int)).tolist()
    draw_sheet(reader, {place: report_frame(reader, place) for place in places}, output / SHEET)


def _name(scene: int) -> str:
    return f"Scene{scene:02d}"


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("frames"))
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn())
