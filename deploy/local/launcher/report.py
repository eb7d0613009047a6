"""What runs: the table and the JSON of `./parley status`, and what `up` says at its end."""

import json

from launcher import processes
from launcher.console import duration, table


def rows(system):
    """One entry a process, in the order of the plan."""
    prober = system.prober()
    found = []
    for instance in system.saved_plan():
        state, pid = state_of(system, instance)
        uptime = processes.uptime(pid) if pid else None
        found.append({
            "service": instance.service,
            "instance": instance.name,
            "pid": pid,
            "url": instance.url or None,
            "metricsUrl": instance.metrics_url() or None,
            "state": state,
            "ready": state == "running" and prober.is_ready(instance),
            "uptime": None if uptime is None else round(uptime, 1),
        })
    return found


def state_of(system, instance):
    """(running, stopped, stopping or restarting; pid or None)."""
    words, pid = system.supervisor.state(instance.name)
    if words.startswith("run"):
        return ("stopping" if "want down" in words else "running"), pid
    return ("stopped" if words == "down" else "restarting"), pid


def status(system, as_json):
    """Prints the status; returns whether all is running and ready."""
    found = rows(system)
    if as_json:
        print(json.dumps(found, indent=2))
    elif not any(row["pid"] for row in found):
        print(f"Not running ({system.settings.home}). Start it: ./parley up -d")
    else:
        lines = [("INSTANCE", "STATE", "PID", "UPTIME", "URL", "METRICS")]
        for row in found:
            state = row["state"]
            if state == "running" and not row["ready"]:
                state = "running, not ready"
            lines.append((row["instance"], state, row["pid"] or "-",
                          duration(row["uptime"]) if row["uptime"] is not None else "-",
                          row["url"] or "-", row["metricsUrl"] or "-"))
        print(table(lines))
    return bool(found) and all(row["ready"] for row in found)


def welcome(instances, was_running, links):
    """What to open, as text. `links` opens the page, by role."""
    urls = {service: [i.url for i in instances if i.service == service]
            for service in ("edge", "gateway")}
    edge = urls["edge"][0]
    return f"""
Parley {'is running' if was_running else 'is up'}.

  Page and HTTP API   {edge}
  Socket.IO           {edge}  (path /socket.io/; token: ./parley token USER)
  Gateways            {'  '.join(urls['gateway'])}
  Database            ./parley psql
  What runs           ./parley status
  Logs                ./parley logs -f
  Stop                ./parley down
{demo_text(links)}"""


def demo_text(links):
    if not links:
        return ""
    lines = [f"  As a {role}:\n  {link}\n" for role, link in links.items()]
    return "\nTry it: open both, side by side. The links sign in, and expire in an hour.\n\n" + (
        "\n".join(lines))
