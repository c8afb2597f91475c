"""Streets as they are drawn, without Blender: where things are, and what an ablation leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_app.data_tools.blender import people, plants, vehicles
from lightning_app.data_tools.blender.geometry import Mesh, turn
from lightning_app.data_tools.blender.layout import KINDS, draw_street
from lightning_app.data_tools.blender.road import END, START, Band, Crossing, Road
from lightning_app.data_tools.blender.street import Street
from lightning_app.data_tools.blender.usable import is_uniform, is_usable
from lightning_app.data_tools.render_settings import VARIETY

AHEAD = 8.0  # metres that the camera drives


def straight(crossings: list[Crossing]) -> Road:
    """A straight, level street, 6 m wide, with a pavement on the right."""
    rng = np.random.default_rng(0)
    return Road(rng, 3.0, [], [Band(2.0, 0.15, "paving")], "asphalt", "grass", 0.0, 0.0, 0.0, crossings)


def draw(seed: int, *without: str) -> tuple[Street, float]:
    return draw_street(np.random.default_rng(seed), AHEAD, without)


@pytest.mark.parametrize("seed", range(25))
def test_every_street_can_be_driven(seed: int) -> None:
    street, lane = draw(seed)
    assert len(street.copies) > 3
    assert np.isfinite(np.concatenate(street.solid.points)).all()
    s = np.linspace(-1, AHEAD, 10)
    camera = street.road.place(s, lane, 1.6)
    for copy in street.copies:  # no vehicle and no person in the camera's way
        away = np.linalg.norm((camera - copy.matrix[:3, 3])[:, :2], axis=1).min()
        if copy.mesh in street._models.get("car", []) + street._models.get("bus", []):
            assert away > 1.6
    corners = np.concatenate(street.solid.points)
    near = np.linalg.norm(corners[:, None] - camera[None], axis=2).min()
    assert near > 0.3  # nothing solid at the camera


def test_streets_differ_and_the_same_seed_draws_the_same() -> None:
    first, again, other = draw(1), draw(1), draw(2)
    assert np.array_equal(np.concatenate(first[0].solid.points), np.concatenate(again[0].solid.points))
    assert first[1] == again[1]
    assert len(first[0].solid.points) != len(other[0].solid.points)


@pytest.mark.parametrize("kind", ["vegetation", "vehicles", "people", "furniture"])
def test_kinds_of_variety_are_left_out(kind: str) -> None:
    things = {
        "vegetation": ("tree", "bush", "conifer", "tufts"),
        "vehicles": ("car", "van", "lorry", "bus"),
        "people": ("person", "cyclist"),
        "furniture": ("sign", "lamp", "small thing"),
    }[kind]
    with_it, without = set(), set()
    for seed in range(6):
        with_it |= set(draw(seed)[0]._models)
        without |= set(draw(seed, kind)[0]._models)
    assert with_it & set(things)
    assert not without & set(things)


def test_without_layout_streets_are_straight_and_level() -> None:
    for seed in range(5):
        road = draw(seed, "layout")[0].road
        assert not road.crossings
        assert np.allclose(road.place(np.array([-30.0, 0, 150]), 0.0)[:, 0], 0)
        assert np.ptp(road.place(np.linspace(START, END, 9), 0.0)[:, 2]) < 1e-9


def test_all_kinds_of_streets_and_of_variety_are_used() -> None:
    assert sum(kind.share for kind in KINDS.values()) == pytest.approx(1)
    assert {"layout", "vegetation", "vehicles", "people", "furniture", "near", "textures", "effects"} == set(VARIETY)


def test_the_ground_of_a_crossing() -> None:
    road = straight([Crossing(20.0, 3.0, left=False, right=True)])
    t = np.array([-4.0, 0.0, 4.0, 4.0])
    s = np.array([20.0, 20.0, 20.0, 40.0])
    assert np.allclose(road.ground(s, t), [0, 0, 0, 0.15])  # no kerb in the side street
    assert not road.free(20.0, 4.0, 0.0)
    assert road.free(20.0, -4.0, 0.0)
    assert np.allclose(road.place(10.0, 2.0, 1.0), [2, 10, 1])
    assert road.edges == (-3.0, 5.0)


def test_a_curve_keeps_its_width() -> None:
    road = Road(np.random.default_rng(3), 3.0, [], [], "asphalt", "grass", 0.01, 0.02, 1.0, [])
    s = np.linspace(-20, 200, 50)
    left, right = road.place(s, -3.0), road.place(s, 3.0)
    assert np.allclose(np.linalg.norm((left - right)[:, :2], axis=1), 6)
    step = np.diff(road.place(s, 0.0), axis=0)
    ahead = turn(float(road.heading(s[5])))[:2, 1]
    assert step[5, :2] @ ahead / np.linalg.norm(step[5, :2]) > 0.99
    assert road.place(0.0, 0.0) == pytest.approx([0, 0, 0])


@pytest.mark.parametrize(
    ("model", "low", "high"),
    [
        (lambda rng: vehicles.car(rng, "paint0"), (1.5, 3.3, 1.2), (2.6, 6.1, 2.7)),
        (lambda rng: vehicles.lorry(rng, "paint0"), (2.0, 5.5, 2.2), (3.0, 14.5, 4.2)),
        (lambda rng: vehicles.bus(rng, "paint0"), (2.3, 8.8, 2.7), (2.8, 18.5, 3.6)),
        (people.person, (0.3, 0.2, 0.9), (1.2, 1.4, 2.1)),
        (plants.broadleaf, (1.5, 1.5, 4), (24, 24, 24)),
        (plants.conifer, (0.8, 0.8, 3.8), (11, 11, 21)),
    ],
)
def test_things_have_their_true_size_and_stand_on_the_ground(model, low, high) -> None:  # type: ignore[no-untyped-def]
    for seed in range(8):
        points = np.concatenate(model(np.random.default_rng(seed)).points)
        size = np.ptp(points, axis=0)
        assert (size > low).all(), (seed, size)
        assert (size < high).all(), (seed, size)
        assert -1.2 < points[:, 2].min() < 0.25


def test_the_slope_of_a_street_that_turns_back() -> None:
    """The camera looks along the street, not along its first direction."""
    road = straight([])
    s = road._s
    road._heading = np.radians(120) * (s > 50)
    level = np.stack([-np.sin(road._heading), np.cos(road._heading), np.full(len(s), 0.1)], 1)
    road._centre = np.cumsum(level, axis=0)
    assert road.slope(0.0, 0.0) == pytest.approx(np.arctan(0.1))
    assert road.slope(100.0, 1.0) == pytest.approx(np.arctan(0.1))


def test_meshes_are_joined_where_they_stand() -> None:
    part, whole = Mesh(), Mesh()
    part.box([2, 4, 1], [0, 0, 0.5], "stone")
    whole.join(part, [10, 0, 0], np.pi / 2, 0.5)
    points = np.concatenate(whole.points)
    assert np.allclose(points.min(0), [9, -0.5, 0])
    assert np.allclose(points.max(0), [11, 0.5, 0.5])
    assert whole.materials == ["stone"]


def test_frames_that_teach_nothing() -> None:
    street = np.repeat(np.linspace(60, 3, 40, dtype=np.float32)[:, None], 80, axis=1)
    assert is_usable(street)
    sky = np.full_like(street, np.inf)
    assert not is_usable(sky)
    sky[-3:] = street[-3:]  # less than a tenth is street
    assert not is_usable(sky)
    near = street.copy()
    near[:, :12] = 0.5  # more than a tenth is a wall at half a metre
    assert not is_usable(near)
    near[:, 6:12] = 5.0
    assert is_usable(near)
    assert not is_usable(np.full_like(street, 4.0))  # a wall across the image
    rng = np.random.default_rng(0)
    assert is_uniform(np.zeros((40, 80, 3), np.float16))
    assert is_uniform(np.full((40, 80, 3), 0.3) + rng.normal(0, 0.001, (40, 80, 3)))
    assert not is_uniform(rng.uniform(0, 1e-3, (40, 80, 3)) + street[..., None] * 1e-4)  # dark, but not black
