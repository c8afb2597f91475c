"""One writer per folder, and processes that end with the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightning_app.one_writer import one_writer

HOLD = """
import sys
from pathlib import Path
from lightning_app.one_writer import one_writer
with one_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
# A parent that starts a child, which watches it, prints its ID and waits.
CHILD = """
import time
from lightning_app.signals import end_with_parent
end_with_parent()
time.sleep(60)
"""
PARENT = """
import subprocess, sys
from lightning_app.signals import ending_with_this
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], env=ending_with_this(), process_group=0)
print(child.pid, flush=True)
child.wait()
"""


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start Python code in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> str:
    """The first line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_process_is_told_who_writes(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"
    with python(HOLD, folder) as other:
        assert first_line(other) == "held"
        with pytest.raises(RuntimeError, match=rf"runs/a: process {other.pid} on .* is writing there"):
            one_writer(folder).__enter__()
        other.communicate("")
    assert not (tmp_path / "runs").exists()  # it was made for the lock, and nothing was written
    with one_writer(folder):
        (folder / "result").touch()
    assert [path.name for path in folder.iterdir()] == ["result"]


def test_a_dead_owner_keeps_no_lock(tmp_path: Path) -> None:
    with python(HOLD, tmp_path) as other:
        assert first_line(other) == "held"
        other.kill()
    assert (tmp_path / ".lock").is_file()
    with one_writer(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} on ")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory") as error, one_writer(tmp_path / "file" / "run"):
        pass
    assert error.value.filename == str(tmp_path / "file" / "run")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_child_ends_with_its_parent(number: signal.Signals) -> None:
    with python(PARENT, CHILD) as parent:
        child = int(first_line(parent))
        time.sleep(0.3)
        assert is_alive(child)
        parent.send_signal(number)
    for _ in range(50):
        if not is_alive(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the child outlived its parent")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_verb_ends_with_the_status_of_its_signal(number: signal.Signals, status: int) -> None:
    verb = "import os, signal, sys\nfrom lightning_app.cli import main\n"
    verb += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job of a shell ignores it
    verb += "def wait(*_, **__):\n    print('waits', flush=True)\n    sys.stdin.read()\n"
    verb += "main.app = wait\nmain.main(['x'])"
    with python(verb) as process:
        assert first_line(process) == "waits"
        process.send_signal(number)
    assert process.returncode == status


def is_alive(process: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False
