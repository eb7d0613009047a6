"""The commands of `./parley`."""

import argparse
import os
import signal
import sys
from pathlib import Path

from launcher import (backups, benchmark, build, demo, logs, packages, plan, ports, report, testing, tokens,
                      traces)
from launcher.console import Failure, Step, say
from launcher.settings import ROOT, Settings
from launcher.system import System

SUMMARY = "Runs Parley on this machine, and its tests."

NOTES = """\
Settings come from the environment, else from a file .env beside ./parley:
  PORT          where everything is reached (default 5000); the next hundred ports belong to it too
  BIND          addresses to listen on there (default 127.0.0.1,::1; 0.0.0.0 opens it to all)
  PARLEY_HOME   database, logs, sockets, keys (default var/); another one is another instance
  DATABASE_URL  a PostgreSQL to use instead of a private one
  JWT_SECRET    signs and checks tokens (default: made once and kept in PARLEY_HOME)
  RECOVERY_KEY  lets every gateway recover the others' sessions (default: likewise)
  FRONTEND_URL, RATE_LIMIT, REGISTRATION, LOG_LEVEL and every other variable that a service
                names in its --help (build/release/gateway/parley-gateway --help)
  PARLEY_BUILD_DIR  run the programs of this build directory as they are, and build nothing
"""

EXIT_NOT_RUNNING = 3
LOG_LINES = 50
IMPORT = ROOT / "deploy/database/import"


def command_up(settings, options):
    packages.ensure_debian("build", "run")
    system = System(settings)
    with system.lock():
        if settings.builds:
            build.build_services()
            build.build_page()
        instances, was_running = system.start_or_change()
    links = demo.links(instances, signing_secret(system))
    print(report.welcome(instances, was_running, links), flush=True)
    if options.detach:
        return 0
    say("The logs follow; Ctrl-C stops everything.")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        logs.show(system.supervisor.logs, [i.name for i in instances], 0, system.is_running)
    finally:
        stop(system)
    return 0


def stop(system):
    if not system.settings.home.exists():
        say("nothing was running")
        return
    with system.lock(), Step("Stopping") as step:
        step.result = "stopped" if system.stop() else "nothing was running"


def command_down(settings, _options):
    stop(System(settings))
    return 0


def command_status(settings, options):
    return 0 if report.status(System(settings), options.json) else EXIT_NOT_RUNNING


def chosen(system, word):
    """The instances that this name of a service or an instance means."""
    instances = system.saved_plan()
    found = [instance for instance in instances if word in (instance.name, instance.service)]
    if not found:
        known = sorted({name for i in instances for name in (i.name, i.service)})
        raise Failure(f"no service or instance {word!r}"
                      + (f"; there are {', '.join(known)}" if known else "; start: ./parley up"))
    return found


def show_trace(system, options):
    lines = sys.stdin if options.service == "-" else logs.all_lines(system.supervisor.logs)
    found = traces.find(lines, options.trace)
    if not found:
        raise Failure(f"no step of trace {options.trace} in the logs; docs/operations.md, Traces, "
                      "says which traces are logged")
    print("\n".join(traces.report(found)))
    return 0


def command_logs(settings, options):
    system = System(settings)
    if options.trace:
        return show_trace(system, options)
    found = chosen(system, options.service) if options.service else system.saved_plan()
    logs.show(system.supervisor.logs, [instance.name for instance in found], options.lines,
              lambda: options.follow)
    return 0


def command_restart(settings, options):
    system = System(settings)
    with system.lock():
        require_running(system)
        for instance in chosen(system, options.service):
            system.restart(instance)
    return 0


def require_running(system):
    if not system.is_running():
        raise Failure("not running; start it: ./parley up -d")


def command_scale(settings, options):
    system = System(settings.as_started())
    with system.lock():
        counts = plan.read_counts(settings)
        for word in options.counts:
            service, _, number = word.partition("=")
            if service not in counts or not number.isdecimal() or not (
                    1 <= int(number) <= ports.COUNT_MAX):
                raise Failure(f"{word!r}: takes SERVICE=N, SERVICE one of {', '.join(counts)}, "
                              f"N from 1 to {ports.COUNT_MAX}")
            if service == "broker" and counts[service] != int(number) and system.is_running():
                say("Every service knows the list of brokers: all of them are restarted.")
            counts[service] = int(number)
        plan.write_counts(settings, counts)
        if system.is_running():
            system.start_or_change()
        else:
            say("Not running: this counts from the next ./parley up.")
    return 0


def signing_secret(system):
    """What the running auth-workers check tokens with; before the first start, what they will."""
    return (system.supervisor.variable("JWT_SECRET", "auth-worker-1")
            or system.settings.jwt_secret())


