"""Installs what is missing: Debian packages from packages.txt, npm packages by their lock files."""

import hashlib
import os
import shutil
import subprocess

from launcher.console import Failure, Step
from launcher.settings import ROOT

LIST = ROOT / "deploy/local/packages.txt"
APT_INSTALL = ROOT / "deploy/local/apt_install"


def read_list():
    """Section => [(package, command that replaces it or None)]."""
    sections = {}
    for line in LIST.read_text().splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0].startswith("["):
            current = sections.setdefault(words[0].strip("[]"), [])
        else:
            current.append((words[0], words[1] if len(words) > 1 else None))
    return sections


def missing_packages(sections):
    wanted = [entry for section, entries in read_list().items() if section in sections
              for entry in entries]
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"], text=True,
                          capture_output=True, check=True)
    installed = {line.split()[0] for line in done.stdout.splitlines()
                 if line.split()[1:] == ["installed"]}
    return [package for package, command in wanted
            if package not in installed and not (command and shutil.which(command))]


def ensure_debian(*sections):
    """Installs the missing packages of these sections of packages.txt; needs root only for that."""
    missing = missing_packages(sections)
    if not missing:
        return
    command = [str(APT_INSTALL), *missing]
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            raise Failure("missing Debian packages, and no sudo to install them. As root:\n  "
                          + " ".join(command))
        command.insert(0, "sudo")
    with Step(f"Installing {len(missing)} Debian packages: {' '.join(missing)}") as step:
        if subprocess.run(command, check=False).returncode != 0:
            raise Failure("apt-get could not install the packages; its words are above")
        step.result = "installed"


def npm_folders(*folders):
    """Those of the folders that have npm packages."""
    return [ROOT / folder for folder in folders if (ROOT / folder / "package-lock.json").exists()]


def ensure_npm(folder):
    """`npm ci` where node_modules isn't what package-lock.json says."""
    digest = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".parley-lock"
    if stamp.exists() and stamp.read_text() == digest:
        return
    with Step(f"Installing the npm packages of {folder.relative_to(ROOT)}/") as step:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=False).returncode:
            raise Failure(f"npm ci failed in {folder}")
        stamp.write_text(digest)
        step.result = "installed"
