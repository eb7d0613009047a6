"""Processes as /proc shows them: only those that carry this instance's mark are ever ended."""

import os
import signal
import time
from pathlib import Path

# Set to PARLEY_HOME in the supervisor's environment, and so in that of all it starts.
MARK = "PARLEY_SUPERVISED"


def has_mark(pid, home):
    """Is it alive, and was it started for this PARLEY_HOME (and not for one of that name in another
    root directory)?"""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return (f"{MARK}={home}".encode() in environment and is_alive(pid)
                and os.path.samefile(f"/proc/{pid}/root", "/"))
    except OSError:
        return False  # it ended, or is another user's


def marked(home):
    """Pids of the living processes that were started for this PARLEY_HOME."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if has_mark(pid, home)]


def stat_fields(pid):
    """The fields of /proc/<pid>/stat after the name: [0] is the state, [19] the start in ticks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def is_alive(pid):
    """Does it exist, and is it more than a zombie?"""
    try:
        return stat_fields(pid)[0] not in "ZX"
    except OSError:
        return False


def exists(pid):
    return Path(f"/proc/{pid}").exists()


def uptime(pid):
    """Seconds since the process started; None when it is gone."""
    try:
        started = int(stat_fields(pid)[19]) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return None
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)


def wait_gone(find, seconds):
    """Waits until find() returns no pid any more; returns what is left."""
    deadline = time.monotonic() + seconds
    while (left := find()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def end(find, seconds):
    """Ends what find() returns: asks, and after so many seconds kills."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in find():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        if not wait_gone(find, seconds):
            break
