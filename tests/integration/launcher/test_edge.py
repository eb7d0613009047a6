"""deploy/edge/haproxy.cfg in a real haproxy: what reaches which server, with which headers. The
servers behind it only record what they are sent."""

import base64
import hashlib
import http.client
import json
import os
import socket
import subprocess
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import support

from launcher import edge, ports, settings

CHECK_SECONDS = 10
WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A health check that hangs up is no news."""


class Recorder:
    """One server behind the edge: its clients' port and its admin port, which says `ready`."""

    def __init__(self, name, port, admin):
        self.name = name
        self.ready = 200
        self.requests = 0
        self.checked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.servers = [self._serve(port, self._answer), self._serve(admin, self._answer_ready)]

    @staticmethod
    def _serve(port, answer):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                answer(self)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        server = Server(("127.0.0.1", port), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def _answer(self, handler):
        self.requests += 1
        handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if handler.headers.get("Upgrade") == "websocket":
            return self._echo(handler)
        body = json.dumps({"server": self.name, "path": handler.path,
                           "headers": list(handler.headers.items())}).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        return handler.wfile.write(body)

    @staticmethod
    def _echo(handler):
        """Upgrades, and sends every byte back."""
        handler.send_response(101)
        handler.send_header("Connection", "Upgrade")
        handler.send_header("Upgrade", "websocket")
        key = handler.headers["Sec-WebSocket-Key"] + WEBSOCKET_GUID
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        handler.send_header("Sec-WebSocket-Accept", accept)
        handler.end_headers()
        handler.close_connection = True
        while data := handler.connection.recv(1000):
            handler.connection.sendall(data)

    def _answer_ready(self, handler):
        self.checked.set()
        self.may_answer.wait(CHECK_SECONDS)
        handler.send_response(self.ready)
        handler.send_header("Content-Length", "0")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
        self.servers = []


class EdgeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = support.new_home()
        cls.addClassCleanup(support.remove, cls.home)
        cls.settings = settings.Settings({"PORT": str(support.free_base_port()),
                                          "PARLEY_HOME": str(cls.home),
                                          "MAX_CONNECTIONS_PER_ADDRESS": "100"})
        cls.settings.make_home()
        edge.write_configuration(cls.settings)
        cls.haproxy = subprocess.Popen([edge.HAPROXY, "-db", "-f", cls.home / "edge/haproxy.cfg"],
                                       stderr=subprocess.DEVNULL)
        cls.addClassCleanup(cls.haproxy.wait)
        cls.addClassCleanup(cls.haproxy.terminate)
        # Until then a place that nobody fills counts as up.
        support.wait_until(lambda: cls.ask_haproxy("show stat").count("L4CON") >= 2 * ports.COUNT_MAX,
                           CHECK_SECONDS, "every server was checked")

    @classmethod
    def ask_haproxy(cls, question):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin:
                admin.connect(str(edge.stats_socket(cls.settings)))
                admin.sendall(question.encode() + b"\n")
                with admin.makefile() as answer:
                    return answer.read()
        except OSError:
            return ""

    def setUp(self):
        self.servers = {}
        self.start(*(f"gateway-{i}" for i in (1, 2, 10)), "rest-1")

    def tearDown(self):
        for server in self.servers.values():
            server.stop()
        self.wait_up(set())

    def start(self, *names):
        slots = {name: (listen, admin) for service in ("gateway", "rest")
                 for name, listen, admin in ports.slots(self.settings, service)}
        for name in names:
            self.servers[name] = Recorder(name, *slots[name])
        self.wait_up(set(self.servers))

    def wait_up(self, names):
        support.wait_until(lambda: edge.servers_up(self.settings) == names, CHECK_SECONDS,
                           f"haproxy sees {sorted(names)}")

    def fetch(self, path, method="GET", headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.port, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, json.loads(response.read())

    def servers_of(self, path, count=12):
        return {self.fetch(path)[1]["server"] for _ in range(count)}

    def test_paths_go_to_their_services(self):
        for path in ("/", "/me", "/socket.iox/", "/app/socket.io/", "/metrics", "/ready"):
            self.assertEqual(self.servers_of(path, 2), {"rest-1"}, path)
        for path in ("/socket.io/?EIO=4", "/socket.io"):
            self.assertLessEqual(self.servers_of(path), {"gateway-1", "gateway-2", "gateway-10"})

    def test_a_sid_goes_home_whatever_its_place_in_the_query(self):
        for name in ("gateway-1", "gateway-2", "gateway-10"):
            for query in (f"sid={name}.Xy-_9", f"EIO=4&transport=polling&t=1&sid={name}.a.b"):
                self.assertEqual(self.servers_of(f"/socket.io/?{query}"), {name}, query)
            answer = self.fetch(f"/socket.io/?EIO=4&sid={name}.abc", "POST", body="40")[1]
            self.assertEqual(answer["server"], name)

    def test_a_sid_of_nobody_is_answered_by_anybody(self):
        for sid in ("gateway-3.abc", "gateway-1", "rest-1.abc", "..", "%00"):
            response, answer = self.fetch(f"/socket.io/?sid={sid}")
            self.assertEqual(response.status, 200)
            self.assertTrue(answer["server"].startswith("gateway-"))

    def test_a_draining_gateway_keeps_its_sids_and_gets_no_new_ones(self):
        self.servers["gateway-2"].ready = 404
        self.wait_up({"gateway-1", "gateway-10", "rest-1"})
        self.assertEqual(self.servers_of("/socket.io/?EIO=4"), {"gateway-1", "gateway-10"})
        self.assertEqual(self.servers_of("/socket.io/?sid=gateway-2.abc"), {"gateway-2"})

    def test_a_dead_gateway_costs_no_request(self):
        self.servers.pop("gateway-2").stop()
        # At once, before a health check can know.
        self.assertEqual(self.servers_of("/socket.io/?EIO=4", 20), {"gateway-1", "gateway-10"})
        self.assertNotIn("gateway-2", self.servers_of("/socket.io/?sid=gateway-2.abc"))
        self.wait_up({"gateway-1", "gateway-10", "rest-1"})

    def test_a_scaled_up_gateway_is_used_without_a_reload(self):
        self.start("gateway-7")
        self.assertEqual(self.servers_of("/socket.io/?sid=gateway-7.abc"), {"gateway-7"})

    def test_the_clients_address_is_the_edges_word(self):
        _, answer = self.fetch("/me", headers={
            "X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6",
            "X-Forwarded-Proto": "https", "Host": "chat.example:99"})
        headers = [(name.lower(), value) for name, value in answer["headers"]]
        self.assertNotIn("6.6.6.6", str(headers))
        self.assertEqual([v for n, v in headers if n == "x-forwarded-for"], ["127.0.0.1"])
        self.assertEqual([v for n, v in headers if n == "x-forwarded-proto"], ["http"])
        self.assertEqual([v for n, v in headers if n == "host"], ["chat.example:99"])

    def test_every_request_has_an_id(self):
        def request_id(headers):
            answer = self.fetch("/me", headers=headers)[1]
            found = [v for n, v in answer["headers"] if n.lower() == "x-request-id"]
            self.assertEqual(len(found), 1)
            return found[0]

        self.assertEqual(request_id({"X-Request-Id": "abc-1.2_3"}), "abc-1.2_3")
        made = {request_id({}), request_id({}), request_id({"X-Request-Id": "a b"}),
                request_id({"X-Request-Id": "x" * 65})}
        self.assertEqual(len(made), 4)
        self.assertTrue(all(len(one) == 36 for one in made))

    def test_without_a_server_the_answer_is_the_apis_error(self):
        for name in ("rest-1", "gateway-1", "gateway-2", "gateway-10"):
            self.servers.pop(name).stop()
        for path in ("/me", "/socket.io/?EIO=4", "/socket.io/?sid=gateway-1.abc"):
            response, answer = self.fetch(path, headers={"X-Request-Id": "mine"})
            self.assertEqual(response.status, 503)
            self.assertEqual(answer["error"]["code"], "unavailable")
            self.assertEqual(response.headers["Content-Type"], "application/json")
            self.assertEqual(response.headers["X-Request-Id"], "mine")
            self.assertEqual(response.headers["Retry-After"], "1")

    def connect(self, source="127.0.0.1"):
        client = socket.create_connection(("127.0.0.1", self.settings.port), timeout=10,
                                          source_address=(source, 0))
        self.addCleanup(client.close)
        return client

    def test_one_address_takes_no_more_than_its_places(self):
        def is_served(source="127.0.0.1"):
            try:
                client = self.connect(source)
                client.sendall(b"GET /me HTTP/1.1\r\nHost: x\r\n\r\n")
                return client.recv(12) == b"HTTP/1.1 200"
            except ConnectionError:
                return False

        limit = 2 * 100
        support.wait_until(lambda: self.connections_of("127.0.0.1") == 0, CHECK_SECONDS, "quiet")
        self.assertEqual([is_served() for _ in range(limit)], [True] * limit)
        self.assertFalse(is_served())
        self.assertTrue(is_served("127.0.0.2"))

    def connections_of(self, address):
        """How many connections haproxy counts for this address."""
        for line in self.ask_haproxy("show table clients").splitlines():
            if f"key=::ffff:{address} " in line or f"key={address} " in line:
                return int(line.rsplit("conn_cur=", 1)[1])
        return 0

    def test_a_body_that_comes_slowly_waits_at_the_edge(self):
        client = self.connect()
        before = self.servers["rest-1"].requests
        client.sendall(b"POST /me HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        for _ in range(5):  # others pass by meanwhile
            self.assertEqual(self.fetch("/me")[0].status, 200)
        self.assertEqual(self.servers["rest-1"].requests, before + 5)
        client.sendall(b"cd")
        self.assertEqual(client.recv(12), b"HTTP/1.1 200")
        self.assertEqual(self.servers["rest-1"].requests, before + 6)

    def test_what_is_not_http_reaches_no_server(self):
        for text in (b"HELO x\r\n\r\n", b"GET / HTTP/1.1\r\nbroken header\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.settings.port), timeout=10) as client:
                client.sendall(text)
                self.assertIn(b" 400 ", client.makefile("rb").readline())

    def test_a_websocket_passes_both_ways(self):
        with socket.create_connection(("127.0.0.1", self.settings.port), timeout=10) as client:
            client.sendall(b"GET /socket.io/?EIO=4&transport=websocket&sid=gateway-2.abc HTTP/1.1\r\n"
                           b"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                           b"Sec-WebSocket-Version: 13\r\n"
                           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            reader = client.makefile("rb")
            self.assertIn(b"101", reader.readline())
            while reader.readline().strip():
                pass
            for word in (b"one", b"\x00\xff two"):
                client.sendall(word)
                self.assertEqual(reader.read(len(word)), word)

    def test_a_server_is_up_while_it_is_checked(self):
        server = self.servers["gateway-1"]
        server.may_answer.clear()
        server.checked.clear()
        self.addCleanup(server.may_answer.set)
        self.assertTrue(server.checked.wait(CHECK_SECONDS))
        self.assertEqual(edge.servers_up(self.settings), set(self.servers))

    def test_the_edge_tells_its_own_readiness_and_metrics(self):
        def status(path):
            connection = http.client.HTTPConnection(
                "127.0.0.1", self.settings.port + ports.ADMIN_OFFSET["edge"], timeout=10)
            connection.request("GET", path)
            response = connection.getresponse()
            text = response.read().decode()
            connection.close()
            return response.status, text

        self.assertEqual(status("/ready")[0], 200)
        self.assertEqual(status("/health")[0], 200)
        self.assertEqual(status("/nothing")[0], 404)
        self.assertIn("haproxy_server_status", status("/metrics")[1])
        self.servers.pop("rest-1").stop()
        support.wait_until(lambda: status("/ready")[0] == 503, CHECK_SECONDS, "not ready")


if __name__ == "__main__":
    os.chdir("/")
    unittest.main()
