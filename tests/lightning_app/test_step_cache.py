"""Steps that run once, and folders that belong to one set of settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightning_app.step_cache import StepCache, claim


def test_a_step_runs_again_only_if_something_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = tmp_path / "source", tmp_path / "output"
    calls: list[str] = []

    def run(settings: int) -> str:
        def step() -> None:
            calls.append(source.read_text())
            output.write_text("x")

        StepCache(tmp_path).run("copy", [source, settings], output, step)
        return capsys.readouterr().out

    source.write_text("a")
    assert run(1) == "copy: running\n"
    assert run(1) == "copy: cached\n"
    assert calls == ["a"]
    source.write_text("b")
    run(1)
    assert calls == ["a", "b"]
    run(2)
    output.unlink()
    run(2)
    assert calls == ["a", "b", "b", "b"]


def test_a_damaged_output_is_made_anew(tmp_path: Path) -> None:
    output = tmp_path / "output"

    def run() -> str:
        StepCache(tmp_path).run("step", 1, output, lambda: output.write_text("whole"))
        return output.read_text()

    assert run() == "whole"
    for damage in ("", "null", "who"):
        output.write_text(damage)
        assert run() == "whole"
    (tmp_path / "steps.json").write_text('{"step": null}')
    assert run() == "whole"


@pytest.mark.parametrize("content", ["", "null", "{", "[]", "\x00"])
def test_a_corrupt_cache_is_one_clear_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "steps.json").write_text(content)
    with pytest.raises(ValueError, match=r"steps\.json: corrupt; remove it to run every step again"):
        StepCache(tmp_path)


def test_an_interrupted_step_is_not_cached(tmp_path: Path) -> None:
    output = tmp_path / "output"

    def interrupt() -> None:
        output.write_text("half of the second")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StepCache(tmp_path).run("step", 2, output, interrupt)
    assert not (tmp_path / "steps.json").exists()
    StepCache(tmp_path).run("step", 1, output, lambda: output.write_text("first"))
    with pytest.raises(KeyboardInterrupt):
        StepCache(tmp_path).run("step", 2, output, interrupt)
    StepCache(tmp_path).run("step", 1, output, lambda: output.write_text("first again"))
    assert output.read_text() == "first again"


def test_a_path_stands_for_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, output = tmp_path / "images", tmp_path / "output"
    (images / "drive").mkdir(parents=True)
    (images / "drive" / "0.png").write_text("abc")
    calls: list[Path] = []

    def run(folder: Path) -> int:
        def step() -> None:
            calls.append(folder)
            output.touch()

        StepCache(tmp_path).run("step", [folder, folder / "drive" / "0.png"], output, step)
        return len(calls)

    monkeypatch.chdir(tmp_path)
    assert run(images) == 1
    assert run(Path("images")) == 1
    assert run(Path("images/../images")) == 1
    assert run(images.rename(tmp_path / "moved")) == 1
    (tmp_path / "moved" / "drive" / "1.png").write_text("d")
    assert run(tmp_path / "moved") == 2
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "moved" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "moved" / ".DS_Store").touch()
    assert run(tmp_path / "moved") == 2
    (tmp_path / "elsewhere" / "2.png").touch()
    assert run(tmp_path / "moved") == 3
    with pytest.raises(FileNotFoundError, match="nowhere: no such file or folder"):
        run(Path("nowhere"))


def test_results_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    folder, config = tmp_path / "runs", tmp_path / "a.yaml"
    config.write_text("seed: 0")
    claim(folder, {"config": config, "steps": 1})
    claim(folder, {"config": config, "steps": 2})  # nothing is in it yet
    (folder / "result").touch()
    claim(folder, {"config": config.rename(tmp_path / "b.yaml"), "steps": 2})
    assert set(json.loads((folder / "settings.json").read_text())) == {"config", "steps"}
    with pytest.raises(
        ValueError, match=r"runs was made with other settings \(steps 2, not 3\); give another --output"
    ):
        claim(folder, {"config": tmp_path / "b.yaml", "steps": 3})
    (tmp_path / "b.yaml").write_text("seed: 1")
    with pytest.raises(ValueError, match=r"other settings \(config, extra null, not 0\)"):
        claim(folder, {"config": tmp_path / "b.yaml", "steps": 2, "extra": 0})
    claim(folder, {"steps": 3}, overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["settings.json"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts" / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match=r"thesis\.tex exists already, and .* has no settings\.json"):
        claim(tmp_path, {})
    with pytest.raises(FileExistsError, match="is a file, not a folder"):
        claim(tmp_path / "drafts" / "thesis.tex", {})
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(ValueError, match=r"settings\.json: corrupt; remove .* or give another --output"):
        claim(tmp_path, {})
    assert (tmp_path / "drafts" / "thesis.tex").is_file()
