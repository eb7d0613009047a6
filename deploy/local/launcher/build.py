"""Builds: the five services, test presets, the page."""

import os
import subprocess
import sys

from launcher import packages
from launcher.console import Failure, Step
from launcher.plan import SERVICES
from launcher.settings import ROOT

# What a running system needs of a build.
TARGETS = (*(f"parley-{service}" for service in SERVICES), "parley-keygen")


def run_quietly(command, environment=None):
    """Runs it; its output is shown only when it fails."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env=environment, check=False)
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
    return done.returncode == 0


def build_preset(preset, targets=(), environment=None):
    """Configures and builds a preset of CMakePresets.json into build/<preset>; False: it failed."""
    environment = {**os.environ, **(environment or {})}
    if not run_quietly(["cmake", "--preset", preset], environment):
        return False
    command = ["cmake", "--build", "--preset", preset]
    if targets:
        command += ["--target", *targets]
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sys.stderr,
                          env=environment, check=False).returncode == 0


def build_services(preset="release"):
    with Step(f"Building the services ({preset})") as step:
        if not build_preset(preset, list(TARGETS)):
            raise Failure("the build failed; the compiler's words are above")
        step.result = "up to date"


def build_page():
    """web/dist, when there is a page and its sources are newer."""
    for folder in packages.npm_folders("web"):
        packages.ensure_debian("node")
        packages.ensure_npm(folder)
        if page_is_fresh(folder):
            continue
        with Step("Building the page"):
            if not run_quietly(["npm", "--prefix", str(folder), "run", "build"]):
                raise Failure("the page's build failed; its words are above")


def page_is_fresh(folder):
    built = folder / "dist" / "index.html"
    if not built.exists():
        return False
    sources = [path for path in folder.rglob("*")
               if path.is_file() and not {"node_modules", "dist"} & set(path.parts)]
    return max(path.stat().st_mtime for path in sources) <= built.stat().st_mtime
