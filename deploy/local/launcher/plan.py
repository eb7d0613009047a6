"""Which processes make up an instance, and each one's ports, sockets and environment.

Ports follow from PORT (ports.py), Unix sockets lie in the instance's run directory.
"""

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from launcher import edge
from launcher.console import Failure
from launcher.ports import ADMIN_OFFSET, LISTEN_OFFSET
from launcher.settings import ROOT

# Our five services in the order in which they are started; how many unless scaled.
SERVICES = ("broker", "persist-worker", "auth-worker", "rest", "gateway")
DEFAULT_COUNT = {"broker": 1, "persist-worker": 2, "auth-worker": 1, "rest": 1, "gateway": 2}

# Seconds to drain and, beyond that, until a service that still lives is killed.
DRAIN_SECONDS = "5"
STOP_GRACE_SECONDS = 5
POSTGRES_STOP_SECONDS = 60

# What a process gets from the caller's environment besides its own settings.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INHERITED = ("HOME", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS")


@dataclass
class Instance:
    """One supervised process."""

    service: str
    name: str
    argv: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    url: str = ""
    admin: str = ""  # host:port of /ready and /metrics; empty: none
    tcp: dict = field(default_factory=dict)  # what for => (address, port)
    directory: str = str(ROOT)  # where it runs: relative paths in settings start there
    user: str = ""  # runs as this user; empty: as the caller
    stop_signal: str = "TERM"
    stop_seconds: int = int(DRAIN_SECONDS) + STOP_GRACE_SECONDS
    log_options: tuple = ()  # svlogd's
    files: tuple = ()  # configuration files whose change asks for a restart

    def metrics_url(self):
        return f"http://{self.admin}/metrics" if self.admin else ""


def base_environment():
    environment = {name: os.environ[name] for name in INHERITED if os.environ.get(name)}
    environment.update(PATH=PATH, LANG="C.UTF-8")
    return environment


def read_counts(settings):
    """How many of each service: the last `scale`, else the defaults."""
    counts = dict(DEFAULT_COUNT)
    try:
        counts.update(json.loads((settings.home / "scale.json").read_text()))
    except FileNotFoundError:
        pass
    return counts


def write_counts(settings, counts):
    settings.make_home()
    (settings.home / "scale.json").write_text(json.dumps(counts) + "\n")


def binary(settings, service):
    return settings.build_dir / service / f"parley-{service}"


def known_variables(path):
    """The variables that a service reads: the names in its own --help."""
    try:
        done = subprocess.run([path, "--help"], env=base_environment(), text=True, timeout=20,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise Failure(f"{path} does not run: {error.strerror}") from error
    if done.returncode != 0:
        raise Failure(f"{path} --help failed:\n{done.stdout}{done.stderr}")
    return re.findall(r"^  ([A-Z][A-Z0-9_]+)$", done.stdout, re.MULTILINE)


class Plan:
    """Builds the list of instances from the settings and the counts. `cluster` is the private
    database, None when DATABASE_URL names another."""

    def __init__(self, settings, counts, cluster):
        self.settings = settings
        self.counts = counts
        self.cluster = cluster
        self.database_url = cluster.url() if cluster else settings.get("DATABASE_URL")
        self.known = {service: known_variables(binary(settings, service)) for service in SERVICES}
        self.brokers = [f"ipc://{settings.run_dir()}/broker-{i + 1}.sock"
                        for i in range(counts["broker"])]

    def instances(self):
        found = [self._postgres()] if self.cluster else []
        for service in SERVICES:
            found += [self._service(service, i) for i in range(self.counts[service])]
        found.append(self._edge())
        return found

    def _postgres(self):
        cluster = self.cluster
        return Instance("postgres", "postgres", cluster.server_command(), url=cluster.url(),
                        user=cluster.user, directory="/", stop_signal="INT",
                        stop_seconds=POSTGRES_STOP_SECONDS, files=(cluster.data / "parley.conf",))

    def variables(self):
        """Every variable that some service reads."""
        return sorted({name for names in self.known.values() for name in names})

    def _service(self, service, index):
        settings = self.settings
        path = binary(settings, service)
        admin = settings.port + ADMIN_OFFSET[service] + index
        instance = Instance(service, f"{service}-{index + 1}", [str(path)],
                            admin=f"127.0.0.1:{admin}", files=(path,))
        instance.tcp["metrics"] = ("127.0.0.1", admin)
        own = {
            "INSTANCE": instance.name,
            "BROKERS": ",".join(self.brokers),
            "ADMIN_LISTEN": instance.admin,
        }
        if service in LISTEN_OFFSET:
            port = settings.port + LISTEN_OFFSET[service] + index
            instance.tcp["clients"] = ("127.0.0.1", port)
            own["LISTEN"] = f"127.0.0.1:{port}"
            instance.url = f"http://127.0.0.1:{port}"
        if service == "broker":
            own["BROKER_ENDPOINT"] = instance.url = self.brokers[index]
        if service in ("persist-worker", "auth-worker"):
            own["DATABASE_URL"] = self.database_url
        if service == "auth-worker":
            own["JWT_SECRET"] = settings.jwt_secret()
        if service == "gateway":
            own["RECOVERY_KEY"] = settings.recovery_key()
        if not settings.get("BUS_KEYS"):
            own["BUS_KEYS"] = str(settings.key_directory())
        given = {name: settings.get(name) for name in self.known[service] if settings.get(name)}
        instance.environment = {**default_environment(service), **given, **own}
        instance.stop_seconds = stop_seconds(instance.environment["DRAIN_SECONDS"])
        return instance

    def _edge(self):
        settings = self.settings
        config = Path(settings.home) / "edge" / "haproxy.cfg"
        admin = settings.port + ADMIN_OFFSET["edge"]
        instance = Instance("edge", "edge", [edge.HAPROXY, "-db", "-f", str(config)],
                            url=edge_url(settings), admin=f"127.0.0.1:{admin}",
                            log_options=("-tt",), files=(config,))
        instance.tcp["metrics"] = ("127.0.0.1", admin)
        for address in edge.addresses(settings):
            instance.tcp[f"clients on {address}"] = (address, settings.port)
        return instance


def default_environment(service):
    """What a service gets here unless the user says otherwise."""
    page = ROOT / "web/dist"
    if service == "rest" and (page / "index.html").exists():
        return {"DRAIN_SECONDS": DRAIN_SECONDS, "WEB_ROOT": str(page)}
    return {"DRAIN_SECONDS": DRAIN_SECONDS}


def edge_url(settings):
    return f"http://localhost:{settings.port}"


def stop_seconds(drain_seconds):
    """How long a service may take to end; a drain time it would refuse is its own to report."""
    drain = int(drain_seconds) if drain_seconds.isdecimal() else int(DRAIN_SECONDS)
    return drain + STOP_GRACE_SECONDS
