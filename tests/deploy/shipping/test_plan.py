"""What a plan may say, and that it is checked before anything is made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml

from deploy.benchmark.references import NETWORKS
from deploy.pruning.pruned_checkpoint import fine_tuning
from deploy.shipping.plan import REFERENCES, read_plan
from tests.conftest import EXPERIMENTS, Cli
from tests.deploy.shipping.conftest import PLAN


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("scheme: static", "scheme: statics"),
        ("size_mb: 2", "size_gb: 2"),
        ("size_mb: 2", "size_mb: two"),
        ("images: photos", "image: photos"),
        ("size: [64, 96]", "size: [64]"),
    ],
)
def test_a_plan_with_a_wrong_key_is_refused_in_one_line(wrong: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace(wrong, message))
    with pytest.raises(ValueError, match=str(path)) as error:
        read_plan(path)
    print(error.value)
    assert message.split(":")[0].split(" ")[-1] in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_plan_names_only_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    for wrong, right, message in (
        ("{fp32: 1.1}", "{resnet18: 3}", "int8: times_as_fast: unknown name 'resnet18'; choose from fp32, int8"),
        (
            "scheme: static",
            "scheme: static, start: later",
            "int8: start is 'later', expected the name of an earlier variant",
        ),
        ("fp32: {}", "fp32: {scheme: static}", "the first variant, fp32, is the baseline and must be fp32 or fp16"),
        ("scheme: static", "prune: 1.5", "prune is 1.5, expected a fraction between 0 and 1"),
        ("images: photos", "references: [pydnt]\nimages: photos", "unknown network 'pydnt'; choose from pydnet"),
        ("images: photos", "split: val", r"images \(calibration\) or photographs \(report and SQNR\) is required"),
        ("[NNAPI]", "[NNPI]", "gates: unknown check 'NNPI'; choose from static shapes"),
    ):
        path.write_text(PLAN.replace(wrong, right))
        with pytest.raises(ValueError, match=message):
            read_plan(path)


def test_the_shipped_plan_is_read() -> None:
    plan = read_plan(EXPERIMENTS / "ship.yaml")
    assert plan.first == "fp32"
    assert plan.variants["pruned-int8"].start == "pruned"
    assert set(REFERENCES) == set(NETWORKS)


@pytest.mark.parametrize(
    "name", ["../../esc", "a/b", "''", ".", "..", ".hidden", '"a\\0b"', "a:b", "x" * 300, "null", "yes"]
)
def test_a_variant_is_called_by_a_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("int8:", f"{name}:"))
    with pytest.raises(ValueError, match=r"plan.yaml: variant .* (cannot name a file|is not text)"):
        read_plan(path)


def test_two_variants_are_two_files(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("int8:", "FP32:"))
    with pytest.raises(ValueError, match="'FP32' and 'fp32' would be one file where case is ignored"):
        read_plan(path)
    path.write_text(PLAN.replace("int8:", "resnet18-int8:").replace("images:", "references: [resnet18]\nimages:"))
    with pytest.raises(ValueError, match="two files are called resnet18-int8"):
        read_plan(path)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("[64, 96]", "[0, 96]", "size is [0, 96]"),
        ("[64, 96]", "[64, -96]", "size is [64, -96]"),
        ("[64, 96]", "[64, 100000]", "size is [64, 100000]"),
        ("size_mb: 2", "size_mb: .inf", "size_mb is inf"),
        ("size_mb: 2", "size_mb: 0", "size_mb is 0.0"),
        ("size_mb: 2", "latency_ms: .nan", "latency_ms is nan"),
        ("size_mb: 2", "sqnr_db: -.inf", "sqnr_db is -inf"),
        ("size_mb: 2", "accuracy_loss: .inf", "accuracy_loss is inf"),
        ("size_mb: 2", "accuracy_loss: -0.1", "accuracy_loss is -0.1"),
        ("{fp32: 1.1}", "{fp32: .inf}", "times_as_fast: fp32 is inf"),
        ("scheme: static", "prune: .nan", "prune is nan"),
        ("fp32: {}", "fp32: 5", "5 is not a mapping of the keys of a variant"),
    ],
)
def test_numbers_of_a_plan_have_a_range(right: str, wrong: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace(right, wrong))
    with pytest.raises(ValueError, match=f"{path}: .*{re.escape(message)}"):
        read_plan(path)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("images:", "references: [pydnet]\nimages:", "reference network pydnet: size 64x96"),
        ("[64, 96]", "[65, 96]", "size 65x96"),
        ("images:", "protocols: [kitti]\nimages:", "no protocol 'kitti'"),
        ("images:", "protocols: [nyu-eigen]\nimages:", "protocol nyu-eigen is defined on kinect ground truth"),
        ("images:", "devices: [pixel]\nimages:", "unknown device 'pixel'"),
        ("images:", "measured: [none.json]\nimages:", "none.json: no such file"),
        ("images: photos", "images: nowhere", "nowhere: no such folder"),
        ("tiny.yaml", "small.yml", "small.yml: no such"),
    ],
)
def test_a_plan_is_checked_before_anything_is_made(
    right: str, wrong: str, message: str, fitted: Path, plan: Path, tmp_path: Path, cli: Cli
) -> None:
    plan.write_text(plan.read_text().replace(right, wrong))
    result = cli("ship", fitted / "checkpoints" / "last.ckpt", "-c", plan, "--output", tmp_path / "ship")
    assert result.status == 2
    assert message in result.err
    assert not (tmp_path / "ship").exists()


def test_images_of_a_plan_are_read_before_anything_is_made(
    fitted: Path, plan: Path, data_root: Path, tmp_path: Path, cli: Cli
) -> None:
    image = next((data_root / "photos").rglob("*.*g"))
    image.write_bytes(image.read_bytes()[:100])
    result = cli("ship", fitted / "checkpoints" / "last.ckpt", "-c", plan, "--output", tmp_path / "ship")
    assert result.status == 1
    assert str(image) in result.err
    assert not (tmp_path / "ship").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--trainer.max_stepps, '2'", "max_stepps"),
        ("--data.size, '[65,96]'", "size 65x96"),
        ("--data.val, '[]'", "no frame to evaluate: name a reader under data.val"),
        ("--model.loss, SILogg", "SILogg"),
    ],
)
def test_fine_tuning_is_tried_before_anything_is_made(
    arguments: str, message: str, fitted: Path, plan: Path, tmp_path: Path, cli: Cli
) -> None:
    plan.write_text(f"{plan.read_text()}  pruned: {{prune: 0.7, fine_tune: [{arguments}]}}\n")
    result = cli("ship", fitted / "checkpoints" / "last.ckpt", "-c", plan, "--output", tmp_path / "ship")
    assert result.status == 2
    assert message in result.err
    assert not (tmp_path / "ship").exists()


def test_nothing_of_the_yaml_in_a_checkpoint_is_trained_with(fitted: Path, tmp_path: Path) -> None:
    checkpoint = fitted / "checkpoints" / "last.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    content["config"] = "model: {init_args: {loss: {class_path: antigravity.Loss}}}\ndata: {class_path: os.system}\n"
    torch.save(content, tmp_path / "foreign.ckpt")
    config = tmp_path / "network.yaml"
    call = fine_tuning(tmp_path / "foreign.ckpt", [Path("mine.yaml")], ["--trainer.max_steps", "3"], config)
    weights = str(tmp_path / "foreign.ckpt")
    assert call == ["-c", "mine.yaml", "--trainer.max_steps", "3", "-c", str(config), "--model.weights", weights]
    written = yaml.safe_load(config.read_text())
    network = content["hyper_parameters"]["network"]
    assert written == {"model": {"init_args": {"network": network, "weights": weights}}}


def test_an_experiment_is_no_plan(tmp_path: Path, fitted: Path, cli: Cli) -> None:
    for path, message in (
        (EXPERIMENTS / "quickstart.yaml", "an experiment, not a plan"),
        (EXPERIMENTS / "ablation" / "decoders.yaml", "a table of variants, not a plan"),
    ):
        result = cli("ship", fitted / "checkpoints" / "last.ckpt", "-c", path, "--output", tmp_path / "ship")
        assert result.status == 2
        assert message in result.err
