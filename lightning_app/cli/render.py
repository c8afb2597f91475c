"""The verb ``pocketdepth data render``."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from lightning_app.cli.options import SIZE, Overwrite, Size, call

Range = tuple[float, float]
RANGE: dict[str, Any] = {"metavar": "LOW HIGH"}
_SEPARATORS = {"size": "x", "variations": ",", "without": ","}  # of values that may be lists in a YAML


def _read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make the values of a YAML the defaults of the options."""
    if path is None:
        return None
    from lightning_app.config import read_yaml  # slow to import

    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ValueError(f"{path}: not a mapping of options to values")
    values = {str(name).replace("-", "_"): value for name, value in values.items()}
    params = {str(param.name): param for param in context.command.params if param.name not in ("config", "help")}
    for name in values:
        if name not in params:
            close = get_close_matches(name, params, n=1)
            meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(params))}"
            raise ValueError(f"{path}: no option {name!r}; {meant}")
        separator = _SEPARATORS.get(name)
        if separator and isinstance(values[name], list):
            values[name] = separator.join(map(str, values[name]))
        try:
            params[name].process_value(context, values[name])
        except Exception as error:
            wrong = f"{values[name]!r} is not {_expected(params[name])}"
            raise ValueError(f"{path}: {error if type(error) is ValueError else f'{name}: {wrong}'}") from error
    context.default_map = values
    return path


def _expected(param: Any) -> str:
    """What a value of a YAML must be."""
    return "two numbers, e.g. [1.4, 1.9]" if param.nargs == 2 else f"valid for {param.opts[0]}"


def _split(value: str) -> tuple[str, ...]:
    """Names that are separated by commas."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def render(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="Output folder.", show_default=False)],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="YAML",
            is_eager=True,
            callback=_read_config,
            help="YAML with values of these options.",
        ),
    ] = None,
    scenes: Annotated[int, typer.Option(min=1, metavar="N", help="Number of scenes, each of another street.")] = 100,
    frames: Annotated[int, typer.Option(min=1, metavar="N", help="Frames of a scene and variation.")] = 6,
    variations: Annotated[
        str,
        typer.Option(metavar="A,B,...", help="Light, weather and view: variations of Virtual KITTI."),
    ] = "clone,morning,sunset,overcast,fog,rain,15-deg-left,15-deg-right,30-deg-left,30-deg-right",
    per_scene: Annotated[int, typer.Option(min=1, metavar="N", help="Variations that are drawn for each scene.")] = 1,
    size: Annotated[str, typer.Option(**SIZE, help="Size of the images.")] = "192x640",
    focal: Annotated[Range, typer.Option(**RANGE, help="Focal length in image widths.")] = (0.54, 0.64),
    height: Annotated[Range, typer.Option(**RANGE, help="Height of the camera in metres.")] = (1.5, 1.8),
    pitch: Annotated[Range, typer.Option(**RANGE, help="Degrees by which the camera looks down.")] = (-1.0, 3.0),
    step: Annotated[Range, typer.Option(**RANGE, help="Distance between frames in metres.")] = (0.8, 2.0),
    stereo: Annotated[bool, typer.Option("--stereo", help="Add a right camera, 0.54 m beside the left one.")] = False,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Paths of light per pixel.")] = 2,
    denoise: Annotated[bool, typer.Option(help="Denoise the images.")] = True,
    textures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Photographs that cover some of the surfaces (domain randomisation)."),
    ] = None,
    without: Annotated[
        str,
        typer.Option(
            metavar="A,B,...",
            help="Variety to leave out: layout, vegetation, vehicles, people, furniture, near, textures, effects.",
        ),
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    shard: Annotated[
        str, typer.Option(help="Part of the scenes to render, e.g. 2/4 on the second of four machines.")
    ] = "1/1",
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Parallel processes (default: one per core).")
    ] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Render on the GPU.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Render streets with exact depth, in the layout of Virtual KITTI 2.

    Requires Blender: make blender. Complete scenes are kept: the same command resumes, and more --scenes add to them.
    """
    from lightning_app.data_tools.render_settings import RenderSettings  # imports numpy

    settings = RenderSettings(
        seed=seed,
        size=cast(Size, size),  # by its callback
        frames=frames,
        variations=_split(variations),
        per_scene=per_scene,
        focal=focal,
        height=height,
        pitch=pitch,
        step=step,
        stereo=stereo,
        samples=samples,
        denoise=denoise,
        textures=textures,
        without=_split(without),
    )
    call("lightning_app.data_tools.render:render", output, settings, scenes, shard, workers, gpu, overwrite)
