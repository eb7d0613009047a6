"""Holds the tree to its layers: proto <- common <- services, and pure cores that do no I/O.

    python3 tests/layering.py            checks the tree, prints each fault, exits 1 if there is one
    python3 tests/layering.py --self-test  checks that every rule finds what breaks it

The rules:
 1. A pure core (the files of a parley_core() in a CMakeLists.txt) includes no library that does I/O, no
    header of a module that is in no pure core, and reads no clock, randomness or environment.
 2. A pure core's header includes the C library, uthash, address types and our own headers alone.
 3. proto includes itself and the base library; common includes itself and proto.
 4. A service includes itself, common and proto. gateway/socketio includes itself and the base library.
"""

import os
import re
import sys
import tempfile
import unittest
from pathlib import Path

SERVICES = ["gateway", "broker", "persist-worker", "auth-worker", "rest"]
FOLDERS = ["proto", "common", "keygen", *SERVICES]
BASE = {f"common/{name}.h" for name in ("err", "str", "strbuf", "sharedbuf", "trace")}

IO_HEADERS = re.compile(
    r"(uv|zmq|czmq|libwebsockets|microhttpd|libpq-fe|curl/.*|unistd|fcntl|poll|netdb|dirent|signal|"
    r"pthread|threads|net/.*|netinet/tcp|sys/(stat|time|random|select|epoll|un|mman|"
    r"resource|wait|file|uio|ioctl).*)\.h$")
HEADER_LIBRARIES = {
    f"{name}.h" for name in (
        "assert", "ctype", "errno", "float", "inttypes", "limits", "math", "stdalign", "stdarg",
        "stdbool", "stddef", "stdint", "stdio", "stdlib", "string", "uthash", "utlist",
        "arpa/inet", "netinet/in", "sys/socket")}  # the last three for the types of addresses
