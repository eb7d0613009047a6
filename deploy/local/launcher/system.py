"""The whole system: starts it, applies changes to it, stops it."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import asdict
from pathlib import Path

from launcher import edge, health, plan, postgres, processes
from launcher.console import Failure, Step, say
from launcher.runit import Supervisor
from launcher.settings import make_directory, write_private

# What is stopped together, first to last: who talks to clients before what they stand on.
STOP_ORDER = (("gateway", "rest"), ("edge",), ("persist-worker", "auth-worker"), ("broker",),
              ("postgres",))
LEFTOVER_SECONDS = 10
BURIAL_SECONDS = 3

# Where root's database lies when PostgreSQL's own user can't reach PARLEY_HOME.
OUTSIDE_HOME = Path("/var/lib/parley")


class System:
    def __init__(self, settings):
        self.settings = settings
        self.supervisor = Supervisor(settings)

    @contextlib.contextmanager
    def lock(self):
        """One command at a time changes an instance."""
        self.settings.make_home()
        with open(self.settings.home / "lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno != errno.EWOULDBLOCK:
                    raise
                say("waiting for another ./parley command on this instance …")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def is_running(self):
        return self.supervisor.pid() is not None

    def saved_plan(self):
        """The instances as the last start or change left them, without argv and environment."""
        try:
            rows = json.loads((self.settings.home / "plan.json").read_text())
        except FileNotFoundError:
            return []
        return [plan.Instance(**row) for row in rows]

    def cluster(self):
        """The private database that was made for this instance; None: none was."""
        base = self.settings.home / "postgres"
        return self.cluster_at(base) if base.exists() else None

    # Starting and changing

    def make_cluster(self):
        """The private database; None when DATABASE_URL names another database."""
        if self.settings.get("DATABASE_URL"):
            return None
        base = self.settings.home / "postgres"
        if not base.exists() and not postgres.can_enter(self.settings.home):
            outside = OUTSIDE_HOME / self.settings.home_key()
            outside.mkdir(mode=0o711, parents=True, exist_ok=True)
            say(f"    user {postgres.SYSTEM_USER} can't enter {self.settings.home}: the database "
                f"lies in {outside}")
            base.unlink(missing_ok=True)
            base.symlink_to(outside)
        cluster = self.cluster_at(base)
        if cluster.exists():
            cluster.create()  # its configuration is written anew
        else:
            with Step("Making a private PostgreSQL database"):
                cluster.create()
        return cluster

    def cluster_at(self, base):
        short = self.settings.short_dir()
        cluster = postgres.Cluster(base.resolve(), short / "postgres")
        if cluster.socket.is_relative_to(short):
            make_directory(short, 0o711)
        return cluster

    def prepare(self):
        """Everything that must hold before a process is started; returns the instances."""
        self.settings.make_home()
        if not self.settings.get("BUS_KEYS"):
            self.settings.make_keys()
        cluster = self.make_cluster()
        edge.write_configuration(self.settings)
        counts = plan.read_counts(self.settings)
        made = plan.Plan(self.settings, counts, cluster)
        instances = made.instances()
        for instance in instances:
            check_configuration(instance)
        self.settings.keep(made.variables())
        return instances

    def check_ports(self, instances):
        """Every port must be free, but for those that our own running processes hold."""
        own = set()
        if self.is_running():
            own = {tuple(where) for old in self.saved_plan() for where in old.tcp.values()}
        for instance in instances:
            for purpose, where in instance.tcp.items():
                if where not in own and not is_free(*where):
                    raise Failure(f"port {where[1]} on {where[0]} ({instance.name}'s {purpose}) is "
                                  "taken by another program; set PORT to a base whose next "
                                  "hundred ports are free")

    def prober(self):
        return health.Prober(self.settings, self.saved_plan(), self.cluster())

    def start_or_change(self):
        """Starts what doesn't run, restarts what changed, removes what is too many. Returns the
        instances and whether the system ran before."""
        instances = self.prepare()
        was_running = self.is_running()
        if not was_running and self.end_all():
            say("    ended what a killed supervisor had left behind")
        self.check_ports(instances)
        if not was_running:
            shutil.rmtree(self.supervisor.enabled, ignore_errors=True)
            shutil.rmtree(self.supervisor.definitions, ignore_errors=True)
        running = set(self.supervisor.names())
        wanted = [instance.name for instance in instances]
        self.supervisor.remove(sorted(running - set(wanted)), self.longest_stop())
        changed = [instance for instance in instances if self.supervisor.define(instance)]
        self.save(instances)
        for instance in changed:
            if instance.name not in running:
                self.supervisor.note_started(instance)
                self.supervisor.enable(instance.name)
        if not was_running:
            self.supervisor.start()
        try:
            self.supervisor.wait_supervised(wanted)
            for instance in changed:
                if instance.name in running:
                    self.restart(instance)
                    self.supervisor.note_started(instance)
            with Step("Waiting until all are ready") as step:
                health.wait_for(self.prober().is_settled, self.supervisor, instances)
                step.result = f"{len(instances)} processes ready"
        except BaseException:
            if not was_running:
                self.stop()
            raise
        return instances, was_running

    def save(self, instances):
        unsaved = ("argv", "environment", "files")
        rows = [{name: value for name, value in asdict(instance).items() if name not in unsaved}
                for instance in instances]
        write_private(self.settings.home / "plan.json", json.dumps(rows, indent=1) + "\n")

    def restart(self, instance):
        """Restarts one process and waits until it is ready again."""
        with Step(f"Restarting {instance.name}") as step:
            self.supervisor.control("force-restart", [instance.name], instance.stop_seconds)
            health.wait_for(self.prober().is_ready, self.supervisor, [instance])
            step.result = "ready"

    # Stopping

    def longest_stop(self):
        return max((instance.stop_seconds for instance in self.saved_plan()), default=0)

    def stop(self):
        """Leaves no process and no socket of this instance; returns whether there was a process."""
        ran = self.end_all()
        shutil.rmtree(self.settings.short_dir(), ignore_errors=True)
        return ran

    def end_all(self):
        """Ends every process of this instance, gracefully; returns whether there was one."""
        names = [name for name in self.supervisor.names() if self.supervisor.is_supervised(name)]
        for services in STOP_ORDER:
            group = [instance for instance in self.saved_plan()
                     if instance.service in services and instance.name in names]
            seconds = max((instance.stop_seconds for instance in group), default=0)
            self.supervisor.control("force-stop", [instance.name for instance in group], seconds)
        rest = processes.marked(self.settings.home)
        if self.supervisor.end():
            processes.wait_gone(lambda: processes.marked(self.settings.home), LEFTOVER_SECONDS)
        self.end_leftovers()
        # init may take a moment to bury them.
        processes.wait_gone(lambda: [pid for pid in rest if processes.exists(pid)], BURIAL_SECONDS)
        return bool(rest)

    def end_leftovers(self):
        """Ends what a killed supervisor left behind; only processes that bear our mark."""
        home = self.settings.home
        self.end_leftover_database()
        processes.end(lambda: processes.marked(home), LEFTOVER_SECONDS)
        if left := processes.marked(home):
            raise Failure(f"processes {left} do not end")

    def end_leftover_database(self):
        cluster = self.cluster()
        pid = cluster.postmaster() if cluster else None
        if pid and pid in processes.marked(self.settings.home):
            os.kill(pid, signal.SIGINT)
            processes.wait_gone(lambda: [pid] if processes.is_alive(pid) else [],
                                plan.POSTGRES_STOP_SECONDS)


def is_free(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise Failure(f"can't listen on {address} port {port}: {error.strerror}") from error
    return True


def check_configuration(instance):
    """The service itself judges its settings before it is started."""
    if instance.service not in plan.SERVICES:
        return
    done = subprocess.run([*instance.argv, "--check-config"], text=True, capture_output=True,
                          env={**plan.base_environment(), **instance.environment},
                          cwd=instance.directory, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        raise Failure(f"{instance.name} refuses its settings:\n{words}")
