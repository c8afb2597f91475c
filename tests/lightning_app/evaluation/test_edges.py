"""Depth edges of a box before a wall: true ones, shifted, blurred and missing ones."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_app.evaluation.edges import EdgeProtocol, edge_distances, find_edges
from lightning_app.evaluation.protocols import PROTOCOLS
from tests.conftest import EXPERIMENTS, Cli

STREET, ROOM = (cast(EdgeProtocol, PROTOCOLS[f"edges-{truth}"]) for truth in ("rendered", "kinect"))


def box(left: int = 40, near: float = 5.0, far: float = 20.0) -> Tensor:
    """A box of 30x40 pixels before a wall."""
    depth = torch.full((80, 120), far)
    depth[25:55, left : left + 40] = near
    return depth


def errors(protocol: EdgeProtocol, prediction: Tensor, truth: Tensor) -> list[float]:
    found = protocol.errors(1 / prediction.double(), truth)
    assert found is not None
    assert found.shape == (1, 3)
    values: list[float] = found[0].tolist()
    return values


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_a_perfect_prediction_has_no_error_at_any_scale(scale: float) -> None:
    assert errors(STREET, box() * scale, box()) == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_shifted_box_is_as_far_away_as_it_was_shifted() -> None:
    """The upright sides lie 3 px away, the others only at their ends."""
    abs_rel, accuracy, completeness = errors(STREET, box(43), box())
    sides = 60 / 140  # share of the outline
    assert accuracy == pytest.approx(3 * sides, abs=0.3)
    assert completeness == pytest.approx(accuracy, abs=0.2)
    assert abs_rel > 0.1


def test_blurred_edges_cost_depth_and_weak_ones_are_missing() -> None:
    blurred = 1 / torch.from_numpy(cv2.GaussianBlur(1 / box().numpy(), (0, 0), 12))
    abs_rel, _, completeness = errors(STREET, blurred, box())
    assert abs_rel > 0.15
    assert completeness > 2
    assert errors(STREET, torch.full((80, 120), 10.0), box())[1:] == [10, 10]


def test_a_smaller_prediction_is_resized() -> None:
    small = box().reshape(40, 2, 60, 2).mean((1, 3))
    abs_rel, accuracy, completeness = errors(STREET, small, box())
    assert max(accuracy, completeness) < 1
    assert abs_rel < 0.15


def test_a_road_up_to_the_horizon_has_no_edges() -> None:
    rows = torch.arange(96.0)[:, None].expand(96, 320) - 40
    inverse = (rows / (186 * 1.65)).clamp_min(1 / 80)
    assert not find_edges((inverse / inverse[inverse > 1 / 80].median()).double()).any()


def test_the_sky_is_far_and_a_hole_is_no_edge() -> None:
    truth = box()
    truth[:25] = 0  # above the box
    edges = errors(STREET, box(), truth)
    assert edges[1] < 0.6  # the sky at 80 m before the wall at 20 m is an edge, too
    room, holed = box(near=1, far=3), box(near=1, far=3)
    holed[60:70, 20:100] = 0
    assert errors(ROOM, room, holed) == pytest.approx([0, 0, 0], abs=1e-6)


def test_frames_without_edges_or_with_broken_predictions() -> None:
    assert STREET.errors(box().double(), torch.full((80, 120), 9.0)) is None
    assert STREET.errors(box().double(), torch.zeros(80, 120)) is None
    broken = 1 / box().double()
    broken[3, 4] = torch.nan
    found = STREET.errors(broken, box())
    assert found is not None
    assert found.isnan().all()


def test_distances_are_those_of_a_search() -> None:
    random = np.random.default_rng(0)
    edges, true_edges = (random.random((30, 40)) < share for share in (0.004, 0.006))
    own, true = np.argwhere(edges), np.argwhere(true_edges)
    distances = np.linalg.norm(own[:, None] - true[None], axis=2)
    to_true, to_own = distances.min(1), distances.min(0)
    accuracy, completeness = edge_distances(edges, true_edges)
    assert accuracy == pytest.approx(to_true[to_true < 10].mean(), rel=1e-3)
    assert completeness == pytest.approx(np.minimum(np.concatenate([to_true, to_own]), 10).mean(), rel=1e-3)
    assert edge_distances(np.zeros_like(edges), true_edges) == (10, 10)


def test_a_file_is_evaluated_by_its_edges(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(EXPERIMENTS.parent / "data"))
    network = ("--model.network.weights", "none", "--data.workers", "0", "--trainer.accelerator", "cpu")
    yamls = ("-c", EXPERIMENTS / "base.yaml", "-c", EXPERIMENTS / "quickstart.yaml")
    protocols = ("--data.protocol", "[kitti-eigen,edges-rendered]", "--data.size", "[64,96]")
    result = cli("fit", *yamls, *network, *protocols, "--trainer.fast_dev_run", "1")
    assert result.status == 0, result.err
