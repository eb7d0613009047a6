"""The supervisor: runit's runsvdir, with everything it needs under PARLEY_HOME.

  sv/<instance>/         a service directory: run, finish, log/run, env/ (a file per variable) …
  service/<instance>     a link to it for each instance that is to run: what runsvdir watches
  log/<instance>/current its output, rotated by svlogd

A process that ends is started again at once (at the most once a second), for ever.
"""

import hashlib
import os
import resource
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

from launcher import processes
from launcher.console import Failure
from launcher.plan import base_environment
from launcher.settings import make_directory, write_private

LOG_FILE_BYTES = 20_000_000
LOG_FILES = 5

# runsvdir looks for new links every five seconds; runsv then makes its pipes.
SCAN_SECONDS = 20
EXIT_SECONDS = 10


def write_script(path, *lines):
    write_private(path, "\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o700)


class Supervisor:
    """The runsvdir of one PARLEY_HOME."""

    def __init__(self, settings):
        self.home = settings.home
        self.definitions = self.home / "sv"
        self.enabled = self.home / "service"
        self.logs = self.home / "log"

    # What is defined

    def define(self, instance):
        """Writes the service directory; returns whether what runs there, if anything, differs."""
        directory = self.definitions / instance.name
        log_directory = self.logs / instance.name
        for path in (self.definitions, self.logs, directory, directory / "log", log_directory):
            make_directory(path, 0o700)
        chpst = ["chpst", "-e", str(directory / "env")]
        if instance.user:
            chpst += ["-u", instance.user]
        run = ["exec 2>&1", "cd " + shlex.quote(instance.directory),
               "exec " + shlex.join(chpst + instance.argv)]
        self._write_environment(directory / "env", instance.environment)
        write_script(directory / "run", *run)
        write_script(directory / "finish", 'echo "event=ended code=$1 signal=$(($2 & 127))"',
                     "echo >>exits")
        svlogd = ["svlogd", *instance.log_options, str(log_directory)]
        write_script(directory / "log/run", "exec " + shlex.join(svlogd))
        write_private(log_directory / "config", f"s{LOG_FILE_BYTES}\nn{LOG_FILES}\n")
        if instance.stop_signal != "TERM":
            make_directory(directory / "control", 0o700)
            write_script(directory / "control/t",
                         f'kill -{instance.stop_signal} "$(cat supervise/pid)"')
        return self._fingerprint(instance) != self._digest(instance)

    def note_started(self, instance):
        """Remembers that what runs is what was defined last."""
        write_private(self.definitions / instance.name / "fingerprint", self._digest(instance))

    def _fingerprint(self, instance):
        try:
            return (self.definitions / instance.name / "fingerprint").read_text()
        except FileNotFoundError:
            return None

    @staticmethod
    def _write_environment(directory, variables):
        make_directory(directory, 0o700)
        for path in directory.iterdir():
            if path.name not in variables:
                path.unlink()
        for name, value in variables.items():
            # chpst takes the first line, and turns NUL into a line break.
            write_private(directory / name, value.replace("\n", "\0") + "\n")

    def _digest(self, instance):
        """Of all that makes a restart necessary when it changes."""
        digest = hashlib.sha256(repr(sorted(instance.environment.items())).encode())
        for path in (self.definitions / instance.name / "run", *instance.files):
            digest.update(Path(path).read_bytes())
        return digest.hexdigest()

    def variable(self, name, instance):
        """What this instance was given under this name, or None."""
        try:
            text = (self.definitions / instance / "env" / name).read_text()
        except FileNotFoundError:
            return None
        return text.rstrip("\n").replace("\0", "\n")

    def enable(self, name):
        make_directory(self.enabled, 0o700)
        link = self.enabled / name
        if not link.is_symlink():
            link.symlink_to(self.definitions / name)

    def disable(self, name):
        """It won't be started again; one that runs goes on until stop()."""
        (self.enabled / name).unlink(missing_ok=True)

    def names(self):
        """The enabled instances."""
        if not self.enabled.is_dir():
            return []
        return sorted(path.name for path in self.enabled.iterdir())

    def forget(self, name):
        shutil.rmtree(self.definitions / name, ignore_errors=True)

    # What runs

    def pid(self):
        """runsvdir's pid; None when it doesn't run."""
        try:
            pid = int((self.home / "runsvdir.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if processes.has_mark(pid, self.home) else None

    def start(self):
        """Starts runsvdir, detached, with the highest allowed limit of open files."""
        make_directory(self.enabled, 0o700)
        environment = {**base_environment(), processes.MARK: str(self.home)}
        with open(self.logs / "runsvdir.log", "ab") as log:
            child = subprocess.Popen(
                ["runsvdir", "-P", str(self.enabled)], cwd=self.home, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=raise_file_limit)
        write_private(self.home / "runsvdir.pid", f"{child.pid}\n")

    def control(self, command, names, seconds=7):
        """sv(8) on these instances; returns whether all obeyed in time."""
        if not names:
            return True
        done = subprocess.run(["sv", "-w", str(seconds), command,
                               *(str(self.definitions / name) for name in names)],
                              env=base_environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, check=False)
        return done.returncode == 0

    def is_supervised(self, name):
        """Is there a runsv for it? A pipe that nobody reads refuses to be opened for writing."""
        try:
            os.close(os.open(self.definitions / name / "supervise/ok",
                             os.O_WRONLY | os.O_NONBLOCK))
            return True
        except OSError:
            return False

    def wait_supervised(self, names):
        deadline = time.monotonic() + SCAN_SECONDS
        while missing := [name for name in names if not self.is_supervised(name)]:
            if time.monotonic() > deadline:
                raise Failure(f"runit did not take up {', '.join(missing)}; see "
                              f"{self.logs / 'runsvdir.log'}")
            time.sleep(0.05)

    def state(self, name):
        """(runit's word for it: run, down, finish, …; pid or None)."""
        directory = self.definitions / name / "supervise"
        if not self.is_supervised(name):
            return "down", None
        try:
            words = (directory / "stat").read_text().strip() or "down"
            pid = (directory / "pid").read_text().strip()
        except FileNotFoundError:
            return "down", None
        return words, int(pid) if pid else None

    def exits(self, name):
        """How often it has ended since it was enabled."""
        try:
            return (self.definitions / name / "exits").stat().st_size
        except FileNotFoundError:
            return 0

    def remove(self, names, seconds):
        """Stops these instances and their runsv, and forgets them."""
        for name in names:
            self.disable(name)
        self.control("force-stop", names, seconds)
        self.control("exit", names)
        left = processes.wait_gone(
            lambda: [name for name in names if self.is_supervised(name)], EXIT_SECONDS)
        if left:
            raise Failure(f"runit did not let go of {', '.join(left)}")
        for name in names:
            self.forget(name)

    def end(self):
        """Ends runsvdir and every runsv and svlogd; the services are stopped before. Returns
        whether there is anything to wait for."""
        pid = self.pid()
        orphans = [name for name in self.names() if self.is_supervised(name)]
        if pid:
            os.kill(pid, signal.SIGHUP)  # it passes it on as TERM to each runsv
        else:
            self.control("exit", orphans)
        (self.home / "runsvdir.pid").unlink(missing_ok=True)
        return bool(pid or orphans)


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
