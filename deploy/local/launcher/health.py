"""Is a process ready? Waits for it, and shows the log of one that isn't."""

import http.client
import time

from launcher import edge, logs
from launcher.console import Failure, say

READY_SECONDS = 60
PROBE_SECONDS = 2
POLL_SECONDS = 0.1
LOG_LINES = 20

# A process that ended as often without getting ready is not waited for.
ENDS_MAX = 5


def answers_ready(address):
    """GET /ready at host:port says 200."""
    try:
        connection = http.client.HTTPConnection(address, timeout=PROBE_SECONDS)
        connection.request("GET", "/ready")
        status = connection.getresponse().status
        connection.close()
        return status == 200
    except (OSError, http.client.HTTPException):
        return False


class Prober:
    """Asks the processes of one plan whether they are ready."""

    def __init__(self, settings, instances, cluster):
        self.settings = settings
        self.cluster = cluster
        self.behind_edge = {i.name for i in instances if i.service in ("gateway", "rest")}

    def is_ready(self, instance):
        if instance.service == "postgres":
            return self.cluster.is_ready()
        if instance.service == "edge":
            return self.behind_edge <= edge.servers_up(self.settings)
        return answers_ready(instance.admin)


def wait_ready(supervisor, prober, instances, seconds=READY_SECONDS):
    """Returns once all are ready; a Failure names the ones that aren't and shows their logs."""
    deadline = time.monotonic() + seconds
    waiting = list(instances)
    ends = {instance.name: supervisor.exits(instance.name) for instance in waiting}
    while waiting:
        waiting = [instance for instance in waiting if not prober.is_ready(instance)]
        gave_up = [instance for instance in waiting
                   if supervisor.exits(instance.name) - ends[instance.name] >= ENDS_MAX]
        if gave_up or (waiting and time.monotonic() > deadline):
            fail(supervisor, gave_up or waiting)
        if waiting:
            time.sleep(POLL_SECONDS)


def fail(supervisor, instances):
    # The edge waits for the ones behind it: it is to blame only when it is alone.
    instances = [i for i in instances if i.service != "edge"] or instances
    for instance in instances:
        say(f"--- the end of {instance.name}'s log:")
        for line in logs.last_lines(supervisor.logs / instance.name / "current", LOG_LINES):
            say(line)
    names = ", ".join(instance.name for instance in instances)
    raise Failure(f"not ready: {names}. Their logs end as shown above")
