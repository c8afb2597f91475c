"""View synthesis against planes of known place, and the photometric loss that uses it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.geometry import turn
from losses import Photometric
from losses.view_synthesis import is_seen, project, sample
from tests.helpers.plane_views import plane_view, pose_of

SIZE = (48, 80)
K = np.array([[60.0, 0, 39.5], [0, 60, 23.5], [0, 0, 1]])
OTHER_K = np.array([[52.0, 0, 41], [0, 55, 22], [0, 0, 1]])
POSES = {
    "stereo": pose_of(np.eye(3), (-0.54, 0, 0)),
    "forward": pose_of(np.eye(3), (0, 0, -0.7)),
    "turned": pose_of(turn(2, -3, 4), (0.3, -0.1, 0.4)),
}


def tensors(*arrays: Any) -> list[Tensor]:
    return [torch.from_numpy(np.asarray(each, np.float32))[None] for each in arrays]


def scene(pose: Any, intrinsics: Any = K) -> tuple[Tensor, Tensor, Tensor, dict[str, Any]]:
    """Image of the first camera and of another one, true depth, and a batch of one frame with one neighbour."""
    (image, depth), (other, _) = plane_view(K, np.eye(4), SIZE), plane_view(intrinsics, pose, SIZE)
    first, second = (each.permute(0, 3, 1, 2) / 255 for each in tensors(image, other))
    k, its_k, matrix = tensors(K, intrinsics, pose)
    batch = {
        "views": torch.stack([first, second], 1),
        "has_view": torch.tensor([[True]]),
        "pose_known": torch.tensor([[True]]),
        "view_intrinsics": its_k[:, None],
        "poses": matrix[:, None],
        "intrinsics": k,
        "image": first,
    }
    return first, second, tensors(depth)[0][:, None], batch


@pytest.mark.parametrize("intrinsics", [K, OTHER_K], ids=["same camera", "other camera"])
@pytest.mark.parametrize("name", POSES)
def test_a_view_of_a_plane_is_made_again(name: str, intrinsics: Any) -> None:
    first, second, depth, _ = scene(POSES[name], intrinsics)
    places = project(depth, *tensors(K, POSES[name], intrinsics))
    seen = is_seen(places, SIZE)
    assert seen.float().mean() > 0.75
    difference = (sample(second, places) - first).abs().amax(1, keepdim=True)
    assert difference[seen].max() < 0.02
    assert (second - first).abs().amax(1, keepdim=True)[seen].mean() > 0.05


def test_depth_in_the_view_is_that_of_its_camera() -> None:
    _, _, depth, _ = scene(POSES["turned"])
    places = project(depth, *tensors(K, POSES["turned"], K))
    _, its_depth = plane_view(K, POSES["turned"], SIZE)
    seen = is_seen(places, SIZE)
    found = sample(torch.from_numpy(its_depth)[None, None], places)
    assert torch.allclose(found[seen], places[:, 2:][seen], rtol=2e-3)


def test_mixed_precision_does_not_move_pixels() -> None:
    _, _, depth, _ = scene(POSES["turned"])
    matrices = tensors(K, POSES["turned"], K)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = project(depth, *matrices)
    assert torch.equal(mixed, project(depth, *matrices))


def test_what_is_outside_or_behind_is_not_seen() -> None:
    depth = torch.full((1, 1, *SIZE), 5.0)
    shifted, beside, behind = (
        is_seen(project(depth, *tensors(K, pose_of(np.eye(3), along), K)), SIZE)
        for along in ((-1.0, 0, 0), (100.0, 0, 0), (0, 0, -6.0))
    )
    assert shifted[..., 12:].all()  # 60 px x 1 m / 5 m
    assert not shifted[..., :12].any()
    assert not beside.any()
    assert not behind.any()


def test_what_something_nearer_hides_is_not_seen() -> None:
    depth = torch.full((1, 1, *SIZE), 20.0)
    depth[..., 40:50] = 3.0
    pose = pose_of(np.eye(3), (-0.5, 0, 0))
    seen = is_seen(project(depth, *tensors(K, pose, K)), SIZE)[0, 0, 10]
    # In the view, the near columns are 10 px farther to the left, the others 1.5 px.
    assert seen[40:50].all()
    assert not seen[32:40].any()
    assert seen[5:31].all()
    assert seen[50:].all()


def test_places_have_the_right_gradient() -> None:
    depth = (torch.rand(1, 1, 4, 5, dtype=torch.float64) + 4).requires_grad_()
    view = torch.rand(1, 2, 4, 5, dtype=torch.float64)
    k, pose = (each.double() for each in tensors(K / 10 + np.diag([0, 0, 0.9]), POSES["turned"]))
    torch.autograd.gradcheck(lambda each: sample(view, project(each, k, pose, k)), depth)


@pytest.mark.parametrize("name", POSES)
def test_true_depth_has_the_smallest_loss(name: str) -> None:
    _, _, depth, batch = scene(POSES[name])
    loss = Photometric()
    true, nearer, farther = (float(loss((depth * scale,), batch)["loss"]) for scale in (1, 0.8, 1.25))
    assert true < 0.01
    assert min(nearer, farther) > 3 * true


def test_depth_is_learned_from_a_pair_alone() -> None:
    _, _, depth, batch = scene(POSES["stereo"])
    log_depth = torch.full((1, 1, *SIZE), 2.3, requires_grad=True)
    optimizer = torch.optim.Adam([log_depth], lr=0.03)
    for _ in range(150):
        optimizer.zero_grad()
        Photometric()((log_depth.exp(),), batch)["loss"].backward()
        optimizer.step()
    error = ((log_depth.exp() - depth).abs() / depth)[..., 8:]
    assert error.median() < 0.05


def test_the_neighbour_that_fits_best_counts() -> None:
    first, second, depth, batch = scene(POSES["stereo"])
    loss = Photometric()
    expected = float(loss((depth,), batch)["loss"])
    blank = torch.zeros_like(second)
    two = batch | {
        "views": torch.stack([first, blank, second], 1),
        "has_view": torch.tensor([[True, True]]),
        "pose_known": torch.tensor([[True, True]]),
        **{name: batch[name].expand(1, 2, *batch[name].shape[2:]) for name in ("poses", "view_intrinsics")},
    }
    assert float(loss((depth,), two)["loss"]) == pytest.approx(expected, abs=0.003)
    without = two | {"has_view": torch.tensor([[False, True]])}
    assert float(loss((depth,), without)["loss"]) == pytest.approx(expected)


def test_a_camera_that_stands_still_teaches_nothing() -> None:
    first, _, depth, batch = scene(POSES["forward"])
    still = batch | {"views": torch.stack([first, first], 1), "pose_known": torch.tensor([[False]])}
    depth.requires_grad_()
    value = Photometric()((depth,), still)["loss"]
    value.backward()
    assert value.item() == 0
    assert depth.grad is not None
    assert not depth.grad.any()


def test_frames_without_neighbours_contribute_nothing() -> None:
    _, _, depth, batch = scene(POSES["stereo"])
    alone = float(Photometric()((depth,), batch)["loss"])
    two = {name: torch.cat([value, value]) for name, value in batch.items()}
    two["has_view"] = torch.tensor([[True], [False]])
    depths = torch.cat([depth, depth * 3]).requires_grad_()
    value = Photometric()((depths,), two)["loss"]
    value.backward()
    assert value.item() == pytest.approx(alone / 2)
    assert depths.grad is not None
    assert not depths.grad[1].any()
    none = Photometric()((depths,), {"image": batch["image"]})["loss"]
    assert none.item() == 0
    assert none.requires_grad


def test_a_wrong_weight_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ssim 1\.5 is not in \[0, 1\]"):
        Photometric(ssim=1.5)


def test_inverse_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="needs depth in metres"):
        Photometric()((torch.ones(1, 1, *SIZE),), {"predicts": "inverse_depth"})