IMPURE_CALLS = re.compile(
    r"(?<![\w.>])(time|clock|clock_gettime|clock_getres|gettimeofday|timespec_get|localtime(?:_r)?|"
    r"rand|rand_r|srand|random|srandom|[delmnj]rand48|arc4random\w*|getrandom|getentropy|"
    r"randombytes\w*|RAND_\w+|getenv|secure_getenv|setenv|fopen|fdopen|freopen|open|openat|socket|"
    r"connect|bind|listen|accept4?|recv|recvfrom|recvmsg|sendto|sendmsg|usleep|sleep|nanosleep|getpid|fork|system|popen)"
    r"\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def without_comments_and_strings(text):
    """The code alone, line breaks kept."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda m: "\n" * m.group().count("\n") or " ", text)


class Tree:
    def __init__(self, root):
        self.root = Path(root)
        self.faults = []
        self.pure = self.find_pure_files()

    def fault(self, path, line, what):
        self.faults.append(f"{path}:{line}: {what}")

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8")

    def sources(self):
        """Every C file of the layers, as a path from the root."""
        for folder in FOLDERS:
            for path in sorted((self.root / folder).rglob("*.[ch]")):
                yield path.relative_to(self.root).as_posix()

    def find_pure_files(self):
        """The files of every parley_core(), and their headers."""
        pure = set()
        for folder in FOLDERS:
            for listing in (self.root / folder).rglob("CMakeLists.txt"):
                text = re.sub(r"#[^\n]*", "", listing.read_text(encoding="utf-8"))
                for arguments in re.findall(r"parley_core\s*\(([^)]*)\)", text):
                    for name in arguments.split()[1:]:
                        if name == "LINK":
                            break
                        path = (listing.parent / name).relative_to(self.root).as_posix()
                        pure |= {path, re.sub(r"\.c$", ".h", path)}
        return pure

    def resolve(self, path, name):
        """The file that an include of `name` in `path` means, or None when it is none of ours."""
        for candidate in (Path(name), Path(path).parent / name):
            if (self.root / candidate).is_file():
                return os.path.normpath(candidate)
        return None

    def includes(self, path):
        """(line, name as written, our own file or None)"""
        text = self.read(path)
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start(2)) + 1
            own = self.resolve(path, match.group(2)) if match.group(1) == '"' else None
            yield line, match.group(2), own

    def check_purity(self, path):
        for line, name, own in self.includes(path):
            if own is None and IO_HEADERS.match(name):
                self.fault(path, line, f"a pure core includes <{name}>")
            if own is None and path.endswith(".h") and name not in HEADER_LIBRARIES:
                self.fault(path, line, f"a pure core's header includes <{name}>")
            if own and own not in self.pure and self.has_impure_module(own):
                self.fault(path, line, f"a pure core includes {own}, which is in no pure core")
        code = without_comments_and_strings(self.read(path))
        for match in IMPURE_CALLS.finditer(code):
            line = code.count("\n", 0, match.start(1)) + 1
            self.fault(path, line, f"a pure core calls {match.group(1)}()")

    def has_impure_module(self, header):
        """A header alone (types, tables) is pure if its own includes are."""
        if header.endswith(".h") and (self.root / header).with_suffix(".c").is_file():
            return True
        return any(IO_HEADERS.match(name) for _, name, own in self.includes(header) if own is None)

    def allowed(self, path, own):
        folder = path.split("/")[0]
        if path.startswith("gateway/socketio/"):
            return own.startswith("gateway/socketio/") or own in BASE
        if folder == "proto":
            return own.startswith("proto/") or own in BASE
        if folder == "common":
            return own.split("/")[0] in ("common", "proto")
        return own.split("/")[0] in (folder, "common", "proto")

    def check_layers(self, path):
        for line, name, own in self.includes(path):
            if own and not self.allowed(path, own):
                self.fault(path, line, f"includes {own}, against the layers")

    def check(self):
        for path in self.sources():
            self.check_layers(path)
            if path in self.pure:
                self.check_purity(path)
        return self.faults


class SelfTest(unittest.TestCase):
    def faults(self, **changes):
        """The faults of a small right tree with these files changed; _ in a name stands for /."""
        files = {
            "proto/CMakeLists.txt": "parley_core(parley_proto envelope.c LINK parley_base)",
            "proto/envelope.c": '#include "proto/envelope.h"\n',
            "proto/envelope.h": '#include "common/str.h"\n',
            "common/CMakeLists.txt": "# parley_core(no log.c)\nparley_core(base str.c\n  ids.c LINK x)"
                                     "\nadd_library(io STATIC log.c)",
            "common/str.h": "#include <stddef.h>\n",
            "common/str.c": '#include "str.h"\n/* time( is money, rand() too */\n'
                            'int end_time(void); // clock()\nchar *s = "getenv(x)";\n',
            "common/ids.c": '#include <jansson.h>\n#include "common/types.h"\n',
            "common/types.h": "#include <stdint.h>\n",
            "common/log.h": "",
            "common/log.c": '#include <unistd.h>\n#include "proto/envelope.h"\nint x = time(0);\n',
            "gateway/main.c": '#include "gateway/socketio/sio.h"\n#include "common/log.h"\n',
            "gateway/socketio/sio.h": '#include "common/str.h"\n',
            "broker/main.c": "#include <uv.h>\n",
        }
        files.update({name.replace("__", "/") + ".c": text for name, text in changes.items()
                      if not name.endswith("_h")})
        files.update({name[:-2].replace("__", "/") + ".h": text for name, text in changes.items()
                      if name.endswith("_h")})
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return Tree(root).check()

    def test_right_tree(self):
        self.assertEqual(self.faults(), [])

    def test_io_library(self):
        for header in ("uv.h", "zmq.h", "sys/epoll.h", "libpq-fe.h", "unistd.h"):
            self.assertEqual(self.faults(common__ids=f"#include <{header}>\n"),
                             [f"common/ids.c:1: a pure core includes <{header}>"])

    def test_impure_calls(self):
        for call in ("time(0)", "rand()", "clock_gettime(0, 0)", "randombytes_buf(p, 1)",
                     'getenv ("A")'):
            name = re.match(r"\w+", call).group()
            self.assertEqual(self.faults(common__ids=f"\n\nint x = {call};\n"),
                             [f"common/ids.c:3: a pure core calls {name}()"])

    def test_impure_module(self):
        self.assertEqual(
            self.faults(common__ids='#include "common/log.h"\n'),
            ["common/ids.c:1: a pure core includes common/log.h, which is in no pure core"])
        self.assertEqual(
            self.faults(common__types_h="#include <uv.h>\n"),
            ["common/ids.c:2: a pure core includes common/types.h, which is in no pure core"])

    def test_header_library(self):
        self.assertEqual(self.faults(common__str_h="#include <jansson.h>\n"),
                         ["common/str.h:1: a pure core's header includes <jansson.h>"])

    def test_layers(self):
        cases = {
            "proto__envelope": "common/ids.c",
            "common__log": "broker/main.c",
            "broker__main": "gateway/main.c",
            "gateway__socketio__sio": "common/log.h",
        }
        for name, target in cases.items():
            path = name.replace("__", "/") + ".c"
            self.assertIn(f"{path}:1: includes {target}, against the layers",
                          self.faults(**{name: f'#include "{target}"\n'}))

    def test_relative_include(self):
        self.assertEqual(self.faults(broker__main='#include "../gateway/main.c"\n'),
                         ["broker/main.c:1: includes gateway/main.c, against the layers"])


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.argv.pop()
        unittest.main()
    tree = Tree(Path(__file__).resolve().parent.parent)
    faults = tree.check()
    for fault in faults:
        print(fault)
    if not tree.pure:
        faults.append("no pure core found")
    print(f"{len(tree.pure)} pure files, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
