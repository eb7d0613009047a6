"""The local launcher: runs the whole of Parley on one machine, and its tests.

Reading order: cli (the commands), settings (what the environment says), plan (which processes, with
which ports and variables), system (start, change, stop), runit (the supervisor), then the rest.
Python's standard library only.
"""
