"""What the launcher says: steps with their time on stderr, results on stdout."""

import sys
import time


class Failure(Exception):
    """Ends the command with this text and exit code 1: something the user can act on."""


def say(text=""):
    print(text, file=sys.stderr, flush=True)


def warn(text):
    say(f"parley: warning: {text}")


def duration(seconds):
    """3.2 s, or 2 min 05 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


class Step:
    """One named step: says what begins, and how long it took or that it failed.

    with Step("Building") as step:
        step.result = "5 services"
    """

    def __init__(self, title):
        self.title = title
        self.result = "done"

    def __enter__(self):
        self.began = time.monotonic()
        say(f"==> {self.title} …")
        return self

    def __exit__(self, kind, error, trace):
        took = duration(time.monotonic() - self.began)
        say(f"    {self.result if kind is None else 'failed'} ({took})")


def table(rows):
    """Left-aligned columns, two spaces apart; the first row is the head."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = (str(cell).ljust(width) for cell, width in zip(row, widths))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
