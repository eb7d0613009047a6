"""Processes as /proc shows them: only those that carry this instance's mark are ever ended."""

import os
import signal
import time
from pathlib import Path

# Set to PARLEY_HOME in the supervisor's environment, and so in that of all it starts.
MARK = "PARLEY_SUPERVISED"


def marked(home):
    """Pids of the living processes that were started for this PARLEY_HOME."""
    wanted = f"{MARK}={home}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue  # it ended, or is another user's
    return [pid for pid in found if is_alive(pid)]


def stat_fields(pid):
    """The fields of /proc/<pid>/stat after the name: [0] is the state, [19] the start in ticks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def is_alive(pid):
    """Does it exist, and is it more than a zombie?"""
    try:
        return stat_fields(pid)[0] not in "ZX"
    except OSError:
        return False


def uptime(pid):
    """Seconds since the process started; None when it is gone."""
    try:
        started = int(stat_fields(pid)[19]) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return None
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)


def name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "?"


def wait_gone(find, seconds):
    """Waits until find() returns no pid any more; returns what is left."""
    deadline = time.monotonic() + seconds
    while (left := find()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def end(find, seconds):
    """Ends what find() returns, asking first; returns the pids it had to end."""
    ended = find()
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in find():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        if not wait_gone(find, seconds):
            break
    return ended
