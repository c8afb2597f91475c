"""The pose network: poses are rigid motions, small at first, and can be learned."""

from __future__ import annotations

import pytest
import torch

from models import PoseNet
from models.pose_net import _to_matrix


def test_poses_are_rigid_and_small_at_first() -> None:
    torch.manual_seed(0)
    poses = PoseNet()(torch.rand(3, 3, 64, 96), torch.rand(3, 3, 64, 96))
    assert poses.shape == (3, 4, 4)
    assert torch.allclose(poses[:, :3, :3] @ poses[:, :3, :3].mT, torch.eye(3), atol=1e-6)
    assert (poses[:, 3] == torch.tensor([0.0, 0, 0, 1])).all()
    assert (poses - torch.eye(4)).abs().max() < 0.02


@pytest.mark.parametrize("axis", range(3))
def test_a_rotation_vector_turns_about_its_axis(axis: int) -> None:
    """By its length in radians, right-handed: a quarter about z takes x to y."""
    motion = torch.zeros(1, 6)
    motion[0, axis] = torch.pi / 2
    rotation = _to_matrix(motion)[0, :3, :3]
    unit = torch.eye(3)
    assert torch.allclose(rotation @ unit[axis], unit[axis], atol=1e-6)
    assert torch.allclose(rotation @ unit[(axis + 1) % 3], unit[(axis + 2) % 3], atol=1e-6)


def test_it_learns_a_translation() -> None:
    torch.manual_seed(0)
    network, image = PoseNet((8, 16)), torch.rand(1, 3, 32, 48)
    view, wanted = image.roll(3, 3), torch.tensor([0.3, 0.0, -0.8])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        (network(image, view)[0, :3, 3] - wanted).square().sum().backward()
        optimizer.step()
    assert torch.allclose(network(image, view)[0, :3, 3], wanted, atol=0.05)
