"""Alerts and dashboards of deploy/monitoring, and every process's /metrics as it really is."""

import json
import re
import subprocess
import sys
import unittest
import urllib.request

import support
from test_system import LauncherTest

MONITORING = support.ROOT / "deploy/monitoring"
RUNBOOK = support.ROOT / "docs/runbook.md"
LINES_MAX = (1500, 5000)  # of one process; of haproxy

SELECTOR = re.compile(r"\b((?:parley|process|haproxy)_[a-z0-9_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
BY = re.compile(r"\bby \(([^)]*)\)")
SCRAPED_LABELS = {"job", "instance"}  # Prometheus's own


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


def alert_names():
    return re.findall(r"^ +- alert: (\w+)$", (MONITORING / "alerts.yml").read_text(), re.M)


def queries():
    """Every expression of the alerts and dashboards."""
    text = (MONITORING / "alerts.yml").read_text()
    found = re.findall(r"expr: (?:\|\n((?: {10,}.*\n)+)|(.*))", text)
    yield from (block or line for block, line in found)
    for path in (MONITORING / "dashboards").glob("*.json"):
        for panel in json.loads(path.read_text())["panels"]:
            yield from (target["expr"] for target in panel["targets"])


class RulesTest(unittest.TestCase):
    def test_alerts_fire_where_they_should(self):
        done = run("promtool", "test", "rules", "alerts.test.yml", cwd=MONITORING)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_alert_is_tested_and_explained(self):
        tests = (MONITORING / "alerts.test.yml").read_text()
        headings = re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.M)
        names = alert_names()
        self.assertGreater(len(names), 20)
        self.assertEqual(sorted(headings), sorted(names))
        for name in names:
            self.assertIn(f"  - name: {name}\n", tests)
            self.assertIn(f"runbook: docs/runbook.md#{name.lower()}\n", tests)

    def test_dashboards_are_as_their_script_writes_them(self):
        done = run(sys.executable, str(MONITORING / "dashboards.py"), "--check")
        self.assertEqual(done.returncode, 0, done.stderr)


class MetricsTest(LauncherTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.series = {}  # name => [labels, …]

    def read(self, row):
        """Checks one process's page and takes its series."""
        with urllib.request.urlopen(row["metricsUrl"], timeout=10) as response:
            text = response.read().decode()
        service = row["service"]
        if service != "edge":  # haproxy's names are its own
            done = run("promtool", "check", "metrics", input=text)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), row["instance"])
        self.assertLess(text.count("\n"), LINES_MAX[service == "edge"], row["instance"])
        described = set(re.findall(r"^# HELP (\S+) \S", text, re.M))
        samples = [SAMPLE.match(line) for line in text.splitlines() if line[:1] not in ("#", "")]
        for sample in samples:
            name = sample[1]
            whole = re.sub(r"_(bucket|sum|count)$", "", name)
            self.assertTrue({name, whole} & described, f"{name} has no HELP")
            labels = dict(LABEL.findall(sample[2] or ""))
            self.series.setdefault(name, []).append({**labels, "job": service, "instance": "x"})
        return service

    def assert_exists(self, query):
        for name, matchers in SELECTOR.findall(query):
            self.assertIn(name, self.series, query)
            for label, operator, value in MATCHER.findall(matchers):
                values = {labels.get(label) for labels in self.series[name]}
                self.assertNotEqual(values, {None}, f"{name} has no label {label}: {query}")
                wanted = value.split("|") if operator == "=~" else [value]
                for each in wanted if operator != "!=" else []:
                    if not (name == "process_max_fds" or label == "job"):
                        self.assertIn(each, values, f"{name}, {label}: {query}")
        known = {label for name, _ in SELECTOR.findall(query) for labels in self.series[name]
                 for label in labels}
        if "up)" not in query and "up{" not in query:
            for label in re.findall(r"\w+", " ".join(BY.findall(query))):
                self.assertIn(label, known | SCRAPED_LABELS, query)

    def test_real_metrics_are_well_formed_and_all_that_queries_ask_for(self):
        instance = self.make()
        self.must(instance, "up", "-d")
        rows = [row for row in instance.rows() if row["metricsUrl"]]
        services = {self.read(row) for row in rows}
        self.assertEqual(services, {"broker", "persist-worker", "auth-worker", "rest", "gateway",
                                    "edge"})
        asked = list(queries())
        self.assertGreater(len(asked), 100)
        for query in asked:
            self.assert_exists(query)


if __name__ == "__main__":
    unittest.main()
