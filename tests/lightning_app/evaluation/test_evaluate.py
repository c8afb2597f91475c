"""Evaluation as users call it: several protocols in one pass, all data sets in one table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightning_app.evaluation.protocols import PROTOCOLS
from tests.conftest import EXPERIMENTS, Cli
from tests.helpers.fake_data import write_diw, write_make3d, write_nyu_labeled, write_seven_scenes, write_tum
from tests.lightning_app.conftest import data_yaml, results

BASE = EXPERIMENTS / "base.yaml"


def test_one_pass_reports_protocols_with_views_of_their_own(
    exported: Path, annotated: Path, tmp_path: Path, cli: Cli
) -> None:
    """kitti-bts sees the KB crop, kitti-eigen-improved the whole frame; each as if it had been asked for alone."""
    call = ("evaluate", exported, "--data", annotated, "--overwrite", "--output", tmp_path / "r.json")
    both = cli(*call, "--protocol", "kitti-bts,kitti-eigen-improved")
    assert both.status == 0, both.err
    found = results(tmp_path / "r.json")
    assert "0-20m abs_rel" not in both.out  # they are in the file
    assert both.out.splitlines()[-1].startswith("kitti-eigen-improved: abs_rel ")
    assert [found[name]["frames"] for name in ("kitti-bts", "kitti-eigen-improved")] == [3, 3]
    for name in found:
        assert cli(*call, "--protocol", name).status == 0
        assert results(tmp_path / "r.json")[name] == found[name]
    assert found["kitti-bts"]["20-40m/rmse"] > 0


def test_per_dataset_scores_what_is_there(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    output = tmp_path / "table.json"
    nothing = cli("evaluate", exported, "--per-dataset", "--output", output, "--data", EXPERIMENTS / "cross_data.yaml")
    assert nothing.status == 2
    assert "no test data set can be scored; " in nothing.err
    write_nyu_labeled(data_root / "nyu")
    write_make3d(data_root / "make3d")
    write_diw(data_root / "diw")
    write_tum(data_root / "tum")
    write_seven_scenes(data_root / "seven_scenes")
    for name in ("eigen", "eigen_benchmark"):
        (data_root / "splits" / name).mkdir(parents=True)
        (data_root / "splits" / name / "test_files.txt").write_text((data_root / "kitti" / "val.txt").read_text())
    result = cli("evaluate", exported, "--per-dataset", "--output", output, "--data", EXPERIMENTS / "cross_data.yaml")
    assert result.status == 0, result.err
    rows = {(row["data"], row["protocol"]): row["metrics"] for row in json.loads(output.read_text())["rows"]}
    absent = [data for data, protocol in rows if protocol == "missing"]
    assert absent == ["KITTI annotated test_files", "NYU Depth v2 nyu_test_files_with_gt"]
    assert result.out.count("missing: ") == 2
    assert "kitti_depth: no such folder; looked for KITTI raw" in result.out
    scored = {protocol for _, protocol in rows} - {"missing"}
    assert scored == set(PROTOCOLS) - {"kitti-eigen-improved", "kitti-bts", "edges-rendered"}
    assert rows["Diw diw", "diw"]["frames"] == 3
    assert rows["Make3D make3d", "make3d-c1"]["frames"] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "x.yaml: is empty"),
        ("model: {}", "no data section"),
        ("data: {init_args: {val: []}}", "names no class_path; give base.yaml before it"),
        ("data: [", "not YAML"),
        ("data:", "its data section is empty or not a mapping"),
        ("data: [1, 2]", "its data section is empty or not a mapping"),
        ("data: {class_path: datamodules.Augmentation}", "data"),
        (
            "data: {class_path: datamodules.DepthDataModule, init_args: {train: [], val: [], test: []}}",
            "no reader under test",
        ),
    ],
)
def test_wrong_yaml_is_one_line(content: str, message: str, exported: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "x.yaml").write_text(content)
    result = cli("evaluate", exported, "--data", tmp_path / "x.yaml")
    assert result.status == 2
    assert message in result.err.splitlines()[-1]
    assert "Traceback" not in result.err


def test_per_dataset_says_what_it_does_not_score(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    kitti = "KittiRaw, root: kitti, split: kitti/val.txt, depth: forward_x"
    yaml = data_yaml(tmp_path / "d.yaml", kitti, "Photos, root: photos", "Shards, root: nowhere")
    result = cli("evaluate", exported, "--per-dataset", "--data", yaml)
    assert result.status == 0, result.err
    assert "not scored: Photos photos: no protocol for none ground truth" in result.out
    assert "missing: " in result.out
    assert "nowhere: shards are missing" in result.out
    data_yaml(yaml, "Photos, root: photos")
    for message in ("no test data set can be scored; Photos photos: no protocol", "names no reader under test"):
        result = cli("evaluate", exported, "--per-dataset", "--data", yaml)
        assert result.status == 2
        assert message in result.err
        yaml.write_text(yaml.read_text().partition("test:")[0] + "test: []\n")


def test_per_dataset_takes_a_split_and_protocols(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    """Each reader has the numbers that it has alone; unlike without it, readers are not pooled."""
    yaml, output = data_yaml(tmp_path / "d.yaml", "Photos, root: photos"), tmp_path / "r.json"
    lists = ("val", "test")
    readers = [
        f"{{class_path: datamodules.KittiRaw, init_args: {{root: kitti, split: kitti/{name}.txt, depth: forward_x}}}}"
        for name in lists
    ]
    yaml.write_text(yaml.read_text().replace("val: []", f"val: [{', '.join(readers)}]"))
    call = ("evaluate", exported, "--data", yaml, "--split", "val", "--overwrite", "--output", output)
    protocols = ("--protocol", "kitti-eigen,nyu-eigen,kitti-paper")
    result = cli(*call, "--per-dataset", *protocols)
    assert result.status == 0, result.err
    assert ", on val\n" in result.out
    found = {(row["data"], row["protocol"]): row["metrics"] for row in json.loads(output.read_text())["rows"]}
    names = ("kitti-eigen", "kitti-paper")
    assert list(found) == [(f"KITTI forward_x {each}", name) for each in lists for name in names]
    yaml.write_text(yaml.read_text().replace(f", {readers[1]}", ""))
    assert cli(*call, "--protocol", ",".join(names)).status == 0
    assert results(output) == {name: found["KITTI forward_x val", name] for name in names}
    assert "no protocol 'kitti'; did you mean " in cli(*call, "--per-dataset", "--protocol", "kitti").err


def test_only_per_dataset_has_default_data(
    exported: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    result = cli("evaluate", exported)
    assert result.status == 2
    assert "evaluate needs --data YAML" in result.err
    monkeypatch.chdir(EXPERIMENTS.parent)
    default = cli("evaluate", exported, "--per-dataset")
    assert default.status == 2
    assert "experiments/cross_data.yaml: no test data set can be scored; " in default.err


def test_protocols_by_commas_or_repeated(exported: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    kitti = "KittiRaw, root: kitti, split: kitti/val.txt, depth: forward_x"
    yaml = data_yaml(tmp_path / "d.yaml", kitti, "Photos, root: photos")
    result = cli("evaluate", exported, "--data", yaml, "--protocol", "kitti-eigen", "--protocol", "kitti-paper")
    assert result.status == 0, result.err
    assert "kitti-eigen   kitti-paper" in result.out
    assert "on test: KITTI forward_x val (3 frames)\n" in result.out  # no photograph is pooled in


def test_a_checkpoint_that_was_trained_on_these_scenes_is_said(
    fitted: Path, data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    checkpoint = fitted / "checkpoints" / "last.ckpt"
    yaml = data_yaml(tmp_path / "d.yaml", "VirtualKitti, root: vkitti, scenes: [Scene02]")
    result = cli("evaluate", checkpoint, "--data", yaml, "--protocol", "kitti-eigen")
    assert result.status == 0, result.err
    assert "was trained on 1 scenes of VirtualKitti vkitti, e.g. vkitti/Scene02" in result.err
    data_yaml(yaml, "KittiRaw, root: kitti, split: kitti/val.txt, depth: forward_x")
    assert "was trained on" not in cli("evaluate", checkpoint, "--data", yaml, "--protocol", "kitti-eigen").err
