"""Variants of YAMLs and of tables."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lightning_app.comparison.variants import Variant, read_config, read_variants, write_variants
from tests.conftest import EXPERIMENTS, Cli, tiny_yaml

TABLE = """
variants:
  shallow: {model.network.output_stride: 16}
  deep: {model: {init_args: {network: {init_args: {output_stride: 2}}}}}
  same:
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "table.yaml").write_text(TABLE)
    return tmp_path / "table.yaml"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    (tmp_path / "plain.yaml").write_text("trainer: {max_steps: 3}")
    return tmp_path / "plain.yaml"


def names(variants: list[Variant]) -> list[str]:
    return [variant.name for variant in variants]


def test_tables_and_yamls_keep_their_order(table: Path, plain: Path) -> None:
    assert names(read_variants([plain, table])) == ["plain", "shallow", "deep", "same"]
    assert names(read_variants([Path(f"{table}:deep"), plain])) == ["deep", "plain"]
    assert names(read_variants([plain, table], ["same", "plain"])) == ["same", "plain"]


def test_entries_are_written_and_yamls_stay_where_they_are(table: Path, plain: Path, tmp_path: Path) -> None:
    paths = write_variants(read_variants([plain, table]), tmp_path / "variants")
    assert paths == [plain, *(tmp_path / "variants" / f"{name}.yaml" for name in ("shallow", "deep", "same"))]
    assert yaml.safe_load(paths[1].read_text()) == {"model.network.output_stride": 16}
    assert yaml.safe_load(paths[3].read_text()) == {}


def test_nested_and_dotted_overrides_are_parsed_alike(table: Path, data_root: Path, tmp_path: Path, cli: Cli) -> None:
    chain = ("fit", "-c", EXPERIMENTS / "base.yaml", "-c", tiny_yaml(tmp_path / "tiny.yaml"))
    strides = []
    for path in write_variants(read_variants([table]), tmp_path / "variants"):
        result = cli(*chain, "-c", path, "--print_config")
        assert result.status == 0, result.err
        network = yaml.safe_load(result.out)["model"]["init_args"]["network"]["init_args"]
        strides.append(network.get("output_stride"))
    assert strides[:2] == [16, 2]


def test_a_table_below_all_variants_names_one_of_its_own(table: Path, plain: Path) -> None:
    assert names(read_config([plain, Path(f"{table}:shallow")])) == ["plain", "shallow"]
    with pytest.raises(ValueError, match=r"table\.yaml: a table of variants; give one of them, e\.g\. .*:shallow"):
        read_config([plain, table])


@pytest.mark.parametrize(
    ("given", "only", "message"),
    [
        (["table.yaml:depe"], [], "table.yaml: no variant 'depe'; did you mean deep?"),
        (["table.yaml"], ["x"], "--only: no variant 'x'; there are shallow, deep, same"),
        (["table.yaml", "table.yaml:deep"], [], "two variants are called deep"),
        (["plain.yaml:a"], [], "plain.yaml: not a table of variants; leave out :a"),
        (["empty.yaml"], [], "empty.yaml: a table of variants must be a mapping"),
        (["more.yaml"], [], "more.yaml: a table of variants must be a mapping"),
        (["text.yaml"], [], "text.yaml: variant a must be a mapping of overrides, not 3"),
        (["folder.yaml"], [], "folder.yaml: variant '../a' cannot name a file"),
    ],
)
@pytest.mark.usefixtures("table", "plain")
def test_what_is_no_variant_is_one_line(given: list[str], only: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("variants: {}")
    (tmp_path / "more.yaml").write_text("variants: {a: {}}\ntrainer: {max_steps: 3}")
    (tmp_path / "text.yaml").write_text("variants: {a: 3}")
    (tmp_path / "folder.yaml").write_text("variants: {../a: {}}")
    with pytest.raises(ValueError, match="variant") as error:
        read_variants([tmp_path / name for name in given], only)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1
