"""`./parley backup` and `./parley restore` on a running system, and what its clients notice."""

import asyncio
import contextlib
import http.client
import json
import os
import subprocess
import threading
import unittest

import socketio
import support
from test_system import LauncherTest

ROOM = "conv_ann_bob"
WAIT_SECONDS = 60
WHOLE = """select count(*) from conversations c where c.head_seq is distinct from
           (select count(*) from messages m where m.conversation_id = c.conversation_id)
           or c.head_seq is distinct from
           (select max(seq) from messages m where m.conversation_id = c.conversation_id)"""


class Client:
    """The Python client in a thread of its own: what it is told, in order."""

    def __init__(self, url, token):
        self.heard = []
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.run(self._connect(url, token))

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_SECONDS)

    async def _connect(self, url, token):
        self.io = socketio.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.2)
        for event in ("connect", "disconnect", "new_message"):
            self.io.on(event, self._listener(event))
        await self.io.connect(url, auth={"token": token})

    def _listener(self, event):
        def listen(*arguments):
            self.heard.append((event, arguments[0] if event == "new_message" else None))
        return listen

    def names(self):
        return [event for event, _ in self.heard]

    def ask(self, event, payload):
        return self.run(self.io.call(event, payload, timeout=WAIT_SECONDS))

    def join_when_let_in(self, payload):
        """The first answer of the system as it is now: a join may meet services on their way."""
        def joined():
            try:
                answer = self.ask("join_conversation", payload)
            except (socketio.exceptions.SocketIOError, asyncio.TimeoutError):
                return None
            return answer if answer["ok"] else None
        return support.wait_until(joined, WAIT_SECONDS, "a join is answered")

    def close(self):
        self.run(self.io.disconnect())
        self.loop.call_soon_threadsafe(self.loop.stop)


class Writer(threading.Thread):
    """Sends to a conversation without pause until it is told to end."""

    def __init__(self, send):
        super().__init__(daemon=True)
        self.send = send
        self.ended = threading.Event()
        self.count = 0

    def run(self):
        while not self.ended.is_set():
            self.send(f"busy {self.count}")
            self.count += 1


class BackupTest(LauncherTest):
    def setUp(self):
        self.instance = self.make(RATE_LIMIT="off")
        self.must(self.instance, "up", "-d")
        self.url = f"http://127.0.0.1:{self.instance.port}"
        self.tokens = {name: self.must(self.instance, "token", name, "--role", role).strip()
                       for name, role in (("ann", "customer"), ("bob", "customer"),
                                          ("backend", "service"))}
        for name in ("ann", "bob"):
            self.http("PUT", f"/users/{name}", {"name": name, "role": "customer"}, "backend")

    def http(self, method, path, body, as_user):
        """Answers the body of a request that must succeed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.instance.port, timeout=WAIT_SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body),
                               {"Authorization": f"Bearer {self.tokens[as_user]}",
                                "Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
        self.assertEqual(response.status, 200, text)
        return json.loads(text)

    def send(self, text):
        body = {"conversationId": ROOM, "text": text}
        return self.http("POST", "/messages/send", body, "ann")["message"]["seq"]

    def query(self, text):
        return self.must(self.instance, "psql", "-qAtc", text).strip()

    def back_up_under_load(self):
        """A backup made while messages are written, some before it and some after."""
        writer = Writer(self.send)
        writer.start()
        support.wait_until(lambda: writer.count > 5, WAIT_SECONDS, "messages are being written")
        backup = self.instance.home / "parley.backup"
        self.must(self.instance, "backup", str(backup))
        count = writer.count
        support.wait_until(lambda: writer.count > count + 1, WAIT_SECONDS, "writing went on")
        writer.ended.set()
        writer.join(WAIT_SECONDS)
        return backup

    def refuse_what_is_no_backup(self, backup):
        damaged = self.instance.home / "damaged.backup"
        damaged.write_bytes(backup.read_bytes()[:-2000])
        generation = self.query("select generation from database_state")
        self.assertNotEqual(self.instance.run("restore", str(damaged)).returncode, 0)
        self.assertNotEqual(self.instance.run("restore", "/nonexistent").returncode, 0)
        self.assertEqual(self.query("select generation from database_state"), generation)
        self.assertEqual(self.query("select datname from pg_database where datname like "
                                    "'parley\\_%'"), "")
        # The script by itself fills an empty database only.
        url = f"postgresql:///parley?host={self.instance.home / 'postgres/socket'}&user=parley"
        done = subprocess.run([str(support.ROOT / "deploy/database/restore"), str(backup)],
                              env={**os.environ, "DATABASE_URL": url}, capture_output=True,
                              text=True, check=False)
        self.assertIn("isn't empty", done.stderr)

    def gateway_pids(self):
        return {row["pid"] for row in self.instance.rows() if row["service"] == "gateway"}

    def test_a_backup_is_whole_and_its_restore_a_new_generation(self):
        backup = self.back_up_under_load()
        self.assertEqual(backup.stat().st_mode & 0o777, 0o600)
        self.assertNotEqual(self.instance.run("backup", str(backup)).returncode, 0)
        self.refuse_what_is_no_backup(backup)
        bob = Client(self.url, self.tokens["bob"])
        self.addCleanup(bob.close)
        before = bob.join_when_let_in({"conversationId": ROOM})
        gateways = self.gateway_pids()

        self.must(self.instance, "restore", str(backup))
        self.assertEqual(self.query(WHOLE), "0")
        head = int(self.query("select head_seq from conversations"))
        self.assertGreater(head, 5)
        self.assertLess(head, before["headSeq"])
        # The gateways went on, but closed their clients' sessions.
        support.wait_until(lambda: bob.names()[-2:] == ["disconnect", "connect"], WAIT_SECONDS,
                           "the client is closed and comes back")
        self.assertEqual(gateways, self.gateway_pids())
        after = bob.join_when_let_in({"conversationId": ROOM, "after": before["headSeq"]})
        self.assertTrue(after["reset"])
        self.assertEqual(after["headSeq"], head)
        self.assertNotEqual(after["generation"], before["generation"])
        bob.join_when_let_in({"conversationId": ROOM})
        self.assertEqual(self.send("the first of the new generation"), head + 1)
        told = support.wait_until(lambda: [m for event, m in bob.heard if event == "new_message"],
                                  WAIT_SECONDS, "messages of the new generation come live")
        self.assertEqual([(m["seq"], m["text"]) for m in told],
                         [(head + 1, "the first of the new generation")])
        kept = self.query("select datname from pg_database where datname like 'parley_before_%'")
        self.assertEqual(len(kept.splitlines()), 1, kept)


if __name__ == "__main__":
    unittest.main()
