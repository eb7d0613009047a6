"""What the launcher's tests share: free ports, a PARLEY_HOME, a poll with a deadline."""

import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "deploy/local"))

# Below the ports that the kernel gives out, so that other tests' "any free port" is none of ours.
LOWEST_PORT, HIGHEST_PORT = 10_000, 32_000


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_base_port(span=100):
    """A PORT whose next ports are free. Tests that run at the same time start at other places."""
    count = (HIGHEST_PORT - LOWEST_PORT) // span
    for i in range(count):
        base = LOWEST_PORT + (os.getpid() + i) % count * span
        if all(is_free(base + offset) for offset in range(span)):
            return base
    raise AssertionError("no hundred free ports in a row")


def wait_until(condition, seconds, what):
    """Polls; returns the condition's first true value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return value


def new_home(prefix="parley-test-"):
    """An empty directory that every user may pass through."""
    home = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    home.chmod(0o755)
    return home


def remove(home):
    shutil.rmtree(home, ignore_errors=True)
