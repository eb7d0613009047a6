"""Backup and restore of the database that the running instance uses."""

import os
import subprocess
import time
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from launcher import health
from launcher.console import Failure, Step, say
from launcher.settings import ROOT

BACKUP = ROOT / "deploy/database/backup"
RESTORE = ROOT / "deploy/database/restore"
# What must begin anew with another database. Gateways stay: they close their clients' sessions when
# they find another generation. First to last to stop.
RESTARTED = ("persist-worker", "auth-worker", "broker")
DISCONNECT_SECONDS = 10


def with_database(url, name):
    """The same server, another database: of a URL, or of libpq's name=value words."""
    if "://" not in url:
        return f"{url} dbname='{name}'"
    parts = urlsplit(url)
    made = urlunsplit(parts._replace(path="/" + quote(name, safe="")))
    return made if parts.netloc else made.replace(":/", ":///", 1)


def sql(url, *statements):
    """Runs the statements in one transaction; returns their output."""
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
               "--set=ON_ERROR_STOP=1", f"--dbname={url}"]
    text = statements[0] if len(statements) == 1 else ";\n".join(("begin", *statements, "commit"))
    done = subprocess.run(command, input=text + ";\n", text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise Failure(f"the database refused:\n{done.stderr.strip()}")
    return done.stdout.strip()


def run_script(script, url, path):
    done = subprocess.run([str(script), str(path)], text=True, capture_output=True, check=False,
                          stdin=subprocess.DEVNULL, env={**os.environ, "DATABASE_URL": url})
    if done.returncode != 0:
        raise Failure((done.stderr or done.stdout).strip())


def backup(url, path):
    with Step(f"Writing {path}") as step:
        run_script(BACKUP, url, path)
        step.result = f"{path.stat().st_size:,} bytes"


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def swap(url, current, fresh, kept):
    """`fresh` takes the place of `current`, which is kept under another name; both or neither."""
    server = with_database(url, "postgres")
    names = ", ".join("'" + name.replace("'", "''") + "'" for name in (current, fresh))
    deadline = time.monotonic() + DISCONNECT_SECONDS
    while int(sql(server, "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                          f"where datname in ({names})")):
        if time.monotonic() > deadline:
            raise Failure(f"others keep connecting to the database {current}")
        time.sleep(0.1)
    sql(server, f"alter database {quoted(current)} rename to {quoted(kept)}",
        f"alter database {quoted(fresh)} rename to {quoted(current)}")


class Restore:
    """A backup goes into a new database first, while everything runs; only then do the services
    stop for a moment and the two change places."""

    def __init__(self, system, url, path):
        self.system = system
        self.url = url
        self.path = Path(path)
        self.current = sql(url, "select current_database()")
        stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime())
        self.fresh = f"{self.current}_restored_{stamp}"
        self.kept = f"{self.current}_before_{stamp}"

    def run(self):
        if not self.path.is_file():
            raise Failure(f"no file {self.path}")
        server = with_database(self.url, "postgres")
        sql(server, f"create database {quoted(self.fresh)} template template0")
        try:
            with Step(f"Reading {self.path} into a new database"):
                run_script(RESTORE, with_database(self.url, self.fresh), self.path)
            self.replace()
        except BaseException:
            sql(server, f"drop database if exists {quoted(self.fresh)}")
            raise
        say(f"The database before is kept as {self.kept}. To drop it:\n"
            f"  ./parley psql -c 'drop database {quoted(self.kept)}'")

    def replace(self):
        supervisor = self.system.supervisor
        plan = self.system.saved_plan()
        stopped = [i for service in RESTARTED for i in plan if i.service == service]
        with Step("Putting it in place") as step:
            try:
                for instance in stopped:
                    supervisor.control("force-stop", [instance.name], instance.stop_seconds)
                swap(self.url, self.current, self.fresh, self.kept)
            finally:
                supervisor.control("start", [instance.name for instance in stopped])
                health.wait_for(self.system.prober().is_settled, supervisor, plan)
            step.result = "all are ready; clients start anew"
