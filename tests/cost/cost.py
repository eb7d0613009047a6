"""Counts the instructions that the cores' hot paths take, and holds each to a bound.

    cost.py BUILD_DIR/tests/cost

Counts don't depend on how busy the machine is, and little on its compiler: a bound is a quarter above
what was counted with gcc 12 -O2, and a path that takes more has to be looked at. What the tests' own
scenes do (writing down what the core did) is taken off. A path that costs far less than its bound
fails too: the bound would notice nothing any more.
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TIMES = 200
SLACK = 3  # times that a bound may be above what is counted

GATEWAY_OPS = tuple(f"gateway_scene.c:{name}" for name in (
    "packet_new", "packet_unref", "send_packet", "send_ack", "drop_ack", "is_crowded", "step",
    "request", "cancel", "post", "is_busy", "now_ms", "unix_ms"))
BROKER_OPS = tuple(f"broker_scene.c:{name}" for name in (
    "record_send", "record_job_ended", "is_behind"))
SOCKET_OPS = ("recorder.c:ws_write",)


@dataclass
class Hot:
    program: str
    name: str
    bound: int  # instructions each time
    what: str
    core: tuple = ()  # functions whose cost counts, with all that they call; none: everything
    scene: tuple = ()  # functions of the scene, called by those


PATHS = (
    Hot("broker", "message", 7100, "SEND and STORED, 50 members on 2 gateways",
        ("broker_core_deliver",), BROKER_OPS),
    Hot("broker", "typing", 4500, "a typing event, 50 members on 2 gateways",
        ("broker_core_deliver",), BROKER_OPS),
    Hot("gateway", "sending", 42000, "a client's message until all is told, 7 more under way",
        ("gateway_core_event", "reply_to_send", "gateway_core_deliver", "gateway_core_flush"),
        GATEWAY_OPS),
    Hot("gateway", "delivery", 12800, "a message for 40 sockets",
        ("gateway_core_deliver", "gateway_core_flush"), GATEWAY_OPS),
    Hot("gateway", "typing", 15800, "a client's typing event",
        ("gateway_core_event", "gateway_core_flush"), GATEWAY_OPS),
    Hot("socketio", "event", 7500, "an event from its frame to its acknowledgement's",
        ("eio_session_receive", "eio_server_flush"), SOCKET_OPS),
    Hot("socketio", "broadcast", 64000, "one event to 40 sockets",
        ("sio_packet_new", "sio_send_with", "sio_packet_unref", "eio_server_flush"), SOCKET_OPS),
    Hot("bodies", "batch", 333000, "persist-worker: 100 jobs queued, taken and done"),
    Hot("bodies", "entity", 8000, "persist-worker: a message's JSON"),
    Hot("bodies", "wire", 3050, "a SEND encoded, checked and decoded"),
    Hot("bodies", "request", 26500, "rest: route and body of a message"),
    Hot("bodies", "claims", 25500, "auth-worker: the claims of a token"),
)


def inclusive_costs(text):
    """"file:function" => instructions, as callgrind_annotate prints them."""
    costs = {}
    for line in text.splitlines():
        found = re.match(r"\s*([\d,]+)\s+(?:\([^)]*\)\s+)?(\S*?):([\w.]+)(?:'\d+)? \[", line)
        if found:
            key = f"{os.path.basename(found[2])}:{found[3]}"
            costs[key] = costs.get(key, 0) + int(found[1].replace(",", ""))
    return costs


def cost_of(costs, name):
    """Of a function, with its file or without."""
    return sum(cost for key, cost in costs.items() if name in (key, key.split(":")[1]))


def count(folder, path):
    """Instructions of one time."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out"
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=cost_hot",
             f"--callgrind-out-file={out}", str(folder / f"cost_{path.program}"), path.name,
             str(TIMES)], check=False, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"{path.program} {path.name}: {done.stderr}")
        text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", str(out)],
                              check=True, stdout=subprocess.PIPE, text=True).stdout
    costs = inclusive_costs(text)
    for name in path.core or ("cost_hot",):
        if not cost_of(costs, name):
            raise SystemExit(f"{path.program} {path.name}: {name} was not run")
    spent = sum(cost_of(costs, name) for name in path.core or ("cost_hot",))
    return (spent - sum(cost_of(costs, name) for name in path.scene)) / TIMES


def main(folder):
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = list(pool.map(lambda path: count(folder, path), PATHS))
    for path, spent in zip(PATHS, counts):
        verdict = ""
        if spent > path.bound:
            verdict = "TOO MANY"
        elif spent * SLACK < path.bound:
            verdict = "FAR BELOW: lower the bound"
        if verdict:
            failed.append(path)
        print(f"{path.program + ' ' + path.name:20} {spent:10,.0f} of {path.bound:10,}  "
              f"{path.what}  {verdict}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
