"""`./parley test`: installs what tests need, builds, runs every part, and sums up.

A part that fails stops no other one. ctest's own JUnit report is counted, not its text.
"""

import os
import re
import subprocess
import tempfile
import time
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path

from launcher import build, packages
from launcher.console import duration, say, table
from launcher.settings import ROOT

JOBS = str(os.cpu_count() or 2)

# What the parts that run the release build need of it.
RELEASE_TARGETS = [*build.TARGETS, "parley_load", "cost_programs"]

# Variables of a running instance that must not leak into the tests.
OWN_VARIABLES = ("PORT", "BIND", "PARLEY_HOME", "PARLEY_BUILD_DIR", "DATABASE_URL", "JWT_SECRET",
                 "RECOVERY_KEY", "FRONTEND_URL", "RATE_LIMIT", "LOG_LEVEL", "REGISTRATION")


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    names: tuple = ()  # of what failed

    def __add__(self, other):
        return Count(self.passed + other.passed, self.failed + other.failed,
                     self.skipped + other.skipped, self.names + other.names)

    def total(self):
        return self.passed + self.failed + self.skipped


@dataclass
class Part:
    """The tests with these ctest labels in the build of this preset, and what runs besides."""

    text: str
    preset: str = "dev"
    labels: tuple = ()
    jobs: str = JOBS
    speaks: bool = False  # what it prints is its result
    packages: tuple = ()  # further sections of packages.txt
    besides: tuple = ()  # functions that return a Count


def run_lint():
    """clang-format over every tracked C file; one test."""
    done = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "*.c", "*.h"],
                          cwd=ROOT, capture_output=True, check=False)
    files = [name for name in done.stdout.decode().split("\0") if name and (ROOT / name).exists()]
    if done.returncode != 0 or not files:
        say("lint: git can't list the files")
        return Count(failed=1, names=("lint",))
    command = ["clang-format", "--dry-run", "-Werror", *files]
    passed = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    say(f"lint: clang-format {'accepts' if passed else 'refuses'} the {len(files)} C files")
    return Count(passed=1) if passed else Count(failed=1, names=("lint",))


def run_tidy():
    """clang-tidy over every file of the dev build; one test."""
    command = ["run-clang-tidy", "-quiet", "-j", JOBS, "-p", str(ROOT / "build/dev"), f"^{ROOT}/"]
    passed = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    return Count(passed=1) if passed else Count(failed=1)


