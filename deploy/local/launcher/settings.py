"""What the environment and `.env` say, and the directories that follow from it."""

import hashlib
import json
import os
import re
import secrets
import stat
import subprocess
from pathlib import Path

from launcher import ports
from launcher.console import Failure

ROOT = Path(__file__).resolve().parents[3]

# The longest name of a socket in run_dir(): haproxy binds a temporary one with its pid first. The
# path of a Unix socket has at most 107 bytes.
SOCKET_NAME_MAX = len("/edge.sock.4194304.tmp")
SOCKET_PATH_MAX = 107

# What the launcher itself reads, besides the services' own variables.
OWN_VARIABLES = ("PORT", "BIND", "PARLEY_BUILD_DIR", "DATABASE_URL", "JWT_SECRET",
                 "RECOVERY_KEY")

VARIABLE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def read_env_file(path):
    """Variables of a .env file: NAME=value, optional quotes, # comments. Nothing is expanded."""
    variables = {}
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return variables
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = VARIABLE.fullmatch(line)
        if not match:
            raise Failure(f"{path}:{number}: not NAME=value: {line}")
        name, value = match.groups()
        if value[:1] in ("'", '"'):
            end = value.find(value[0], 1)
            if end < 0:
                raise Failure(f"{path}:{number}: the quote of {name} is not closed")
            value = value[1:end]
        else:
            value = re.split(r"\s#", value, maxsplit=1)[0].strip()
        variables[name] = value
    return variables


def write_private(path, text):
    """A file for the owner alone, replaced in one step."""
    fresh = path.with_name(path.name + ".new")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as out:
        out.write(text)
    fresh.rename(path)


def make_directory(path, mode):
    """Makes a directory of our own. Refuses one that somebody else put there."""
    try:
        path.mkdir(mode=mode, parents=True)
    except FileExistsError:
        pass
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise Failure(f"{path} is not a directory of user {os.geteuid()}; move it away, "
                      "run as its owner, or set another PARLEY_HOME")
    path.chmod(mode)


class Settings:
    """The variables of one instance: the environment wins over `.env`."""

    def __init__(self, variables=None):
        self.variables = variables or {**read_env_file(ROOT / ".env"), **os.environ}
        self.home = (ROOT / (self.get("PARLEY_HOME") or "var")).resolve()
        if "\n" in str(self.home):
            raise Failure("PARLEY_HOME has a line break in its path")
        self.port = self._port()
        build = self.get("PARLEY_BUILD_DIR")
        self.build_dir = (ROOT / (build or "build/release")).resolve()
        self.builds = build is None  # with PARLEY_BUILD_DIR the binaries there are run as they are

    def get(self, name):
        """The variable's value; None when unset or empty."""
        return self.variables.get(name) or None

    def keep(self, names):
        """Remembers these variables, for as_started()."""
        kept = {name: self.get(name) for name in (*OWN_VARIABLES, *names) if self.get(name)}
        write_private(self.home / "settings.json", json.dumps(kept, indent=1) + "\n")

    def as_started(self):
        """The settings of the last `up`: what changes a running system must not depend on the
        environment of the shell that it is typed in."""
        try:
            kept = json.loads((self.home / "settings.json").read_text())
        except FileNotFoundError:
            return self
        return Settings({**kept, "PARLEY_HOME": str(self.home)})

    def _port(self):
        text = self.get("PORT") or "5000"
        highest = 65535 - ports.SPAN
        if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= highest:
            raise Failure(f"PORT is {text!r}: takes a number from 1 to {highest}")
        return int(text)

    def bind_addresses(self):
        """Where the edge listens on PORT: loopback unless BIND says otherwise."""
        text = self.get("BIND")
        return text.replace(" ", "").split(",") if text else ["127.0.0.1", "::1"]

    def home_key(self):
        """Names this instance in places outside PARLEY_HOME."""
        return hashlib.sha256(str(self.home).encode()).hexdigest()[:12]

    def short_dir(self):
        """Stands in for PARLEY_HOME where a Unix socket's path would be too long."""
        return Path(f"/tmp/parley-{self.home_key()}")

    def run_dir(self):
        """Where the sockets of brokers and edge are."""
        inside = self.home / "run"
        if len(os.fsencode(inside)) + SOCKET_NAME_MAX <= SOCKET_PATH_MAX:
            return inside
        return self.short_dir() / "run"

    def make_home(self):
        """Makes PARLEY_HOME and the socket directory. 0711: the database's user passes through."""
        make_directory(self.home, 0o711)
        if not self.run_dir().is_relative_to(self.home):
            make_directory(self.short_dir(), 0o711)
        make_directory(self.run_dir(), 0o700)

    def key_directory(self):
        """The keys of the links between services."""
        return self.home / "keys"

    def make_keys(self):
        """Makes them, once: what is there stays."""
        make_directory(self.home, 0o711)
        make_directory(self.key_directory(), 0o700)
        done = subprocess.run([self.build_dir / "keygen/parley-keygen", self.key_directory()],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"the keys of the links between services can't be made:\n{done.stderr}")

    def jwt_secret(self):
        """JWT_SECRET, else one that is made once and kept (0600) in PARLEY_HOME."""
        return self.get("JWT_SECRET") or self._kept_secret("jwt_secret")

    def recovery_key(self):
        """RECOVERY_KEY, else one that is made once and kept likewise."""
        return self.get("RECOVERY_KEY") or self._kept_secret("recovery_key")

    def _kept_secret(self, name):
        path = self.home / name
        make_directory(self.home, 0o711)
        if not path.exists():
            fresh = self.home / f".{name}.{os.getpid()}"
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
                out.write(secrets.token_urlsafe(48) + "\n")
            try:
                os.link(fresh, path)
            except FileExistsError:
                pass  # another command was first: its secret counts
            fresh.unlink()
        return path.read_text(encoding="ascii").strip()
