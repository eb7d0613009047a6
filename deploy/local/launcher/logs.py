"""Shows the services' logs: the last lines, and what follows."""

import os
import sys
import time

TAIL_BYTES_PER_LINE = 400
POLL_SECONDS = 0.2


def last_lines(path, count):
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - count * TAIL_BYTES_PER_LINE))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-count:] if count else []


def all_lines(directory):
    """Every line of every instance's log, rotated files too."""
    for path in sorted(directory.glob("*/@*.[su]")) + sorted(directory.glob("*/current")):
        with open(path, encoding="utf-8", errors="replace") as file:
            yield from file


class Follower:
    """Reads what a log gains, across svlogd's rotation (the file is renamed, a new one begins)."""

    def __init__(self, path):
        self.path = path
        self.file = None
        self.partial = ""
        self._open(os.SEEK_END)

    def _open(self, whence):
        try:
            self.file = open(self.path, encoding="utf-8", errors="replace")
            self.file.seek(0, whence)
        except FileNotFoundError:
            self.file = None

    def _is_rotated(self):
        try:
            return os.stat(self.path).st_ino != os.fstat(self.file.fileno()).st_ino
        except FileNotFoundError:
            return False

    def lines(self):
        """The complete lines since the last call."""
        if not self.file:
            self._open(os.SEEK_SET)
            if not self.file:
                return []
        text = self.partial + self.file.read()
        if self._is_rotated():
            self.file.close()
            self._open(os.SEEK_SET)
            text += self.file.read() if self.file else ""
        *whole, self.partial = text.split("\n")
        return whole


def show(directory, names, count, follow=lambda: False):
    """Prints the end of these instances' logs, each line with its instance's name when there are
    many; and what follows, as long as follow() says so."""
    width = max(map(len, names), default=0)
    prefix = {name: f"{name:<{width}} | " if len(names) > 1 else "" for name in names}
    followers = {name: Follower(directory / name / "current") for name in names}
    for name in names:
        for line in last_lines(directory / name / "current", count):
            print(prefix[name] + line)
    sys.stdout.flush()
    while follow():
        for name, follower in followers.items():
            for line in follower.lines():
                print(prefix[name] + line, flush=True)
        time.sleep(POLL_SECONDS)
