"""Checkpoints that somebody sends: only the network is built, nothing they name is called or opened."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_app.checkpoints import Checkpoint
from tests.conftest import EXPERIMENTS, Cli
from tests.lightning_app.test_checkpoints import LINEAR, OLD, changed

WATCHED = ("open", "os.system", "subprocess.Popen", "socket.getaddrinfo")
EVENTS: list[tuple[str, tuple[Any, ...]]] = []
sys.addaudithook(lambda event, args: EVENTS.append((event, args)) if event in WATCHED else None)
PHOTO = next((EXPERIMENTS.parent / "data" / "quickstart").rglob("*.jpg"))
CANARY = "canary-of-a-foreign-file"
LIGHT = {"encoder": "test_efficientnet", "weights": CANARY}


def touched() -> list[object]:
    """What was run or opened that names the canary, since the last call."""
    found: list[object] = [(event, args) for event, args in EVENTS if CANARY in repr(args)]
    EVENTS.clear()
    return found


def network(class_path: str, **init_args: Any) -> dict[str, Any]:
    """A description of a network."""
    return {"class_path": class_path, "init_args": init_args}


def with_decoder(decoder: Any) -> dict[str, Any]:
    return network("models.DepthNet", **LIGHT, decoder=decoder)


HOSTILE = {
    "function": network("os.system", command=f"touch {CANARY}"),
    "process": network("subprocess.Popen", args=["touch", CANARY]),
    "unpickle": network("torch.load", f=CANARY, weights_only=False),
    "hub": network("torch.hub.load", repo_or_dir=CANARY, model="x", source="local"),
    "factory": network("timm.create_model", model_name="resnet18", checkpoint_path=CANARY),
    "eval": network("builtins.eval", source=f"open('{CANARY}', 'w')"),
    "file": network("deploy.inference.OnnxModule", file=f"{CANARY}.onnx"),
    "teacher": network("deploy.inference.Teacher", file=f"{CANARY}.ckpt"),
    "stylizer": network("lightning_app.training.load_stylizer", checkpoint=f"{CANARY}.ckpt"),
    "reader": network("datamodules.Shards", root=CANARY),
    "not a depth network": network("torch.nn.Linear", in_features=1, out_features=1),
    "nested function": with_decoder("os.system"),
    "nested factory": with_decoder(network("timm.create_model", model_name="resnet18", checkpoint_path=CANARY)),
    "nested partial": with_decoder(network("functools.partial", func="os.system")),
    "nested process": with_decoder(network("subprocess.Popen", args=["touch", CANARY])),
    "nested file": with_decoder(network("deploy.inference.OnnxModule", file=f"{CANARY}.onnx")),
    "pruned": network(
        "models.with_pruned_channels", channels={}, network=network("deploy.inference.Teacher", file=f"{CANARY}.ckpt")
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_only_networks_are_built(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = torch.load(OLD, weights_only=True)["hyper_parameters"] | {"network": HOSTILE[name]}
    opened = Checkpoint.open(changed(tmp_path / "x.ckpt", hyper_parameters=settings))
    touched()
    with pytest.raises(ValueError, match=r"x\.ckpt: its network .* cannot be built: ") as error:
        _ = opened.network
    assert not touched()
    assert "\n" not in str(error.value)
    assert "no such" not in str(error.value)


def test_nothing_of_the_yaml_is_built(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETDEPTH_DATA", str(EXPERIMENTS.parent / "data"))
    (tmp_path / "sent.py").write_text(f"open('{tmp_path / CANARY}', 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    content = torch.load(OLD, weights_only=True)
    config = yaml.safe_load(content["config"])
    config["data"]["init_args"]["train"] = [network("sent.Reader"), network("datamodules.Shards", root=CANARY)]
    config["data"]["init_args"]["teacher"] = network("deploy.inference.Teacher", file=f"{CANARY}.ckpt")
    config["trainer"]["callbacks"] = [network("sent.Callback")]
    settings = content["hyper_parameters"] | {"loss": network("sent.Loss"), "weights": f"{CANARY}.ckpt"}
    path = changed(tmp_path / "x.ckpt", hyper_parameters=settings, config=yaml.safe_dump(config))
    yamls = [part for name in ("base", "quickstart") for part in ("--data", EXPERIMENTS / f"{name}.yaml")]
    touched()
    for call in (("export", path), ("evaluate", path, *yamls, "--split", "val")):
        result = cli(*call)
        assert result.status == 0, result.err
        assert not touched()
    (tmp_path / "mine.yaml").write_text(content["config"])
    start = ("fit", "-c", tmp_path / "mine.yaml", "--trainer.default_root_dir", tmp_path, "--trainer.max_steps", 6)
    assert cli(*start, "--ckpt_path", path).status in (0, 2)  # resumed with the YAML's loss, or refused
    assert not touched()
    assert "sent" not in sys.modules
    card = (tmp_path / "x.md").read_text()
    assert "the data of Reader" in card
    assert "Teacher(file=" in card


def test_network_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net_of_mine.py").write_text(
        "from collections.abc import Callable\n\nimport torch\n\n"
        "from models import DepthNet\nfrom models.depth_net import DecoderFactory\n\n\n"
        "def twice(value):\n    return 2 * value\n\n\n"
        "class Net(DepthNet):\n"
        "    def __init__(self, decoder: DecoderFactory, outer: Callable = torch.tanh, inner: Callable = twice):"
        "\n"
        "        super().__init__('test_efficientnet', decoder=decoder)\n"
        "        self.outer, self.inner = outer, inner\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = torch.load(OLD, weights_only=True)["hyper_parameters"]
    decoder = settings["network"]["init_args"]["decoder"]

    def opened(**functions: str) -> Any:
        section = network("net_of_mine.Net", decoder=decoder, **functions)
        return Checkpoint.open(changed(tmp_path / "x.ckpt", hyper_parameters=settings | {"network": section})).network

    found = opened(inner="net_of_mine.twice", outer="torch.nn.functional.softplus")
    assert (found.outer, found.inner(2)) == (torch.nn.functional.softplus, 4)
    assert torch.equal(found(LINEAR), Checkpoint.open(OLD).network(LINEAR))
    assert opened().outer is torch.tanh
    with pytest.raises(ValueError, match=r"os\.system is not a function of the network's own file"):
        opened(inner="os.system")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"hyper_parameters": None}, "not a checkpoint of PocketDepth"),
        ({"pocketdepth": None}, "not a checkpoint of PocketDepth"),
        ({"state_dict": None}, "not a checkpoint of PocketDepth"),
        ({"hyper_parameters": {}}, "its network has no class_path"),
        ({"hyper_parameters": {"network": "models.DepthNet"}}, "its network has no class_path"),
        ({"hyper_parameters": {"network": network("gone.Net")}}, "No module named 'gone'"),
        ({"pocketdepth": {}}, "its training size is None"),
        ({"pocketdepth": {"size": [0, 64]}}, "its training size is 0x64, not within 1 to 16384"),
        ({"pocketdepth": {"size": [64, -64]}}, "its training size is 64x-64"),
        ({"pocketdepth": {"size": "64x192"}}, "its training size is '64x192', not"),
        ({"config": "- 1"}, "the YAML in it is not a mapping"),
        ({"config": "model: 3"}, "the YAML in it is not a mapping"),
        ({"config": "{"}, "not YAML"),
        ({"config": 7}, "the YAML in it is not a mapping"),
    ],
)
def test_damaged_content_is_one_line(broken: dict[str, Any], message: str, cli: Cli, tmp_path: Path) -> None:
    result = cli("export", changed(tmp_path / "x.ckpt", **broken))
    assert result.status == 2
    place = "x.ckpt:1: " if message == "not YAML" else "x.ckpt: "  # a line of its YAML
    assert f"{place}{message}" in result.err or ("cannot be built" in result.err and message in result.err)
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.parametrize("focal", [float("nan"), -5, 0, "wide"])
def test_focal_length_of_a_checkpoint(focal: Any, tmp_path: Path) -> None:
    settings = torch.load(OLD, weights_only=True)["hyper_parameters"] | {"canonical_focal_px": focal}
    with pytest.raises(ValueError, match=r"x\.ckpt: its canonical focal length is .*, not a positive number"):
        _ = Checkpoint.open(changed(tmp_path / "x.ckpt", hyper_parameters=settings)).canonical_focal_px


def test_flipped_bits_and_weights_that_are_not_finite(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    data = bytearray(OLD.read_bytes())
    weights = torch.load(OLD, weights_only=True)["state_dict"]
    stored = weights["network.encoder.backbone.bn1.weight"].numpy().tobytes()
    data[data.index(stored) + 20] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.ckpt: .* a corrupt one \(its checksums do not match\)"):
        Checkpoint.open(path)
    name = next(key for key, value in weights.items() if value.is_floating_point())
    for value in (float("nan"), float("inf")):
        path = changed(path, state_dict=weights | {name: torch.full_like(weights[name], value)})
        for call in (("export", path), ("predict", path, PHOTO), ("prune", path, "--macs", "0.5")):
            result = cli(*call)
            assert result.status == 2
            assert f"x.ckpt: its weights are not finite: {name.removeprefix('network.')} has NaN" in result.err


def test_pickled_objects_are_named(tmp_path: Path) -> None:
    settings = torch.load(OLD, weights_only=True)["hyper_parameters"]
    path = changed(tmp_path / "x.ckpt", hyper_parameters=settings | {"network": torch.nn.Linear(1, 1)})
    with pytest.raises(ValueError, match=r"x\.ckpt: it holds an object of torch\.nn\.modules\.linear\.Linear, and"):
        Checkpoint.open(path)
