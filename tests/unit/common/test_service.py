"""The frame of a service (service_main, lifecycle, admin_http, log) as a real process sees it:
python3 test_service.py PATH-OF-sample_service"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

PROGRAM = sys.argv.pop()
DEADLINE = 20  # seconds for anything to happen


class Service:
    """A running sample service; its log lines are collected as they come."""

    def __init__(self, **environment):
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [PROGRAM], env=make_environment(environment), stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read_lines)
        self.reader.start()

    def read_lines(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def wait_for(self, pattern):
        """The first log line that matches, as a match object."""
        def found():
            return next((m for m in (re.search(pattern, line) for line in self.lines) if m), None)
        with self.changed:
            if not self.changed.wait_for(found, DEADLINE):
                raise AssertionError(f"no line {pattern!r} in {self.lines}")
            return found()

    def wait_until_started(self):
        self.port = int(self.wait_for(r"event=admin_listening .*port=(\d+)").group(1))
        self.wait_for(r"event=started")
        return self

    def get(self, path, method="GET", body=None):
        """Status, headers and body of a request."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method, data=body)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def raw(self, request):
        """What the port answers to these bytes until it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE) as connection:
            connection.sendall(request)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer

    def end(self, number=signal.SIGTERM):
        """Sends the signal and returns the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def kill_if_running(self):
        if self.process.poll() is None:
            self.process.kill()
            self.wait()

    def wait(self):
        code = self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        self.process.stderr.close()
        return code


def make_environment(overrides):
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "ASAN_OPTIONS", "LSAN_OPTIONS")}
    defaults = {"SAMPLE_SECRET": "hush-hush", "ADMIN_LISTEN": "127.0.0.1:0"}
    return {**kept, **defaults, **{k: str(v) for k, v in overrides.items()}}


def run(arguments, **environment):
    return subprocess.run([PROGRAM, *arguments], env=make_environment(environment),
                          capture_output=True, text=True, timeout=DEADLINE)


class ServiceTest(unittest.TestCase):
    def start(self, **environment):
        service = Service(**environment)
        self.addCleanup(service.kill_if_running)
        return service.wait_until_started()

    def assert_clean(self, service):
        """No handle was left open and no line is torn."""
        for line in service.lines:
            self.assertRegex(line, r"^ts=\S+:\d\d\.\d{6}Z level=(debug|info|warn|error) service=sample "
                                   r"instance=\S+ event=\S+")
            self.assertNotIn("handle_left_open", line)
            self.assertNotIn("hush-hush", line)


