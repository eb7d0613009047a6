"""Picks one trace out of the services' logs: its steps in all services, in order, with times."""

import re

ID = re.compile(r"[0-9a-f]{32}")
FIELD = re.compile(r'([a-z_0-9]+)=("(?:[^"\\]|\\.)*"|\S*)')
# Which trace, where and when: said once, or in columns of their own.
APART = ("ts", "level", "service", "instance", "event", "trace")
EMPTY = ("", '""', "0")


def fields_of(line):
    """The fields of a service's log line, quotes left as they are; None for any other line."""
    start = line.find("ts=")
    fields = dict(FIELD.findall(line, start)) if start >= 0 else {}
    return fields if "event" in fields and "instance" in fields else None


def normalize(wanted):
    """A trace's id as logs spell it: of a traceparent its second part, of a UUID its digits."""
    parts = wanted.lower().split("-")
    if len(parts) == 4 and ID.fullmatch(parts[1]):
        return parts[1]
    return "".join(parts)


def find(lines, wanted):
    """The steps of the trace, and of those linked to it (a connection's events), by trace: {id:
    [fields, …]}, each in the order of time, the traces in the order of their beginnings."""
    wanted = normalize(wanted)
    steps = [f for f in map(fields_of, lines) if f and f.get("trace") not in (None, "", '""')]
    traces = {f["trace"] for f in steps if wanted in (f["trace"], f.get("link"))}
    found = {}
    for step in sorted((f for f in steps if f["trace"] in traces), key=lambda f: f["ts"]):
        found.setdefault(step["trace"], []).append(step)
    return found


def microseconds(stamp):
    """Of the day, for differences within one trace."""
    hours, minutes, seconds = stamp[11:].rstrip("Z").split(":")
    return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1e6)


def report(found):
    """The lines to print: for each trace when it began, then its steps with the milliseconds since
    then."""
    lines = []
    width = max((len(step["instance"]) for steps in found.values() for step in steps), default=0)
    for trace, steps in found.items():
        began = microseconds(steps[0]["ts"])
        link = next((step["link"] for step in steps if ID.fullmatch(step.get("link", ""))), None)
        lines.append(f"trace {trace} began {steps[0]['ts']}"
                     + (f", of connection {link}" if link else ""))
        for step in steps:
            passed = (microseconds(step["ts"]) - began) % 86_400_000_000 / 1000
            rest = " ".join(f"{key}={value}" for key, value in step.items()
                            if key not in (*APART, "link") and value not in EMPTY)
            lines.append(f"{passed:10.3f} ms  {step['instance']:<{width}}  {step['event']} {rest}")
    return lines
