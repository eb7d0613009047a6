"""A private PostgreSQL cluster: files, command line and address. Used by `up` and by pg_private.

PostgreSQL refuses to run as root; root's clusters belong to the system's user `postgres`.
"""

import os
import pwd
import subprocess
from pathlib import Path
from urllib.parse import quote

from launcher.console import Failure
from launcher.settings import SOCKET_PATH_MAX

SUPERUSER = "parley"
DATABASE = "parley"
SYSTEM_USER = "postgres"
VERSIONS = Path("/usr/lib/postgresql")
CONFIGURATION = Path(__file__).resolve().parents[1] / "postgresql.conf"
SOCKET_NAME = ".s.PGSQL.5432"


def newest_version():
    found = [path.name for path in VERSIONS.glob("[0-9]*") if (path / "bin/postgres").exists()]
    if not found:
        raise Failure(f"no PostgreSQL server under {VERSIONS}")
    return max(found, key=int)


def server_user():
    """The user that the server must run as; empty: the caller."""
    return SYSTEM_USER if os.geteuid() == 0 else ""


def can_enter(directory):
    """May the server's user pass through this directory?"""
    if not server_user():
        return True
    return subprocess.run(["/usr/bin/test", "-x", directory], user=SYSTEM_USER, check=False,
                          group=SYSTEM_USER, extra_groups=[], cwd="/").returncode == 0


class Cluster:
    """A cluster under `base` (data in base/data), its socket in base/socket or in `short_base`."""

    def __init__(self, base, short_base):
        self.base = Path(base)
        self.data = self.base / "data"
        self.socket = self.base / "socket"
        if len(os.fsencode(self.socket)) + len(SOCKET_NAME) + 1 > SOCKET_PATH_MAX:
            self.socket = Path(short_base)
        self.user = server_user()

    def url(self):
        return f"postgresql:///{DATABASE}?host={quote(str(self.socket), safe='')}&user={SUPERUSER}"

    def exists(self):
        return (self.data / "PG_VERSION").exists()

    def program(self, name):
        version = newest_version()
        if self.exists():
            version = (self.data / "PG_VERSION").read_text().strip()
        path = VERSIONS / version / "bin" / name
        if not path.exists():
            raise Failure(f"{self.data} was made by PostgreSQL {version}, which isn't installed")
        return str(path)

    def server_command(self):
        return [self.program("postgres"), "-D", str(self.data)]

    def _run(self, command, **options):
        """Runs one of PostgreSQL's programs as the server's user; its output only in a Failure."""
        as_user = {}
        if self.user:
            as_user = {"user": self.user, "group": self.user, "extra_groups": []}
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, env=environment, cwd="/",
                              stderr=subprocess.STDOUT, check=False, **as_user, **options)
        if done.returncode != 0:
            raise Failure(f"{' '.join(command)} failed:\n{done.stdout}")
        return done.stdout

    def _own_directory(self, path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)
        path.chmod(0o700)

    def create(self, sync=True):
        """Makes what is missing: directories, cluster, database. Writes the configuration anew."""
        for path in (self.base, self.socket):
            self._own_directory(path)
        if not self.exists():
            self._initialise(sync)
        self._write("parley.conf", CONFIGURATION.read_text()
                    + f"unix_socket_directories = '{str(self.socket)}'\n")
        self._write("pg_hba.conf", "# The socket's directory lets only its owner in.\n"
                    "local all all trust\n")

    def _initialise(self, sync):
        """initdb and the database; data/PG_VERSION appears last, so that a kill leaves no half."""
        fresh = self.base / "data.new"
        self._run(["/bin/rm", "-rf", str(fresh)], stdin=subprocess.DEVNULL)
        command = [self.program("initdb"), "-D", str(fresh), "-U", SUPERUSER, "-A", "trust", "-E",
                   "UTF8", "--lc-collate=C", "--lc-ctype=C.UTF-8"]
        self._run(command + ([] if sync else ["--no-sync"]), stdin=subprocess.DEVNULL)
        single = [self.program("postgres"), "--single", "-D", str(fresh)]
        self._run(single + ([] if sync else ["-F"]) + ["postgres"],
                  input=f"CREATE DATABASE {DATABASE}\n")
        with (fresh / "postgresql.conf").open("a") as out:
            out.write("\ninclude 'parley.conf'\n")
        fresh.rename(self.data)

    def _write(self, name, text):
        path = self.data / name
        path.write_text(text)
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)
        path.chmod(0o600)

    def is_ready(self):
        command = [self.program("pg_isready"), "-q", "-h", str(self.socket), "-U",
                   SUPERUSER, "-d", DATABASE]
        return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0

    def postmaster(self):
        """The running server's pid, from its lock file; None when there is none."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            directory = os.readlink(f"/proc/{pid}/cwd")
        except (OSError, ValueError, IndexError):
            return None
        return pid if Path(directory) == self.data.resolve() else None