class Arguments(unittest.TestCase):
    def test_help_and_version(self):
        done = run(["--help"])
        self.assertEqual(done.returncode, 0)
        self.assertIn("SAMPLE_DRAIN_TAKES_MS", done.stdout)
        self.assertIn("ADMIN_LISTEN", done.stdout)
        done = run(["--version"])
        self.assertRegex(done.stdout, r"^parley-sample \d+\.\d+\.\d+\n$")
        done = run(["--config-markdown"])
        self.assertIn("| `SAMPLE_SECRET` |", done.stdout)

    def test_unknown_argument(self):
        for arguments in (["--wrong"], ["--help", "--version"], [""]):
            done = run(arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn("Usage:", done.stderr)
            self.assertEqual(done.stdout, "")
        self.assertIn('no option is called "--wrong"', run(["--wrong"]).stderr)

    def test_check_config(self):
        done = run(["--check-config"], INSTANCE="sample-7")
        self.assertEqual(done.returncode, 0)
        self.assertIn("INSTANCE=sample-7\n", done.stdout)
        self.assertIn("SAMPLE_SECRET=(set)\n", done.stdout)
        self.assertNotIn("hush-hush", done.stdout)
        done = run(["--check-config"], DRAIN_SECONDS="soon", SAMPLE_SECRET="abc")
        self.assertEqual(done.returncode, 2)
        self.assertIn('DRAIN_SECONDS: "soon" is not allowed', done.stderr)
        self.assertIn("SAMPLE_SECRET: its value is not allowed", done.stderr)
        self.assertNotIn("abc", done.stderr)

    def test_bad_configuration_stops_the_start(self):
        done = run([], LOG_LEVEL="loud")
        self.assertEqual(done.returncode, 2)
        self.assertIn("LOG_LEVEL", done.stderr)


class Endings(ServiceTest):
    def test_each_signal_drains(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            service = self.start()
            self.assertEqual(service.end(number), 0)
            service.wait_for(r"event=draining")
            service.wait_for(r"event=stopped exit_code=0")
            self.assert_clean(service)

    def test_second_signal_stops_at_once(self):
        service = self.start(SAMPLE_DRAIN_TAKES_MS=60000, DRAIN_SECONDS=60)
        service.process.send_signal(signal.SIGTERM)
        service.wait_for(r"event=draining")
        self.assertEqual(service.end(), 3)
        service.wait_for(r'event=drain_cut_off reason="second signal"')
        self.assert_clean(service)

    def test_deadline_stops_a_drain(self):
        service = self.start(SAMPLE_DRAIN_TAKES_MS=60000, DRAIN_SECONDS=1)
        began = time.monotonic()
        self.assertEqual(service.end(), 3)
        self.assertGreaterEqual(time.monotonic() - began, 0.9)
        service.wait_for(r"event=drain_cut_off reason=deadline")
        self.assert_clean(service)

    def test_hangup_and_broken_pipe_are_ignored(self):
        service = self.start()
        service.process.send_signal(signal.SIGHUP)
        service.process.send_signal(signal.SIGPIPE)
        self.assertEqual(service.get("/ready")[0], 200)
        self.assertEqual(service.end(), 0)

    def test_start_fails(self):
        service = Service(SAMPLE_START_FAILS="on")
        self.assertEqual(service.wait(), 1)
        service.wait_for(r"event=stopped exit_code=1")
        self.assert_clean(service)

    def test_port_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            service = Service(ADMIN_LISTEN=f"127.0.0.1:{port}")
            self.assertEqual(service.wait(), 1)
            service.wait_for(rf"event=listen_failed host=127.0.0.1 port={port} step=bind")
            self.assert_clean(service)


class AdminHttp(ServiceTest):
    def test_health_ready_metrics(self):
        service = self.start(INSTANCE="sample-9")
        status, headers, body = service.get("/health")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "application/json")
        health = json.loads(body)
        self.assertEqual(health["instance"], "sample-9")
        self.assertEqual(health["dependencies"], [{"name": "nothing", "state": "up"}])
        self.assertEqual(service.get("/ready")[0], 200)
        status, headers, body = service.get("/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        values = dict(line.rsplit(" ", 1) for line in body.splitlines() if line[0] != "#")
        self.assertEqual(values["parley_sample_scrapes_total"], "1")
        self.assertGreater(float(values["process_resident_memory_bytes"]), 1e6)
        self.assertGreater(float(values["process_open_fds"]), 3)
        self.assertLess(abs(float(values["process_start_time_seconds"]) - time.time()), 60)
        self.assertIn("process_cpu_seconds_total", values)
        self.assertIn('parley_build_info{version="', body)
        for name in {re.split(r"[{ ]", line)[0] for line in values}:
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            self.assertIn(f"# HELP {base} ", body)
            self.assertIn(f"# TYPE {base} ", body)
        self.assertEqual(service.end(), 0)
        self.assert_clean(service)

    def test_lag_is_measured(self):
        service = self.start()
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            body = service.get("/metrics")[2]
            if int(re.search(r"event_loop_lag_seconds_count (\d+)", body).group(1)) >= 2:
                break
        else:
            self.fail("the loop's lag was not measured")
        self.assertEqual(service.end(), 0)

    def test_request_ids_differ(self):
        service = self.start()
        ids = {service.get(path)[1]["X-Request-Id"] for path in ("/ready", "/ready", "/none")}
        self.assertEqual(len(ids), 3)
        self.assertNotIn(None, ids)
        self.assertEqual(service.end(), 0)

    def test_not_ready_and_draining(self):
        service = self.start(SAMPLE_READY="off")
        self.assertEqual(service.get("/ready")[0], 503)
        self.assertEqual(service.get("/health")[0], 200)
        self.assertEqual(service.end(), 0)
        service = self.start(SAMPLE_DRAIN_TAKES_MS=60000, DRAIN_SECONDS=60)
        service.process.send_signal(signal.SIGTERM)
        service.wait_for(r"event=draining")
        self.assertEqual(service.get("/ready")[0], 404)
        self.assertEqual(service.get("/health")[0], 200)
        self.assertEqual(service.end(), 3)

    def test_methods_paths_and_bodies(self):
        service = self.start()
        self.assertEqual(service.get("/nothing")[0], 404)
        self.assertEqual(service.get("/health/")[0], 404)
        status, headers, body = service.get("/health", method="HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 0)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            status, headers, body = service.get("/health", method=method)
            self.assertEqual(status, 405)
            self.assertEqual(headers["Allow"], "GET, HEAD")
            self.assertEqual(json.loads(body)["error"]["code"], "invalid_payload")
        self.assertEqual(service.get("/health", method="POST", body=b"x" * 100)[0], 405)
        status, _, body = service.get("/health", method="GET", body=b"x")
        self.assertEqual(status, 413)
        self.assertEqual(json.loads(body)["error"]["code"], "payload_too_large")
        self.assertEqual(service.end(), 0)
        self.assert_clean(service)

    def test_hostile_bytes(self):
        service = self.start()
        chunked = service.raw(b"GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                              b"5\r\nhello\r\n0\r\n\r\n")
        self.assertIn(b" 413 ", chunked.split(b"\r\n")[0])
        pipelined = service.raw(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n"
                                b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(pipelined.count(b"HTTP/1.1 200"), 1)  # a connection is for one request
        self.assertNotIn(b" 200 ", service.raw(b"\x00\xff\xfe garbage\r\n\r\n"))
        long_head = service.raw(b"GET /ready HTTP/1.1\r\nX: " + b"a" * 100000 + b"\r\n\r\n")
        self.assertNotIn(b" 200 ", long_head)
        self.assertEqual(service.get("/ready")[0], 200)
        self.assertEqual(service.end(), 0)
        self.assert_clean(service)

    def test_connections_are_bounded(self):
        service = self.start()
        held = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(64)]
        for connection in held:
            connection.sendall(b"GET /ready HTTP/1.1\r\n")
        # One more waits in the backlog until another goes.
        more = socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE)
        more.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        more.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            more.recv(1)
        for connection in held:
            connection.close()
        more.settimeout(DEADLINE)
        self.assertIn(b" 200 ", more.recv(1000))
        more.close()
        self.assertEqual(service.end(), 0)
        self.assert_clean(service)


class Log(ServiceTest):
    def test_refusals_are_limited_and_counted(self):
        service = self.start(SAMPLE_REFUSED_LINES=5000)
        service.wait_for(r"event=log_lines_suppressed of=sample_refused suppressed=4990")
        self.assertEqual(sum("event=sample_refused" in line for line in service.lines), 10)
        self.assertEqual(service.end(), 0)
        self.assert_clean(service)

    def test_level(self):
        service = Service(LOG_LEVEL="error", SAMPLE_START_FAILS="on")
        self.assertEqual(service.wait(), 1)
        self.assertEqual(len(service.lines), 1)
        self.assertIn("level=error", service.lines[0])


if __name__ == "__main__":
    unittest.main()
