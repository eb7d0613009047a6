"""`./parley` as its user types it: the real services of BUILD_DIR, PostgreSQL, haproxy and runit."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import unittest
from pathlib import Path
from urllib.parse import urlsplit

import support

from launcher import processes

PARLEY = support.ROOT / "parley"
BUILD_DIR = os.environ["BUILD_DIR"]
COMMAND_SECONDS = 90
ORDINARY_USER = "nobody"

DEFAULT_INSTANCES = ["postgres", "broker-1", "persist-worker-1", "persist-worker-2",
                     "auth-worker-1", "rest-1", "gateway-1", "gateway-2", "edge"]


class Instance:
    """One PARLEY_HOME with its PORT, and the commands on it."""

    def __init__(self, home, user=None, **variables):
        self.home = home
        self.user = user
        self.port = support.free_base_port()
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = {**kept, "PARLEY_HOME": str(home), "PORT": str(self.port),
                            "PARLEY_BUILD_DIR": BUILD_DIR, **variables}

    def run(self, *arguments, **variables):
        as_user = {"user": self.user, "group": "nogroup", "extra_groups": []} if self.user else {}
        return subprocess.run([str(PARLEY), *arguments], env={**self.environment, **variables},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=COMMAND_SECONDS, check=False, cwd="/", **as_user)

    def rows(self):
        return json.loads(self.run("status", "--json").stdout or "[]")

    def pids(self):
        return {row["instance"]: row["pid"] for row in self.rows()}

    def remove(self):
        self.run("down")
        support.remove(self.home)


class LauncherTest(unittest.TestCase):
    def make(self, home=None, **options):
        instance = Instance(home or support.new_home(), **options)
        self.addCleanup(instance.remove)
        return instance

    def must(self, instance, *arguments, **variables):
        done = instance.run(*arguments, **variables)
        self.assertEqual(done.returncode, 0, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def fetch(self, url, path, token=None, method="GET", body=None):
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        self.addCleanup(connection.close)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()

    def handshake(self, url):
        """Opens an Engine.IO session by polling; returns its sid."""
        status, text = self.fetch(url, "/socket.io/?EIO=4&transport=polling")
        self.assertEqual(status, 200, text)
        return json.loads(text[1:])["sid"]

    def assert_nothing_left(self, instance, pids):
        for name, pid in pids.items():
            self.assertFalse(pid and processes.exists(pid), f"{name} ({pid}) still lives")
        self.assertEqual(processes.marked(instance.home), [])


class DefaultInstanceTest(LauncherTest):
    """One instance, from `up` to `down`, in the order of a user's day."""

    def test_a_day(self):
        self.instance = self.make()
        self.assertIn("./parley token", self.must(self.instance, "up", "-d"))
        for step in (self.status, self.keys, self.token, self.database, self.up_again, self.changed_setting,
                     self.clients, self.scale, self.restart, self.killed, self.logs, self.down):
            with self.subTest(step.__name__):
                step()

    def url(self, name):
        return {row["instance"]: row["url"] for row in self.instance.rows()}[name]

    def status(self):
        rows = self.instance.rows()
        self.assertEqual([row["instance"] for row in rows], DEFAULT_INSTANCES)
        for row in rows:
            self.assertEqual(set(row), {"service", "instance", "pid", "url", "metricsUrl", "state",
                                        "ready", "uptime"})
            self.assertNotEqual(row["url"], "", row)
            self.assertEqual((row["state"], row["ready"]), ("running", True), row)
            self.assertTrue(processes.is_alive(row["pid"]))
            self.assertLess(row["uptime"], COMMAND_SECONDS)
            if row["metricsUrl"]:
                self.assertEqual(self.fetch(row["metricsUrl"], "/metrics")[0], 200, row)
        self.assertIn("gateway-2", self.must(self.instance, "status"))

    def key_texts(self):
        return {path.name: path.read_text() for path in (self.instance.home / "keys").iterdir()}

    def keys(self):
        """Made once, each for its service alone, and in use."""
        before = self.key_texts()
        self.assertEqual(len(before), 6)
        for path in (self.instance.home / "keys").iterdir():
            mode = 0o644 if path.name == "public.keys" else 0o600
            self.assertEqual(path.stat().st_mode & 0o777, mode, path)
        self.must(self.instance, "up", "-d")
        self.assertEqual(self.key_texts(), before)
        self.assertRegex(self.must(self.instance, "logs", "broker"), "event=bus_listening .* encrypted=yes")
        other = self.instance.home / "others"
        self.must(self.instance, "keygen", str(other))
        self.assertEqual({path.name for path in other.iterdir()}, set(before))

    def token(self):
        token = self.must(self.instance, "token", "ann:1", "--name", "Ann", "--role",
                          "customer").strip()
        status, text = self.fetch(self.url("edge"), "/me", token)
        self.assertEqual((status, json.loads(text)),
                         (200, {"id": "ann:1", "name": "Ann", "role": "customer"}))
        self.assertEqual(self.fetch(self.url("edge"), "/me", token[:-3] + "abc")[0], 401)

    def database(self):
        text = self.must(self.instance, "psql", "-Atc",
                         "select count(*) > 0 from pg_tables where tablename = 'messages'")
        self.assertEqual(text.strip(), "t")
        settings = self.must(self.instance, "psql", "-Atc", "show fsync; show listen_addresses")
        self.assertEqual(settings.split("\n")[:2], ["on", ""])

    def clients(self):
        """Each gateway answers at its own URL; through the edge every poll finds its session. Each
        session is closed again: a restart would have to drain it."""
        for name in ("gateway-1", "gateway-2"):
            sid = self.handshake(self.url(name))
            self.assertTrue(sid.startswith(name + "."))
            self.fetch(self.url(name), f"/socket.io/?EIO=4&transport=polling&sid={sid}",
                       method="POST", body="1")
        token = self.must(self.instance, "token", "bob").strip()
        seen = set()
        for _ in range(12):
            sid = self.handshake(self.url("edge"))
            seen.add(sid.split(".")[0])
            path = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
            auth = "40" + json.dumps({"token": token})
            self.assertEqual(self.fetch(self.url("edge"), path, method="POST", body=auth),
                             (200, "ok"))
            status, text = self.fetch(self.url("edge"), path)
            self.assertEqual((status, text[:2]), (200, "40"), text)
            self.fetch(self.url("edge"), path, method="POST", body="1")
        self.assertEqual(seen, {"gateway-1", "gateway-2"})

    def up_again(self):
        before = self.instance.pids()
        self.must(self.instance, "up", "-d")
        self.assertEqual(self.instance.pids(), before)

    def changed_setting(self):
        """Restarts who knows FRONTEND_URL, and nobody else."""
        before = self.instance.pids()
        self.must(self.instance, "up", "-d", FRONTEND_URL="https://shop.example")
        after = self.instance.pids()
        self.assertEqual({name for name in after if after[name] != before[name]},
                         {"gateway-1", "gateway-2", "rest-1"})

    def scale(self):
        before = self.instance.pids()
        # Another PORT in this shell must not move the running instance.
        self.must(self.instance, "scale", "gateway=3", PORT="5000")
        self.assertTrue(self.handshake(self.url("gateway-3")).startswith("gateway-3."))
        after = self.instance.pids()
        third = {"gateway-3": after.pop("gateway-3")}
        self.assertEqual(after, before)
        self.must(self.instance, "scale", "gateway=2")
        self.assert_gone(third)
        self.assertEqual(self.instance.pids(), before)
        for wrong in ("gateway=0", "gateway=11", "edge=2", "gateway", "gateway=x"):
            self.assertEqual(self.instance.run("scale", wrong).returncode, 1, wrong)

    def assert_gone(self, pids):
        for name, pid in pids.items():
            self.assertFalse(processes.is_alive(pid), name)

    def restart(self):
        before = self.instance.pids()
        self.must(self.instance, "restart", "gateway")
        self.must(self.instance, "restart", "auth-worker-1")
        after = self.instance.pids()
        self.assertEqual({name for name in after if after[name] != before[name]},
                         {"gateway-1", "gateway-2", "auth-worker-1"})
        self.assertIn("gateway-1", self.instance.run("restart", "nobody").stderr)

    def killed(self):
        """Each process comes back by itself, within a second, and all are ready again."""
        before = self.instance.pids()
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        support.wait_until(lambda: all(pid and pid != before[name]
                                       for name, pid in self.instance.pids().items()),
                           10, "every process is back")
        support.wait_until(lambda: all(row["ready"] for row in self.instance.rows()), 30,
                           "all are ready again")

    def logs(self):
        text = self.must(self.instance, "logs", "rest-1")
        self.assertIn("event=ended code=-1 signal=9", text)
        self.assertIn("postgres ", self.must(self.instance, "logs", "-n", "3"))

    def down(self):
        pids = {**self.instance.pids(), "runsvdir": int((self.instance.home / "runsvdir.pid")
                                                         .read_text())}
        self.must(self.instance, "down")
        self.assert_nothing_left(self.instance, pids)
        self.assertEqual(self.instance.run("status").returncode, 3)
        self.must(self.instance, "down")


