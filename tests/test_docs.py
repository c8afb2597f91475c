"""What the documentation says of the project exists: links, verbs, options, YAMLs, class paths."""

from __future__ import annotations

import importlib.util
import inspect
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise, product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ROOT / "experiments"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# YAMLs that the pages tell a user to write, that a verb writes, or that are no experiments.
OTHER_YAMLS = {
    "FILE.yaml",
    "mine.yaml",
    "my_network.yaml",
    "data.yaml",
    "plan.yaml",
    "render.yaml",
    "config.yaml",
    "targets.yaml",
}
LIGHTNING = {
    "-c",
    "--config",
    "--print_config",
    "--ckpt_path",
}  # what `fit`, `validate` and `test` take beside the YAML's keys
FOREIGN = {"--login", "--optimization_style", "--target_platform"}  # of other programs


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = load_generator()
VERBS: dict[str, Any] = dict(GENERATOR.verbs())
READERS = [thing for _, thing in GENERATOR.public() if GENERATOR.kind(thing) == "Readers"]
READER_ARGUMENTS = {name for reader in READERS for name in inspect.signature(reader).parameters}


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each `pocketdepth ...` of a page, in code blocks and in inline code, after the program's name."""
    text = page.read_text()
    blocks = re.findall(r"^```(?:bash|text)\n(.*?)^```", text, re.S | re.M)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
    for line in (*lines, *inline):
        words = shlex.split(line, comments=True) if re.search(r"(^|\s)pocketdepth\s", line) else []
        if "pocketdepth" in words:
            yield words[words.index("pocketdepth") + 1 :]


def braces(word: str) -> list[str]:
    """A shell's expansion of ``{a,b}``."""
    parts = [part.split(",") for part in re.split(r"[{}]", word)]
    return ["".join(choice) for choice in product(*parts)] if "{" in word else [word]


def verb_of(words: list[str]) -> str:
    return next((name for name in (" ".join(words[:2]), words[0]) if name in VERBS), "")


def takes(verb: str, option: str) -> bool:
    """Whether it is an option of the verb, or of what the verb passes on to: a YAML's key, a reader's argument."""
    own = {name for param in VERBS[verb].params for name in param.opts} | {"--help", "-h"}
    if not VERBS[verb].context_settings.get("ignore_unknown_options"):
        return option in own
    key = re.match(r"--(model|data|trainer)\.", option)
    return bool(key) or option in own | LIGHTNING | {f"--{name}" for name in READER_ARGUMENTS}


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target = link.partition("#")[0]
        if not target or "://" in target:
            continue
        path = (page.parent / target).resolve()
        generated = (ROOT / "docs" / name for name in GENERATOR.FROM_ROOT)
        assert path.exists() or ("docs" in page.parts and path in generated), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_verbs_exist(page: Path) -> None:
    for words in commands(page):
        assert verb_of(words) or words[0] in ("VERB", "--version", "--install-completion"), " ".join(words)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_options_exist(page: Path) -> None:
    for words in commands(page):
        verb = verb_of(words)
        for word in words if verb else ():
            option = re.match(r"(--?[a-z][\w.-]*)", word)
            assert not option or takes(verb, option[1]), f"{word} of {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_options_that_stand_alone_exist(page: Path) -> None:
    known = {name for command in VERBS.values() for param in command.params for name in param.opts}
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    for option in re.findall(r"`(--[a-z][\w-]*)(?=[ `])", text):
        assert option in known | LIGHTNING | FOREIGN | {"--help"}, option


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_yamls_exist(page: Path) -> None:
    for found in re.findall(r"[\w./{},-]*\w\}?\.yaml", page.read_text()):
        for name in braces(found.removeprefix("experiments/")):
            assert (EXPERIMENTS / name).is_file() or (ROOT / found).is_file() or name in OTHER_YAMLS, found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_variants_exist(page: Path) -> None:
    """``TABLE.yaml:NAME`` and, after a table, ``--only NAME``."""
    for words in commands(page):
        tables = [word for word in words if (EXPERIMENTS / word).is_file() and "ablation/" in word]
        only = [(tables[0], word) for before, word in pairwise(words) if before == "--only"]
        for table, name in [*only, *(word.split(":") for word in words if ".yaml:" in word)]:
            assert name in yaml.safe_load((EXPERIMENTS / table).read_text())["variants"], f"{table}:{name}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_class_paths_exist(page: Path) -> None:
    packages = "models|losses|datamodules|lightning_app|deploy"
    for path in re.findall(rf"(?:`|class_path: )((?:{packages})(?:\.\w+)+)(?!/)\b", page.read_text()):
        module, _, name = path.rpartition(".")
        if name not in ("yaml", "py"):
            assert hasattr(import_module(module), name) or importlib.util.find_spec(path), path


def test_every_verb_has_a_reference() -> None:
    page = GENERATOR.cli_page()
    for verb, command in VERBS.items():
        assert f"\n### {verb} {{ #" in page
        for param in command.params:
            assert all(f"`{name}`" in page for name in param.opts if name.startswith("-"))


def test_classes_of_yamls_have_a_reference() -> None:
    """Ours, of all experiments that are shipped."""
    page = GENERATOR.yaml_page()
    text = "\n".join(path.read_text() for path in EXPERIMENTS.rglob("*.yaml"))
    paths = set(re.findall(r"class_path: ((?:models|losses|datamodules|lightning_app|deploy)\.[\w.]+)", text))
    assert len(paths) > 20
    assert {path for path in paths if f"### {path} {{ #" not in page} == set()


def test_arguments_of_classes_are_described() -> None:
    """Each row of the reference has a description."""
    page = GENERATOR.yaml_page()
    assert [line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")] == []


def test_pictures_are_light() -> None:
    for path in (ROOT / "docs").rglob("*"):
        assert path.is_dir() or path.stat().st_size < 1e6, path
