"""Entry point of `./parley`: the commands are in launcher/cli.py."""

import sys

from launcher import cli

sys.exit(cli.main(sys.argv[1:]))