class OtherInstancesTest(LauncherTest):
    def test_two_side_by_side(self):
        """The second one has a path too long for a socket, that PostgreSQL's user can't enter."""
        first = self.make()
        outer = support.new_home()
        outer.chmod(0o700)
        self.addCleanup(support.remove, outer)
        second = self.make(outer / ("long-" * 20), JWT_SECRET="s" * 40)
        self.must(first, "up", "-d")
        self.must(second, "up", "-d", PORT=str(support.free_base_port()))
        self.addCleanup(support.remove, (second.home / "postgres").resolve())
        for instance in (first, second):
            self.assertTrue(all(row["ready"] for row in instance.rows()))
        self.assertFalse(set(first.pids().values()) & set(second.pids().values()))
        self.must(first, "psql", "-c", "create table only_here ()")
        self.assertEqual(second.run("psql", "-c", "table only_here").returncode, 1)
        pids = second.pids()
        self.must(second, "down")
        self.assert_nothing_left(second, pids)
        self.assertTrue(all(row["ready"] for row in first.rows()))

    def test_a_killed_supervisor_is_recovered_from(self):
        instance = self.make()
        self.must(instance, "up", "-d")
        before = instance.pids()
        os.kill(int((instance.home / "runsvdir.pid").read_text()), signal.SIGKILL)
        self.must(instance, "up", "-d")
        self.assertTrue(all(row["ready"] for row in instance.rows()))
        pids = {**before, **instance.pids()}
        # This time with every runsv, so that nothing is supervised any more.
        for pid in processes.marked(instance.home):
            if Path(f"/proc/{pid}/comm").read_text().startswith("runsv"):
                os.kill(pid, signal.SIGKILL)
        self.must(instance, "down")
        self.assert_nothing_left(instance, pids)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_an_ordinary_user(self):
        can_read = subprocess.run(["/usr/bin/test", "-x", PARLEY], user=ORDINARY_USER,
                                  group="nogroup", extra_groups=[], cwd="/", check=False)
        if can_read.returncode != 0:
            self.skipTest(f"user {ORDINARY_USER} can't enter {support.ROOT}")
        home = support.new_home()
        self.addCleanup(support.remove, home)
        shutil.chown(home, ORDINARY_USER)
        instance = self.make(home, user=ORDINARY_USER)
        self.must(instance, "up", "-d")
        rows = instance.rows()
        self.assertEqual([row["instance"] for row in rows], DEFAULT_INSTANCES)
        for row in rows:
            self.assertTrue(row["ready"], row)
            self.assertEqual(Path(f"/proc/{row['pid']}").owner(), ORDINARY_USER)
        self.must(instance, "down")

    def test_another_database_is_used_as_it_is(self):
        private = support.ROOT / "deploy/local/pg_private"
        directory, url = subprocess.run([private, "start"], capture_output=True, text=True,
                                        check=True).stdout.split()
        self.addCleanup(subprocess.run, [private, "stop", directory], check=True)
        instance = self.make(DATABASE_URL=url)
        self.must(instance, "up", "-d")
        self.assertNotIn("postgres", instance.pids())
        self.assertFalse((instance.home / "postgres").exists())
        self.assertEqual(self.must(instance, "psql", "-Atc", "show data_directory").strip(),
                         f"{directory}/data")
        self.must(instance, "down")
        done = subprocess.run([private, "pid", directory], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, "somebody else's database was stopped")


