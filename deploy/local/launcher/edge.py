"""haproxy's configuration for one machine, from the template deploy/edge/haproxy.cfg."""

import csv
import re
import resource
import socket
import subprocess

from launcher import ports
from launcher.console import Failure
from launcher.settings import ROOT, make_directory

HAPROXY = "/usr/sbin/haproxy"
TEMPLATE = ROOT / "deploy/edge/haproxy.cfg"

# haproxy needs two files a connection; 20,000 is a usual hard limit for a process.
FILES_MAX = 20_000
FILES_RESERVED = 200

STATS_SECONDS = 2

# The services' defaults, for the time-outs: see PING_INTERVAL_MS and PING_TIMEOUT_MS.
PING_INTERVAL_MS = 25_000
PING_TIMEOUT_MS = 20_000
IDLE_MARGIN_MS = 15_000

# The gateway's default of MAX_CONNECTIONS_PER_ADDRESS; a polling client has two connections.
ADDRESS_CONNECTIONS = 2_000
CONNECTIONS_PER_CLIENT = 2

# What haproxy itself answers, in the shape of the API's errors. (To what isn't HTTP it answers 400
# in its own words: they can't be set.)
ERRORS = {
    502: ("unavailable", "The service gave no valid answer"),
    503: ("unavailable", "No instance of the service is up"),
    504: ("unavailable", "The service did not answer in time"),
}
RETRY_AFTER_SECONDS = 1


def has_ipv6_loopback():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def addresses(settings):
    """Where the edge listens; ::1 by default only where the machine has it."""
    found = settings.bind_addresses()
    if settings.get("BIND") is None and not has_ipv6_loopback():
        found.remove("::1")
    return found


def number(settings, name, fallback):
    text = settings.get(name) or ""
    return int(text) if text.isdecimal() else fallback


def address_limit_lines(settings):
    """As the services' own limits, RATE_LIMIT=off lifts it."""
    if settings.get("RATE_LIMIT") == "off":
        return []
    most = CONNECTIONS_PER_CLIENT * number(
        settings, "MAX_CONNECTIONS_PER_ADDRESS", ADDRESS_CONNECTIONS)
    return ["stick-table type ipv6 size 100k expire 1m store conn_cur",
            "tcp-request connection track-sc0 src,ipmask(32,64)",
            f"tcp-request connection reject if {{ sc0_conn_cur gt {most} }}"]


def connection_limit():
    """How many clients the edge can carry within the limit of open files."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    return max(100, (files - FILES_RESERVED) // 2)


def bind_line(address, port):
    return f"bind [{address}]:{port} v6only" if ":" in address else f"bind {address}:{port}"


def error_lines():
    lines = []
    for status, (code, message) in ERRORS.items():
        body = f'{{"error":{{"code":"{code}","message":"{message}"}}}}'
        line = f"http-error status {status} content-type application/json lf-string '{body}'"
        line += ' hdr X-Request-Id "%[var(txn.request_id)]"'
        if status == 503:
            line += f' hdr Retry-After "{RETRY_AFTER_SECONDS}"'
        lines.append(line)
    return lines


def server_lines(slots, sticky):
    """Every slot that `scale` could fill is there from the start: one that isn't filled is down."""
    lines = []
    if sticky:
        lines += [f"use-server {name} if {{ url_param(sid) -m beg {name}. }}"
                  for name, _, _ in slots]
    return lines + [f"server {name} 127.0.0.1:{port} check port {admin}"
                    for name, port, admin in slots]


def fill(template, values):
    """Replaces @NAME@; a list becomes one line each, indented as the place is."""
    def replace(match):
        indent, name = match.groups()
        value = values[name]
        return "\n".join(indent + line for line in value) if isinstance(value, list) else (
            indent + str(value))

    return re.sub(r"([ \t]*)@([A-Z_]+)@", replace, template)


def stats_socket(settings):
    return settings.run_dir() / "edge.sock"


def servers_up(settings):
    """Names of the servers that haproxy has checked and sends clients to; none when it is silent."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(STATS_SECONDS)
            connection.connect(str(stats_socket(settings)))
            connection.sendall(b"show stat\n")
            with connection.makefile(encoding="ascii") as answer:
                return checked_and_up(answer)
    except OSError:
        return set()


def checked_and_up(lines):
    """Names of the servers that are up in the lines of `show stat`. One that haproxy hasn't checked
    yet counts as up for haproxy, not here: its check's state is INI. While a check runs, the state
    of the last one stands there behind a star; after a first failed one, "UP 1/2" is up still."""
    return {line["svname"] for line in csv.DictReader(lines)
            if line["status"].startswith("UP")
            and line["check_status"].removeprefix("* ") not in ("", "INI", "UNK")}


def configuration(settings):
    idle = (number(settings, "PING_INTERVAL_MS", PING_INTERVAL_MS)
            + number(settings, "PING_TIMEOUT_MS", PING_TIMEOUT_MS) + IDLE_MARGIN_MS)
    # What happens to servers always comes by standard error.
    logs_requests = settings.get("LOG_LEVEL") == "debug"
    return fill(TEMPLATE.read_text(), {
        "LOG": ["log stdout format raw local0 info"] if logs_requests else [],
        "LOG_REQUESTS": ["log global", "option httplog"] if logs_requests else [],
        "MAXCONN": connection_limit(),
        "STATS_SOCKET": stats_socket(settings),
        "IDLE": f"{idle}ms",
        "ERRORS": error_lines(),
        "ADDRESS_LIMIT": address_limit_lines(settings),
        "BINDS": [bind_line(address, settings.port) for address in addresses(settings)],
        "GATEWAYS": server_lines(ports.slots(settings, "gateway"), sticky=True),
        "RESTS": server_lines(ports.slots(settings, "rest"), sticky=False),
        "ADMIN": f"127.0.0.1:{settings.port + ports.ADMIN_OFFSET['edge']}",
    })


def write_configuration(settings):
    """Writes PARLEY_HOME/edge/haproxy.cfg; haproxy's own check must accept it."""
    directory = settings.home / "edge"
    make_directory(directory, 0o700)
    path = directory / "haproxy.cfg"
    fresh = directory / "haproxy.cfg.new"
    fresh.write_text(configuration(settings))
    done = subprocess.run([HAPROXY, "-c", "-f", str(fresh)], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise Failure(f"haproxy refuses {fresh}:\n{done.stdout}{done.stderr}")
    fresh.rename(path)
