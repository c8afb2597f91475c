"""Load time, first run and memory of a model file, measured in fresh processes. Does not import torch.

``python -m deploy.measure.fresh_process FILE --threads N`` prints one such measurement as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from deploy.inference.load import load_network

PROCESSES = 3  # per file, because a single start is noisy
RUNS = 3  # per process, because memory can still grow in the second run


@dataclass(frozen=True)
class Start:
    """Start-up costs of a model file.

    Attributes:
        load_ms: time to open the file, without the import of the runtime.
        first_ms: time of the first run.
        memory_mb: peak resident memory up to the third run, in 10^6 bytes, minus the memory of the process with the
            runtime imported and no file open.
    """

    load_ms: float
    first_ms: float
    memory_mb: float


def start(path: Path, threads: int) -> Start:
    """Measure a file in several sequential processes and return the medians.

    Args:
        path: model file.
        threads: number of threads of the runtime.

    Raises:
        RuntimeError: a process failed.
    """
    command = [sys.executable, "-m", "deploy.measure.fresh_process", str(path.resolve()), "--threads", str(threads)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}  # so that networks of the user can be imported
    starts = []
    for _ in range(PROCESSES):
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=Path(__file__).parents[2], env=environment, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
            raise RuntimeError(f"{path}: failed in a fresh process ({reason})")
        starts.append(Start(**json.loads(done.stdout.splitlines()[-1])))
    return Start(*(median(getattr(each, name) for each in starts) for name in Start.__dataclass_fields__))


def measure_here(path: Path, threads: int) -> Start:
    """Measure in the current process, which must be fresh."""
    with contextlib.suppress(FileNotFoundError):
        load_network(path.with_name(f"absent{path.suffix}"), threads)  # only imports the runtime
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # on Linux, resets the peak to exclude the imports
    empty = _peak_bytes()
    begin = time.perf_counter()
    network = load_network(path, threads)
    opened = time.perf_counter()
    image = np.random.default_rng(0).random((1, 3, *network.size), dtype=np.float32)
    ready = time.perf_counter()
    network(image)
    done = time.perf_counter()
    for _ in range(RUNS - 1):
        network(image)
    return Start((opened - begin) * 1e3, (done - ready) * 1e3, (_peak_bytes() - empty) / 1e6)


def _peak_bytes() -> int:
    """Peak resident memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would include the memory of the parent process
        return 1024 * next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    import resource  # not available on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    print(json.dumps(asdict(measure_here(arguments.file, arguments.threads))))
