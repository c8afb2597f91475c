"""Training on neighbours: stereo pairs and videos beside labelled frames, on fake data."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
import torch

from datamodules import KittiRaw, Reader
from lightning_app.canonical_camera import to_canonical
from lightning_app.checkpoints import Checkpoint, load_weights
from lightning_app.training import DepthModule
from losses import Photometric
from models import PoseNet
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml
from tests.helpers.fake_data import DRIVE
from tests.helpers.tiny_network import TinyNetwork
from tests.helpers.tiny_run import tiny_data

BASE = EXPERIMENTS / "base.yaml"
NEIGHBOURS = """
model:
  init_args:
    loss:
      class_path: losses.WeightedSum
      init_args: {{losses: [{{class_path: losses.SILog}}, {{class_path: losses.Photometric}}], weights: [1.0, 2.0]}}
    pose: {pose}
data:
  init_args:
    proportions: [0.5, 0.5]
    train:
      - {{class_path: datamodules.VirtualKitti, init_args: {{root: vkitti}}}}
      - class_path: datamodules.KittiRaw
        init_args: {{root: real, depth: none, neighbours: [{neighbours}]}}
"""


@pytest.fixture
def experiment(data_root: Path, tmp_path: Path) -> list[object]:
    """``fit`` with rendered frames and a real drive without labels, of which there are both cameras."""
    shutil.copytree(data_root / "kitti", data_root / "real")
    shutil.rmtree(data_root / "real" / DRIVE.replace("26", "28"))
    (data_root / "real" / DRIVE).rename(data_root / "real" / DRIVE.replace("0001", "0002"))
    images = data_root / "real" / DRIVE.replace("0001", "0002")
    shutil.copytree(images / "image_02", images / "image_03")
    return ["fit", "-c", BASE, "-c", tiny_yaml(tmp_path / "tiny.yaml"), "--trainer.default_root_dir", tmp_path / "run"]


def with_neighbours(folder: Path, neighbours: str, pose: str) -> Path:
    path = folder / f"{neighbours.replace(', ', '_')}.yaml"
    path.write_text(NEIGHBOURS.format(neighbours=neighbours, pose=pose))
    return path


def column(run: Path, name: str) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


def test_stereo_pairs_teach_beside_labels(experiment: list[object], tmp_path: Path, cli: Cli) -> None:
    result = cli(*experiment, "-c", with_neighbours(tmp_path, "stereo", "null"))
    assert result.status == 0, result.err
    assert min(column(tmp_path / "run", "train/photometric")) > 0
    assert min(column(tmp_path / "run", "train/silog")) > 0
    assert column(tmp_path / "run", "val/photometric") == [0, 0]  # no neighbours there


@pytest.mark.slow
def test_a_run_on_videos_starts_and_is_exported_without_its_pose_network(
    experiment: list[object], tmp_path: Path, cli: Cli
) -> None:
    result = cli(*experiment, "-c", with_neighbours(tmp_path, "previous, next", "{class_path: models.PoseNet}"))
    assert result.status == 0, result.err
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    opened = Checkpoint.open(last)
    assert "pose.head.weight" in opened.content["state_dict"]
    assert cli("export", last, "--output", tmp_path / "depth.onnx").status == 0
    network = opened.build_network()
    for module in (DepthModule(network, Photometric()), DepthModule(network, Photometric(), pose=PoseNet((4, 4)))):
        before = {key: value.clone() for key, value in module.state_dict().items() if key.startswith("pose.")}
        load_weights(module, opened)
        after = module.state_dict()
        assert all((after[key] == value).all() for key, value in before.items())
        kept = {key: value for key, value in opened.content["state_dict"].items() if key.startswith("network.")}
        assert all((after[key] == value).all() for key, value in kept.items())


def test_the_loss_reaches_the_pose_network_and_the_depth_network(data_root: Path) -> None:
    readers: list[Reader] = [KittiRaw("kitti", "kitti/test.txt", depth="none", neighbours="previous,next")]
    data = tiny_data(train=readers)
    data.setup("fit")
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    network, pose = TinyNetwork(), PoseNet((4, 4))
    _, terms = DepthModule(network, Photometric(), pose=pose).supervise(batch)
    torch.autograd.backward(terms["loss"])
    for weight in (network.head.weight, pose.head.weight, pose.head.bias):
        assert weight is not None
        assert weight.grad is not None
        assert weight.grad.any()


def test_videos_need_a_pose_network(experiment: list[object], tmp_path: Path, cli: Cli) -> None:
    result = cli(*experiment, "-c", with_neighbours(tmp_path, "next", "null"))
    assert result.status == 2
    assert "previous and next images have no known pose: set model.pose, e.g. to models.PoseNet" in result.err
    assert "Traceback" not in result.err


def test_a_canonical_camera_scales_poses_like_depth() -> None:
    pose = torch.eye(4).expand(2, 1, 4, 4).clone()
    pose[:, :, 0, 3] = -0.5
    k = torch.diag(torch.tensor([100.0, 100, 1])).expand(2, 3, 3) * torch.tensor([1.0, 2]).view(2, 1, 1)
    k[:, 2, 2] = 1
    batch = to_canonical({"depth": torch.full((2, 1, 1, 1), 6.0), "intrinsics": k, "poses": pose}, 50)
    assert batch["depth"].flatten().tolist() == [3, 1.5]
    assert batch["poses"][:, 0, 0, 3].tolist() == [-0.25, -0.125]
    assert (batch["poses"][:, :, :3, :3] == torch.eye(3)).all()
