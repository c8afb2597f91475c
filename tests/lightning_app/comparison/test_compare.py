"""``pocketdepth compare`` from its runs to its pictures, and the statistics behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer

from datamodules import VirtualKitti
from lightning_app.comparison.scorer import mean_depth
from lightning_app.comparison.statistics import Comparison
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml
from tests.helpers.fake_data import road


@pytest.mark.slow
def test_variants_are_trained_scored_and_drawn(
    data_root: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny, output = tiny_yaml(tmp_path / "tiny.yaml"), tmp_path / "compare"
    plain, table = tmp_path / "plain.yaml", tmp_path / "table.yaml"
    plain.write_text("model: {init_args: {network: {init_args: {output_stride: 2}}}}")
    table.write_text("variants: {shallow: {}, deep: {model.network.output_stride: 16}}")
    call: tuple[object, ...] = (
        "compare",
        plain,
        f"{table}:deep",
        "-c",
        EXPERIMENTS / "base.yaml",
        "-c",
        tiny,
        "--seeds",
        2,
        "--jobs",
        2,
        "--output",
        output,
    )
    misspelt = cli(*call, "--trainer.max_stepps", 2)
    assert misspelt.status == 2
    assert "max_stepps" in misspelt.err
    assert not output.exists()
    result = cli(*call, "--trainer.max_steps", 2)
    assert result.status == 0, result.err
    assert "abs_rel minus" in result.out
    assert "± standard deviation of the seeds" in result.out
    content = json.loads((output / "val.json").read_text())
    assert content["arguments"] == ["--trainer.max_steps", "2"]
    assert list(content["results"]) == ["plain", "deep", "mean depth"]
    entry = content["results"]["deep"]["kitti-eigen"]["abs_rel"]
    assert len(entry["seeds"]) == 2
    assert len(entry["frames"]) == len(content["frames"]) == 3
    fit = json.loads((output / "deep" / "1" / "fit.json").read_text())["results"]
    assert entry["seeds"][1] == pytest.approx(fit["val step 2 kitti-eigen"]["abs_rel"], rel=1e-4)
    assert Image.open(output / "val-panels.png").size == (170 + 3 * 96, 5 * 64)
    assert (output / "val.png").is_file()
    stamp = (output / "deep" / "1" / "fit.json").stat().st_mtime_ns
    output = output.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    call = ("compare", "plain.yaml", "table.yaml:deep", "-c", EXPERIMENTS / "base.yaml", "-c", "tiny.yaml")
    call = (*call, "--seeds", 2, "--jobs", 2, "--output", "moved")
    same = cli(*call, "--trainer.max_steps", 2)
    assert same.status == 0, same.err
    assert same.out.count("score val: cached") == 4
    assert json.loads((output / "val.json").read_text()) == content
    again = cli(*call, "--split", "test", "--trainer.max_steps", 2)  # trains nothing
    assert again.status == 0, again.err
    assert "4 of 4 runs are trained already: cached" in again.out
    assert (output / "test.json").is_file()
    assert (output / "deep" / "1" / "fit.json").stat().st_mtime_ns == stamp
    other = cli(*call, "--trainer.max_steps", 3)
    assert other.status == 2
    assert "was made with other settings (arguments" in other.err
    fewer = list(call)
    fewer[fewer.index("--seeds") + 1] = 1
    refused = cli(*fewer, "--trainer.max_steps", 2)
    assert refused.status == 2
    assert "compares plain, deep, mean depth with 2 seeds; give --overwrite" in refused.err
    for damage in ("", "null", '{"results": {"plain": null}}'):
        (output / "val.json").write_text(damage)
        damaged = cli(*fewer, "--trainer.max_steps", 2)
        assert damaged.status == 2
        assert "val.json: damaged; give --overwrite" in damaged.err
    replaced = cli(*fewer, "--overwrite", "--trainer.max_steps", 2)
    assert replaced.status == 0, replaced.err
    assert "with one seed the variation of seeds is unknown" in replaced.out


class FailsLater(Callback):
    """Fails after the first batch, which ``compare`` tries before it trains."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx:
            raise RuntimeError("out of luck")


