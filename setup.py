"""Puts experiments/ into the wheel, inside lightning_app; pyproject.toml holds everything else."""

from pathlib import Path
from shutil import copytree, rmtree

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithExperiments(build_py):
    """package-data cannot name files outside of a package, and data-files has no fixed place to be found at."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # then the repository's own folder is used
            target = Path(self.build_lib, "lightning_app", "packaged_experiments")
            rmtree(target, ignore_errors=True)  # of an earlier build
            copytree("experiments", target)

    def get_source_files(self) -> list[str]:
        """What the sdist holds."""
        return [*super().get_source_files(), *map(str, Path("experiments").rglob("*.yaml"))]


setup(cmdclass={"build_py": BuildWithExperiments})
