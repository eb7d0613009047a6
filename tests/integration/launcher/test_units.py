"""The launcher's pure parts: settings, ports, tokens, templates, counts."""

import base64
import hashlib
import hmac
import json
import os
import time
import unittest

import support

from launcher import edge, packages, ports, settings, testing, tokens, traces
from launcher.console import Failure


class SettingsTest(unittest.TestCase):
    def setUp(self):
        self.home = support.new_home()
        self.addCleanup(support.remove, self.home)

    def make(self, **variables):
        return settings.Settings({"PARLEY_HOME": str(self.home), **variables})

    def test_env_file_takes_quotes_comments_and_export(self):
        path = self.home / ".env"
        path.write_text("# words\n\nPORT=6000\nexport LOG_LEVEL = debug  # more\n"
                        "JWT_SECRET='a # b'\nFRONTEND_URL=\"http://x#y\"\nEMPTY=\n")
        self.assertEqual(settings.read_env_file(path), {
            "PORT": "6000", "LOG_LEVEL": "debug", "JWT_SECRET": "a # b",
            "FRONTEND_URL": "http://x#y", "EMPTY": ""})

    def test_env_file_names_the_line_it_does_not_understand(self):
        path = self.home / ".env"
        for text in ("PORT=1\nnonsense\n", "PORT=1\nX='open\n"):
            path.write_text(text)
            with self.assertRaisesRegex(Failure, r"\.env:2: "):
                settings.read_env_file(path)

    def test_port_is_bounded(self):
        self.assertEqual(self.make().port, 5000)
        self.assertEqual(self.make(PORT="").port, 5000)
        self.assertEqual(self.make(PORT=str(65535 - ports.SPAN)).port, 65535 - ports.SPAN)
        for wrong in ("0", str(65536 - ports.SPAN), "http", "-1", "5000 ", "６０００"):
            with self.assertRaisesRegex(Failure, "PORT"):
                self.make(PORT=wrong)

    def test_secret_is_made_once_and_kept_private(self):
        secret = self.make().jwt_secret()
        self.assertGreaterEqual(len(secret), 43)
        self.assertEqual(self.make().jwt_secret(), secret)
        self.assertEqual((self.home / "jwt_secret").stat().st_mode & 0o777, 0o600)
        self.assertEqual([path.name for path in self.home.iterdir()], ["jwt_secret"])
        self.assertEqual(self.make(JWT_SECRET="given").jwt_secret(), "given")

    def test_a_long_home_gets_a_short_socket_directory(self):
        short = self.make()
        self.assertEqual(short.run_dir(), self.home / "run")
        long = self.make(PARLEY_HOME=str(self.home / ("x" * 100)))
        self.assertLessEqual(len(str(long.run_dir() / "broker-10.sock")), 107)
        self.assertNotEqual(long.run_dir(), self.make(PARLEY_HOME=str(self.home / ("y" * 100))))

    def test_kept_settings_do_not_depend_on_the_environment(self):
        self.make(PORT="6000", LOG_LEVEL="debug", UNRELATED="x").keep(["LOG_LEVEL"])
        later = self.make(PORT="7000").as_started()
        self.assertEqual((later.port, later.get("LOG_LEVEL"), later.get("UNRELATED")),
                         (6000, "debug", None))
        self.assertEqual(later.home, self.home)
        self.assertEqual((self.home / "settings.json").stat().st_mode & 0o777, 0o600)

    def test_a_foreign_directory_is_refused(self):
        target = self.home / "target"
        target.mkdir()
        (self.home / "link").symlink_to(target)
        with self.assertRaisesRegex(Failure, "link"):
            settings.make_directory(self.home / "link", 0o700)


class PortsTest(unittest.TestCase):
    def test_no_port_is_given_twice_and_all_lie_in_the_span(self):
        base = settings.Settings({"PORT": "6000"})
        used = [base.port, base.port + ports.ADMIN_OFFSET["edge"]]
        for service in ports.LISTEN_OFFSET:
            used += [listen for _, listen, _ in ports.slots(base, service)]
        for service, offset in ports.ADMIN_OFFSET.items():
            if service != "edge":
                used += [base.port + offset + i for i in range(ports.COUNT_MAX)]
        self.assertEqual(len(used), len(set(used)))
        self.assertLess(max(used), base.port + ports.SPAN)


class TokensTest(unittest.TestCase):
    def test_token_carries_the_claims_and_verifies(self):
        token = tokens.sign("secret", "a:1", 60, name="Ann", role="customer")
        signed, _, mac = token.rpartition(".")
        head, claims = (json.loads(base64.urlsafe_b64decode(part + "=="))
                        for part in signed.split("."))
        self.assertEqual(head, {"alg": "HS256", "typ": "JWT"})
        self.assertEqual({name: claims[name] for name in ("userId", "name", "role")},
                         {"userId": "a:1", "name": "Ann", "role": "customer"})
        self.assertEqual(claims["exp"] - claims["iat"], 60)
        self.assertLess(abs(claims["iat"] - time.time()), 5)
        expected = hmac.new(b"secret", signed.encode(), hashlib.sha256).digest()
        self.assertEqual(base64.urlsafe_b64decode(mac + "=="), expected)

    def test_bad_users_and_life_times_are_refused(self):
        for user in ("", "a_b", "x" * 65, "a b", "ä"):
            with self.assertRaises(Failure):
                tokens.sign("secret", user, 60)
        self.assertEqual([tokens.read_ttl(text) for text in ("900", "90s", "15m", "12h", "7d")],
                         [900, 90, 900, 43_200, 604_800])
        for text in ("", "0", "-5", "1w", "h", "1.5h", "9" * 20):
            with self.assertRaises(Failure):
                tokens.read_ttl(text)