def run_page_tests():
    """`npm test` of web/, when there is a page."""
    total = Count()
    for folder in packages.npm_folders("web"):
        done = subprocess.run(["npm", "test"], cwd=folder, env=test_environment(), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        print(done.stdout, flush=True)
        count = count_words(done.stdout)
        if done.returncode != 0:
            count.failed = count.failed or 1
            count.names = ("npm test in web/",)
        total += count
    return total


def count_words(text):
    """What the closing lines of node --test, Vitest and Playwright say."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    total = Count()
    for line in text.splitlines():
        node = re.fullmatch(r"(?:#|ℹ) (pass|fail|skipped) (\d+)", line.strip())
        words = re.findall(r"(\d+) (passed|failed|skipped)", line) if (
            re.match(r"\s+(Tests\s+)?\d+ (passed|failed|skipped)", line)) else []
        for number, word in [(node[2], node[1])] if node else words:
            name = {"pass": "passed", "fail": "failed"}.get(word, word)
            setattr(total, name, getattr(total, name) + int(number))
    return total


PARTS = {
    "build": Part("build everything that the default parts need", preset=""),
    "unit": Part("unit tests of the pure cores, and clang-format", labels=("unit",),
                 besides=(run_lint,)),
    "simulation": Part("the cores under a simulated network", labels=("simulation",)),
    "fuzz": Part("each fuzzer for a few seconds", preset="fuzz", labels=("fuzz",)),
    "integration": Part("the real services", labels=("integration",)),
    "protocol": Part("Socket.IO as the published suites want it", labels=("protocol",)),
    "asan": Part("unit, protocol and integration under ASan and UBSan", preset="asan",
                 labels=("unit", "protocol", "integration")),
    "browser": Part("the page in Chromium", labels=("browser",), packages=("browser",),
                    besides=(run_page_tests,)),
    "chaos": Part("services killed and frozen under load", preset="release", labels=("chaos",),
                  jobs="1"),
    "cost": Part("instructions that the cores' hot paths take", preset="release", labels=("cost",),
                 jobs="1", speaks=True),
    "tidy": Part("clang-tidy", besides=(run_tidy,)),
    "overload": Part("a minute of three times what the machine can do", preset="release",
                     labels=("overload",), jobs="1", speaks=True),
    "bench": Part("the benchmark", preset="release", labels=("bench",), jobs="1", speaks=True),
}
DEFAULT_PARTS = ("build", "unit", "simulation", "fuzz", "integration", "protocol", "asan",
                 "browser", "chaos", "cost")

# Minutes on two cores for these parts together.
BUDGETS = ((("build",), 6), (("unit", "simulation", "fuzz", "cost"), 4),
           (("integration", "protocol"), 4), (("asan",), 4), (("browser",), 3), (("chaos",), 3))


def test_environment():
    return {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}


class Run:
    """One `./parley test`: which presets are built, and what each part came to."""

    def __init__(self, parts):
        self.parts = parts
        self.built = {}  # preset => whether its build worked
        self.results = {}  # part => (Count, seconds)

    def install(self):
        sections = {section for part in self.parts for section in PARTS[part].packages}
        packages.ensure_debian("build", "run", "node", "test", *sections)
        for path in sorted((ROOT / "tests").rglob("package-lock.json")):
            if not {"node_modules", "peers"} & set(path.parts):  # peers: `./parley bench` alone
                packages.ensure_npm(path.parent)
        build.build_page()

    def build(self, preset):
        """Builds a preset, once; release: the services alone."""
        if preset and preset not in self.built:
            began = time.monotonic()
            say(f"--- building {preset}")
            targets = RELEASE_TARGETS if preset == "release" else ()
            self.built[preset] = build.build_preset(preset, targets, test_environment())
            say(f"--- built {preset} in {duration(time.monotonic() - began)}" if self.built[preset]
                else f"--- the build of {preset} failed")
        return self.built.get(preset, True)

    def build_all(self):
        presets = {PARTS[part].preset for part in DEFAULT_PARTS if PARTS[part].preset}
        failed = [preset for preset in sorted(presets) if not self.build(preset)]
        return Count(failed=len(failed), names=tuple(f"the build of {name}" for name in failed))

    def ctest(self, part):
        """Runs the tests with the part's labels."""
        with tempfile.TemporaryDirectory() as scratch:
            report = Path(scratch) / "junit.xml"
            command = ["ctest", "--test-dir", f"build/{part.preset}",
                       "--verbose" if part.speaks else "--output-on-failure", "-j", part.jobs,
                       "-L", f"^({'|'.join(part.labels)})$", "--no-tests=error",
                       "--output-junit", str(report)]
            code = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL,
                                  env=test_environment(), check=False).returncode
            count = read_junit(report)
        if code != 0 and not count.failed:
            count += Count(failed=1, names=("ctest",))
        return count

    def run_part(self, name):
        part = PARTS[name]
        if name == "build":
            return self.build_all()
        if not self.build(part.preset):
            return Count(failed=1, names=(f"the build of {part.preset}",))
        count = self.ctest(part) if part.labels else Count()
        for function in part.besides:
            count += function()
        return count

    def run(self):
        """Runs the parts; returns the exit code."""
        for name in self.parts:
            say(f"==> {name}: {PARTS[name].text}")
            began = time.monotonic()
            if not self.results:
                self.install()
            count = self.run_part(name)
            seconds = time.monotonic() - began
            self.results[name] = (count, seconds)
            say(f"    {name}: {outcome(name, count)} ({duration(seconds)})")
        return self.close()

    def close(self):
        rows = [("PART", "RESULT", "TIME")]
        rows += [(name, outcome(name, count), duration(seconds))
                 for name, (count, seconds) in self.results.items()]
        print("\n" + table(rows))
        for parts, minutes in BUDGETS:
            seconds = sum(self.results[name][1] for name in parts if name in self.results)
            if seconds > minutes * 60:
                print(f"over budget: {' + '.join(parts)} took {duration(seconds)} of "
                      f"{minutes} minutes")
        for part, (count, _) in self.results.items():
            for name in count.names:
                print(f"failed: {part}: {name}")
        total = sum((count for count, _ in self.results.values()), Count())
        print(f"\n{words(total)}", flush=True)
        return 1 if total.failed else 0


def words(count):
    skipped = f", {count.skipped} skipped" if count.skipped else ""
    return f"{count.passed} passed, {count.failed} failed{skipped}"


def outcome(name, count):
    if name == "build" and not count.failed:
        return "built"
    return words(count) if count.total() else "no tests"


def read_junit(path):
    try:
        suite = xml.etree.ElementTree.parse(path).getroot()
    except (FileNotFoundError, xml.etree.ElementTree.ParseError):
        return Count()
    number = {name: int(suite.get(name, "0"))
              for name in ("tests", "failures", "skipped", "disabled")}
    skipped = number["skipped"] + number["disabled"]
    names = tuple(test.get("name") for test in suite.iter("testcase")
                  if test.find("failure") is not None)
    return Count(number["tests"] - number["failures"] - skipped, number["failures"], skipped, names)


def run(part=None):
    return Run((part,) if part else DEFAULT_PARTS).run()