@pytest.mark.slow
def test_a_run_that_fails_is_named(data_root: Path, tmp_path: Path, cli: Cli) -> None:
    tiny, wrong = tiny_yaml(tmp_path / "tiny.yaml"), tmp_path / "wrong.yaml"
    wrong.write_text("data: {init_args: {size: [65, 96]}}")
    also = tmp_path / "also.yaml"
    also.write_text("data: {init_args: {size: [64, 97]}}")
    call = ("compare", wrong, also, "-c", EXPERIMENTS / "base.yaml", "-c", tiny, "--seeds", 1)
    refused = cli(*call, "--output", tmp_path / "compare", "--jobs", 2)
    assert refused.status == 2
    assert "wrong: size 65x96" in refused.err
    assert "(and 1 more variants fail); nothing was trained" in refused.err
    assert not (tmp_path / "compare").exists()
    wrong.write_text("{}")
    also.write_text("{}")
    fails = "--trainer.callbacks+=tests.lightning_app.comparison.test_compare.FailsLater"
    result = cli(*call, "--output", tmp_path / "compare", "--jobs", 2, fails)
    assert result.status == 1
    assert "2 of 2 runs failed: " in result.err
    assert result.err.count("RuntimeError: out of luck") == 2
    for options, message in (
        ((wrong,), "name at least two variants"),
        ((wrong, wrong), "two variants are called wrong"),
        ((wrong, tmp_path / "nowhere.yaml"), "no such YAML"),
        ((wrong, also, "--only", "wrong"), "name at least two variants"),
        ((wrong, also, "--only", "wronk"), "--only: no variant 'wronk'; did you mean wrong?"),
        ((wrong, also, "--split", "train"), "is not val or test"),
        ((wrong, also, "--output", wrong), "wrong.yaml is a file; --output is a folder"),
    ):
        refused = cli("compare", *options, "-c", EXPERIMENTS / "base.yaml", "-c", tiny)
        assert refused.status == 2
        assert message in refused.err


def scores(values: Any) -> dict[str, dict[str, dict[str, float]]]:
    return {"p": {f"frame{i}": {"abs_rel": float(value), "delta1": 0.5} for i, value in enumerate(values)}}


def test_differences_are_paired_by_frame() -> None:
    random = np.random.default_rng(0)
    hard = random.uniform(0.1, 0.9, 10)  # frames differ much more than variants do
    runs = [("one", scores(hard + random.normal(0, 0.002, 10))) for _ in range(3)]
    runs += [("two", scores(hard - 0.05 + random.normal(0, 0.002, 10))) for _ in range(3)]
    result = Comparison.of(runs)
    mean, low, high = result.difference("two", "p")
    assert mean == pytest.approx(-0.05, abs=0.005)
    assert -0.06 < low < mean < high < -0.04
    assert result.difference("two", "p") == (mean, low, high)
    assert result.difference("one", "p")[0] == 0


def test_frames_that_one_run_lacks_do_not_count() -> None:
    short = scores([0.1, 0.2])
    result = Comparison.of([("one", scores([0.1, 0.2, 0.3])), ("two", short)])
    assert result.frames == ["frame0", "frame1"]
    with pytest.raises(RuntimeError, match="no frame was scored in all runs"):
        Comparison.of([("one", {"p": {}}), ("two", short)])


def test_the_mean_depth_is_that_of_the_known_pixels(data_root: Path) -> None:
    depth = mean_depth([VirtualKitti("vkitti")], (64, 96))[0, 0].numpy()
    expected = road((64, 96), 56.0)
    np.testing.assert_allclose(depth[34:], expected[34:].clip(max=80), atol=0.006)
    np.testing.assert_allclose(depth[:30], depth.max())  # the sky is not known
