"""`./parley bench`: installs and builds what it needs, then tests/load/bench/bench.mjs does the work."""

import subprocess

from launcher import build, packages, testing
from launcher.console import Failure
from launcher.settings import ROOT

TARGETS = [*testing.RELEASE_TARGETS, "raw_server", "postgres_floor"]


def run(arguments):
    packages.ensure_debian("build", "run", "node", "test", "bench")
    for folder in packages.npm_folders("tests", "tests/load/peers/node"):
        packages.ensure_npm(folder)
    environment = {**testing.test_environment(), "BUILD_DIR": str(ROOT / "build/release")}
    if not build.build_preset("release", TARGETS, environment):
        raise Failure("the build failed")
    command = ["node", str(ROOT / "tests/load/bench/bench.mjs"), *arguments]
    return subprocess.run(command, env=environment, check=False).returncode
