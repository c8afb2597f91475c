"""The command line as users call it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lightning_app.cli.options import read_size
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml

VERBS = (
    *("fit", "validate", "test", "compare", "evaluate", "score", "predict", "label", "data"),
    *("export", "convert", "prune", "quantize", "targets", "ship", "benchmark", "pareto", "profile"),
)


def test_help_lists_every_verb(cli: Cli) -> None:
    result = cli("--help")
    assert result.status == 0
    assert all(verb in result.out for verb in VERBS)
    assert "pocketdepth 0.1.0" in cli("--version").out


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_each_verb(cli: Cli, verb: str) -> None:
    result = cli(verb, "--help")
    assert result.status == 0, result.err
    assert "--" in result.out


def test_verbs_stand_in_panels(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    lines = cli("--help").out.splitlines()
    panels = [line.split()[1] for line in lines if line.startswith("╭─")]
    assert panels == ["Options", "Train", "Evaluate", "Data", "Deploy", "Measure"]


@pytest.mark.parametrize(
    ("former", "use"),
    [
        (("camera", "m.onnx"), "export FILE.onnx --camera HEIGHTxWIDTH"),
        (("gates", "m.onnx"), "targets FILE.onnx"),
        (("encoders", "resnet18"), "benchmark --encoder NAME"),
        (("sensitivity", "m.onnx"), "quantize FILE.onnx IMAGES --sensitivity FOLDER"),
        (("style", "bank"), "data stylize --output bank.npz"),
        (("style", "apply"), "data stylize --output FOLDER"),
        (("style", "cost"), "profile -c YAML"),
        (("data", "benchmark"), "profile --loader"),
        (("convert", "coreml", "a.ckpt"), "convert FILE --to coreml"),
    ],
)
def test_former_verbs_name_their_replacement(former: tuple[str, ...], use: str, cli: Cli) -> None:
    result = cli(*former)
    assert result.status == 2
    assert result.err.endswith(f"'; use pocketdepth {use}\n")
    assert len(result.err.splitlines()) == 1


def test_an_unknown_verb_is_refused(cli: Cli) -> None:
    result = cli("fitt")
    assert result.status == 2
    assert result.err == "pocketdepth: error: no command 'fitt'; did you mean fit?\n"


@pytest.mark.parametrize("text", ["192x640", "192,640", "192 640"])
def test_sizes_are_written_in_three_ways(text: str) -> None:
    assert read_size(text) == (192, 640)


@pytest.mark.parametrize("text", ["abc", "192", "192x", "0x640", "192x640x3", "-1x5", "192*640"])
def test_a_wrong_size_is_one_line(text: str, cli: Cli) -> None:
    result = cli("export", "a.ckpt", f"--size={text}")
    message = f"pocketdepth: error: size {text!r} is not HEIGHTxWIDTH, e.g. 192x640\n"
    assert (result.status, result.err) == (2, message)


def test_sizes_of_one_and_of_two_words_repeat(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.ckpt").touch()
    Path("a.onnx").touch()
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr("lightning_app.cli.deploy.call", lambda *args: calls.append(args))
    assert cli("export", "a.ckpt", "--size", 192, 640, "--size", "96x320", "--camera", "480,640").status == 0
    assert cli("export", "a.ckpt").status == 0
    assert cli("export", "a.onnx", "--camera", 480, 640).status == 0
    assert calls[0][3:6] == ([(192, 640), (96, 320)], "fp32", (480, 640))
    assert not calls[1][3]
    assert calls[1][5] is None
    assert calls[2][:3] == ("deploy.export.camera_input:add_camera", Path("a.onnx"), (480, 640))


def test_a_verb_without_torch_does_not_import_it() -> None:
    code = "import sys; import deploy, deploy.benchmark.benchmark, deploy.inference.predict, lightning_app.cli.main; "
    code += "import deploy.quantization.quantize; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_python_m_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lightning_app", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("pocketdepth ")


def test_wrong_use_is_one_line_and_status_2(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    base, yaml = EXPERIMENTS / "base.yaml", tiny_yaml(tmp_path / "tiny.yaml")
    fit = ("fit", "-c", base, "-c", yaml, "--trainer.default_root_dir", tmp_path / "run")
    cases = [
        (
            ("--data.size", "[60,96]"),
            "size 60x96 (height x width) is not a multiple of mobilenetv4_conv_small's stride 32",
        ),
        (("--data.train.root", "x"), None),
        (("--model.network.encoder", "mobilenet_v99"), "timm has no backbone 'mobilenet_v99'"),
        (("--data.protocol", "kitty"), "no protocol 'kitty'"),
        (("--model.network.encodre", "x"), None),
        (("--model.weights", "nowhere.ckpt"), "nowhere.ckpt: no such checkpoint"),
        (("--model.loss", "losses.MultiScaleL1", "--model.loss.scales", "[4,8]"), "2 scales [4, 8] but 4 weights"),
        (("--model.canonical_focal_px", "0"), "canonical_focal_px 0.0 must be positive"),
        (("--data.size", "[0,96]"), "size [0, 96] and batch_size 4 must be positive"),
        (("--trainer.callbacks+=ModelCheckpoint", "--trainer.callbacks.monitor", "val/x"), "find the monitored key"),
    ]
    for extra, message in cases:
        result = cli(*fit, *extra)
        assert result.status == 2, (extra, result)
        assert "Traceback" not in result.err
        if message:
            errors = [line for line in result.err.splitlines() if line.startswith("pocketdepth: error: ")]
            assert len(errors) == 1, result.err
            assert message in errors[0]


def test_misspelt_key_is_refused_by_name(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    yaml = tiny_yaml(tmp_path / "tiny.yaml")
    result = cli("fit", "-c", EXPERIMENTS / "base.yaml", "-c", yaml, "--model.network.encodre", "resnet18")
    assert result.status == 2
    assert "encodre" in result.err
    yaml.write_text(yaml.read_text().replace("batch_size", "batch_sice"))
    result = cli("fit", "-c", EXPERIMENTS / "base.yaml", "-c", yaml)
    assert result.status == 2
    assert "batch_sice" in result.err


def test_no_data_names_path_and_layout(
    tmp_path: Path, data_root: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(tmp_path / "void"))
    yaml = tiny_yaml(tmp_path / "tiny.yaml")
    run = tmp_path / "run"
    result = cli("fit", "-c", EXPERIMENTS / "base.yaml", "-c", yaml, "--trainer.default_root_dir", run)
    assert result.status == 2
    assert "no such folder; looked for " in result.err
    assert "Traceback" not in result.err


def test_corrupt_frame_is_status_1_from_a_worker_too(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    for depth in (data_root / "vkitti").rglob("depth_*.png"):
        depth.write_bytes(depth.read_bytes()[:50])
    yaml = tiny_yaml(tmp_path / "tiny.yaml")
    for workers in (0, 1):
        run = tmp_path / f"run{workers}"
        root = ("--trainer.default_root_dir", run, "--data.workers", workers)
        result = cli("fit", "-c", EXPERIMENTS / "base.yaml", "-c", yaml, *root)
        assert result.status == 1, result
        assert result.err.splitlines()[-1].startswith("pocketdepth: error: ")
        assert "corrupt depth file" in result.err.splitlines()[-1]
        assert "Traceback" not in result.err
