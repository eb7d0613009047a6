"""Is a process ready? Waits for it, and shows the log of one that isn't."""

import http.client
import json
import time

from launcher import edge, logs
from launcher.console import Failure, say
from launcher.plan import SERVICES

READY_SECONDS = 60
PROBE_SECONDS = 2
POLL_SECONDS = 0.1
LOG_LINES = 20

# A process that ended as often without getting ready is not waited for.
ENDS_MAX = 5


def get(address, path):
    """(status, body) of GET path at host:port; (0, "") when there is no answer."""
    connection = http.client.HTTPConnection(address, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def dependencies_up(address):
    """Does /health say that everything the service needs is up?"""
    status, body = get(address, "/health")
    return status == 200 and all(one["state"] == "up" for one in json.loads(body)["dependencies"])


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
        return get(instance.admin, "/ready")[0] == 200

    def is_settled(self, instance):
        """Ready, and in touch with all it needs: database, schema, brokers, workers."""
        if not self.is_ready(instance):
            return False
        return instance.service not in SERVICES or dependencies_up(instance.admin)


def wait_for(condition, supervisor, instances, seconds=READY_SECONDS):
    """Returns once the condition, a method of Prober, holds for all. A Failure names the ones for
    which it doesn't, and shows their logs."""
    deadline = time.monotonic() + seconds
    waiting = list(instances)
    ends = {instance.name: supervisor.exits(instance.name) for instance in waiting}
    while waiting:
        waiting = [instance for instance in waiting if not condition(instance)]
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