class TemplateTest(unittest.TestCase):
    def test_fill_indents_lists_and_refuses_unknown_names(self):
        self.assertEqual(edge.fill("a\n    @LINES@\nb @ONE@ c", {"LINES": ["x", "y"], "ONE": 1}),
                         "a\n    x\n    y\nb 1 c")
        with self.assertRaises(KeyError):
            edge.fill("@NOBODY@", {})

    def test_idle_time_follows_the_heartbeat(self):
        text = edge.configuration(settings.Settings(
            {"PING_INTERVAL_MS": "100000", "PING_TIMEOUT_MS": "50000"}))
        self.assertIn("timeout tunnel 165000ms", text)

    def test_the_limit_for_one_address_goes_with_the_other_limits(self):
        def text(**values):
            return edge.configuration(settings.Settings(values))

        self.assertIn("sc0_conn_cur gt 4000 ", text())
        self.assertIn("sc0_conn_cur gt 6 ", text(MAX_CONNECTIONS_PER_ADDRESS="3"))
        self.assertNotIn("conn_cur", text(RATE_LIMIT="off"))

    def test_a_server_counts_once_it_was_checked(self):
        lines = ["svname,status,check_status", "checked,UP,L7OK", "checking,UP,* L7OK",
                 "failed-once,UP 1/2,L4CON", "unchecked,UP 1/2,INI", "first-check,UP 1/2,* INI",
                 "gone,DOWN,L4CON", "back-soon,DOWN 1/2,L7OK", "draining,NOLB,L7STS",
                 "FRONTEND,OPEN,"]
        self.assertEqual(edge.checked_and_up(lines), {"checked", "checking", "failed-once"})

    def test_connection_limit_fits_the_limit_of_open_files(self):
        self.assertLessEqual(edge.connection_limit(), 9_900)


class PackagesTest(unittest.TestCase):
    def test_the_list_is_complete_and_well_formed(self):
        sections = packages.read_list()
        self.assertEqual(set(sections), {"build", "run", "node", "test", "bench", "browser"})
        names = [package for entries in sections.values() for package, _ in entries]
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertRegex(name, r"^[a-z0-9][a-z0-9+.-]+$")


class TracesTest(unittest.TestCase):
    CONNECTION, EVENT, OTHER = "0a" * 16, "0b" * 16, "0c" * 16

    def line(self, second, instance, trace, rest):
        return (f"ts=2026-01-02T03:04:{second}Z level=info service=x instance={instance} "
                f"event=step trace={trace} {rest}\n")

    def lines(self):
        return [
            self.line("05.000300", "broker-1", self.EVENT, 'room="a b" code=""'),
            "2026-01-02 some other line ts=1\n",
            self.line("05.000000", "gateway-1", self.EVENT, f"link={self.CONNECTION} session=3"),
            self.line("04.000000", "gateway-1", self.CONNECTION, "n=0"),
            "gateway-1  | " + self.line("05.000400", "gateway-1", self.OTHER, ""),
        ]

    def test_a_trace_is_shown_in_order_with_times(self):
        self.assertEqual(traces.report(traces.find(self.lines(), self.EVENT)), [
            f"trace {self.EVENT} began 2026-01-02T03:04:05.000000Z, of connection {self.CONNECTION}",
            "     0.000 ms  gateway-1  step session=3",
            '     0.300 ms  broker-1   step room="a b"'])

    def test_a_connection_leads_to_its_events(self):
        found = traces.find(self.lines(), f"00-{self.CONNECTION}-{'1' * 16}-01")
        self.assertEqual(list(found), [self.CONNECTION, self.EVENT])
        self.assertEqual(traces.find(self.lines(), "0d" * 16), {})

    def test_ids_are_taken_as_headers_spell_them(self):
        uuid = "0c0c0c0c-0c0c-0c0c-0c0c-0c0c0c0c0c0c"
        self.assertEqual(list(traces.find(self.lines(), uuid)), [self.OTHER])


class CountsTest(unittest.TestCase):
    def test_runners_closing_lines_are_counted(self):
        vitest = "\x1b[2m Test Files \x1b[22m 2 passed (2)\n      Tests  1 failed | 12 passed (13)\n"
        node = "# tests 9\n# pass 7\n# fail 1\n# skipped 1\n"
        playwright = "  1 failed\n    [chromium] › a.spec.ts\n  2 skipped\n  14 passed (9.1s)\n"
        self.assertEqual(testing.count_words(vitest), testing.Count(12, 1, 0))
        self.assertEqual(testing.count_words(node), testing.Count(7, 1, 1))
        self.assertEqual(testing.count_words(playwright), testing.Count(14, 1, 2))

    def test_junit_report_is_counted(self):
        home = support.new_home()
        self.addCleanup(support.remove, home)
        path = home / "junit.xml"
        path.write_text('<testsuite tests="9" failures="2" disabled="1" skipped="1">'
                        '<testcase name="good"/><testcase name="bad"><failure/></testcase>'
                        '<testcase name="worse"><failure message="Timeout"/></testcase></testsuite>')
        self.assertEqual(testing.read_junit(path), testing.Count(5, 2, 2, ("bad", "worse")))
        path.write_text("<testsuite")
        self.assertEqual(testing.read_junit(path), testing.Count())
        self.assertEqual(testing.read_junit(home / "absent"), testing.Count())

    def test_the_closing_line(self):
        self.assertEqual(testing.words(testing.Count(5, 0)), "5 passed, 0 failed")
        self.assertEqual(testing.words(testing.Count(5, 1, 2)), "5 passed, 1 failed, 2 skipped")


if __name__ == "__main__":
    os.chdir("/")
    unittest.main()