def command_token(settings, options):
    secret = settings.get("JWT_SECRET") if "JWT_SECRET" in os.environ else None
    print(tokens.sign(secret or signing_secret(System(settings)), options.user,
                      tokens.read_ttl(options.ttl), options.name, options.role))
    return 0


def command_keygen(settings, options):
    if settings.builds:
        packages.ensure_debian("build", "run")
        build.build_services()
    keygen = settings.build_dir / "keygen/parley-keygen"
    os.execv(keygen, [str(keygen), os.path.abspath(options.directory)])


def database_url(system):
    """What the persist-workers use, or would use."""
    url = (system.supervisor.variable("DATABASE_URL", "persist-worker-1")
           or system.settings.get("DATABASE_URL"))
    if not url:
        raise Failure("there is no database yet; start with ./parley up -d")
    return url


def command_backup(settings, options):
    system = System(settings)
    require_running(system)
    backups.backup(database_url(system), Path(options.file))
    return 0


def command_restore(settings, options):
    system = System(settings)
    with system.lock():
        require_running(system)
        backups.Restore(system, database_url(system), options.file).run()
    return 0


def command_import(settings, options):
    url = database_url(System(settings))
    arguments = (["--dry-run"] if options.dry_run else []) + [options.file]
    os.execve(IMPORT, [str(IMPORT), *arguments], {**os.environ, "DATABASE_URL": url})


def command_psql(settings, options):
    url = database_url(System(settings))
    os.execvp("psql", ["psql", url, *options.arguments])


def command_test(_settings, options):
    return testing.run(options.part)


def command_bench(_settings, options):
    return benchmark.run(options.arguments)


def parser():
    top = argparse.ArgumentParser(prog="./parley", description=SUMMARY, epilog=NOTES,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    def add(name, run, text):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    up = add("up", command_up, "install what is missing, build, start everything, wait until ready")
    up.add_argument("-d", "--detach", action="store_true", help="return once all are ready")
    add("down", command_down, "stop everything")
    status = add("status", command_status, "show what runs; exit code 3 unless all are ready")
    status.add_argument("--json", action="store_true")
    show = add("logs", command_logs, "show the logs of all, of a service or of an instance")
    show.add_argument("service", nargs="?")
    show.add_argument("--trace", metavar="ID",
                      help="one message's way over all services: a trace id, a traceparent, or the "
                           "trace of a connection; reads standard input with - as SERVICE")
    show.add_argument("-f", "--follow", action="store_true", help="go on with what is added")
    show.add_argument("-n", "--lines", type=int, default=LOG_LINES, help="of each (default 50)")
    restart = add("restart", command_restart, "restart a service or an instance, one after another")
    restart.add_argument("service", metavar="SERVICE[-N]")
    scale = add("scale", command_scale, "change how many of a service run; remembered")
    scale.add_argument("counts", nargs="+", metavar="SERVICE=N")
    token = add("token", command_token, "print a token that signs USER in")
    token.add_argument("user", metavar="USER")
    token.add_argument("--name", help="shown to others")
    token.add_argument("--role", help="customer, photographer, service, …")
    token.add_argument("--ttl", default="12h", help="life time: seconds, or 15m, 12h, 7d")
    keygen = add("keygen", command_keygen,
                 "make the keys of the links between services of a deployment, for BUS_KEYS")
    keygen.add_argument("directory", metavar="DIRECTORY")
    add("psql", command_psql, "open the database; arguments go to psql")
    backup = add("backup", command_backup, "write the database to FILE, while everything runs")
    backup.add_argument("file", metavar="FILE")
    restore = add("restore", command_restore,
                  "replace the database by a backup; the one before is kept under another name")
    restore.add_argument("file", metavar="FILE")
    imports = add("import", command_import, "take over users and messages of another chat")
    imports.add_argument("--dry-run", action="store_true", help="check all, keep nothing")
    imports.add_argument("file", metavar="FILE", help="a JSON object a line; docs/operations.md")
    test = add("test", command_test, "install what tests need, build, run the tests or one part")
    test.add_argument("part", nargs="?", choices=list(testing.PARTS), metavar="PART",
                      help=", ".join(testing.PARTS))
    add("bench", command_bench, "measure Parley beside its peers, in some minutes; --full: with plots, "
        "longer; arguments go to tests/load/bench/bench.mjs")
    add("help", lambda *_: top.print_help() or 0, "show this text")
    return top


def main(arguments):
    if arguments[:1] == ["psql"]:  # argparse would take psql's own options for ours
        options = argparse.Namespace(run=command_psql, arguments=arguments[1:])
    elif arguments[:1] == ["bench"]:
        options = argparse.Namespace(run=command_bench, arguments=arguments[1:])
    else:
        options = parser().parse_args(arguments or ["help"])
    try:
        return options.run(Settings(), options)
    except Failure as failure:
        say(f"parley: {failure}")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a folder that may not be written to
        say(f"parley: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        return 1