class RefusalTest(LauncherTest):
    def test_a_taken_port_is_named(self):
        instance = self.make()
        with socket.create_server(("127.0.0.1", instance.port + 11)):
            done = instance.run("up", "-d")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"port {instance.port + 11} .*gateway-2")
        self.assertEqual(processes.marked(instance.home), [])

    def test_a_bad_setting_is_named_and_nothing_starts(self):
        instance = self.make()
        done = instance.run("up", "-d", LOG_LEVEL="loud")
        self.assertEqual(done.returncode, 1)
        self.assertIn("LOG_LEVEL", done.stderr)
        self.assertEqual(processes.marked(instance.home), [])

    def test_a_home_that_cannot_be_made_is_named(self):
        instance = self.make(Path("/proc/no-home"))
        done = instance.run("up", "-d")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.splitlines()[-1],
                         "parley: No such file or directory: /proc/no-home")

    def test_a_service_that_does_not_get_ready_is_shown(self):
        instance = self.make(DATABASE_URL="postgresql:///parley?host=/nonexistent")
        build = instance.home / "build"
        shutil.copytree(BUILD_DIR, build, ignore=lambda folder, names: [
            name for name in names if not (Path(folder) / name).is_dir()
            and not name.startswith("parley-")])
        rest = build / "rest/parley-rest"
        rest.unlink()
        rest.write_text("#!/bin/sh\ncase \"$1\" in --*) exit 0;; esac\necho no paper left\nexit 1\n")
        rest.chmod(0o755)
        done = instance.run("up", "-d", PARLEY_BUILD_DIR=str(build))
        self.assertEqual(done.returncode, 1)
        self.assertIn("no paper left", done.stderr)
        self.assertEqual(processes.marked(instance.home), [])

    def test_commands_without_a_running_instance_say_so(self):
        instance = self.make()
        for arguments, code in ((("status",), 3), (("restart", "gateway"), 1), (("psql",), 1),
                                (("logs", "gateway"), 1), (("down",), 0), (("help",), 0),
                                (("nonsense",), 2), (("token", "a_b"), 1)):
            self.assertEqual(instance.run(*arguments).returncode, code, arguments)


if __name__ == "__main__":
    unittest.main()
