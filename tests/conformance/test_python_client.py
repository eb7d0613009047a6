"""python-socketio as a second client: over WebSocket, polling, and from one to the other."""

import asyncio
import os
import signal
import subprocess
import unittest

import socketio

MODES = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": None}
DEADLINE = 10


class Server:
    def __init__(self):
        self.process = subprocess.Popen(
            [os.environ["CONFORMANCE_SERVER"], "--port", "0", "--suite", "protocol",
             "--ping-interval", "60000"],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.url = f"http://127.0.0.1:{int(line.removeprefix('listening on '))}"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.stdout.close()
        return self.process.wait(DEADLINE)


class PythonClient(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0

    async def connect(self, transports, **options):
        client = socketio.AsyncClient(reconnection=False)
        client.received = asyncio.Queue()
        for event in ("auth", "message-back"):
            client.on(event, lambda *args, event=event: client.received.put_nowait((event, args)),
                      namespace=options.get("namespaces", ["/"])[0])
        await client.connect(self.server.url, transports=transports, wait_timeout=DEADLINE, **options)
        return client

    async def receive(self, client, event):
        while True:
            name, args = await asyncio.wait_for(client.received.get(), DEADLINE)
            if name == event:
                return args

    async def exchange(self, transports):
        client = await self.connect(transports, auth={"token": "123"})
        self.assertEqual(await self.receive(client, "auth"), ({"token": "123"},))
        # Ten at a time: this client refuses a poll with more than 16 packets.
        for start in range(0, 50, 10):
            for i in range(start, start + 10):
                await client.emit("message", (i, "déjà vu 🎉", {"a": [None, True]}))
            for i in range(start, start + 10):
                self.assertEqual(await self.receive(client, "message-back"),
                                 (i, "déjà vu 🎉", {"a": [None, True]}))
        await client.emit("message", {"bytes": b"\x00\x01\xff"})
        self.assertEqual(await self.receive(client, "message-back"), ({"bytes": b"\x00\x01\xff"},))
        answer = await client.call("message-with-ack", (b"\x05", "text"), timeout=DEADLINE)
        self.assertEqual(answer, (b"\x05", "text"))
        await asyncio.sleep(1)  # three heartbeats
        self.assertEqual(await client.call("message-with-ack", 1, timeout=DEADLINE), 1)
        await client.disconnect()

    async def test_websocket(self):
        await self.exchange(MODES["websocket"])

    async def test_polling(self):
        await self.exchange(MODES["polling"])

    async def test_upgrade(self):
        await self.exchange(MODES["upgrade"])

    async def test_namespace(self):
        client = await self.connect(["websocket"], namespaces=["/custom"])
        self.assertEqual(await self.receive(client, "auth"), ({},))
        await client.disconnect()

    async def test_unknown_namespace(self):
        client = socketio.AsyncClient(reconnection=False)
        with self.assertRaises(socketio.exceptions.ConnectionError):
            await client.connect(self.server.url, namespaces=["/random"], wait_timeout=1)
        await client.eio.http.close()


if __name__ == "__main__":
    unittest.main()
