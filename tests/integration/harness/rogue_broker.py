#!/usr/bin/python3
"""A ROUTER that answers everything with garbage: random bytes, cut and bent copies of what came, and
replies of each type with a body that isn't theirs. Prints `NAME heard` when a peer says its first
word, `NAME done` when it has had enough.

    rogue_broker.py ENDPOINT [KEY]

KEY: a file with the secret key that it has, `broker Z85`; `new`: one of its own; without: none."""

import random
import struct
import sys
from pathlib import Path

import zmq

FRAMES_EACH = 3000


def garbage(rng, received):
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randrange(300))
    frame = bytearray(received)
    if kind == 1:
        return bytes(frame[: rng.randrange(len(frame))])
    if kind == 2:
        for _ in range(rng.randrange(1, 8)):
            frame[rng.randrange(len(frame))] = rng.randrange(256)
        return bytes(frame)
    # A head that could be right, of any type, with any body.
    struct.pack_into("<BBHI", frame, 0, 1, rng.randrange(2), rng.randrange(90), rng.randrange(5))
    return bytes(frame[:56]) + rng.randbytes(rng.randrange(64))


def secret_key(word):
    if word == "new":
        return zmq.curve_keypair()[1]
    lines = Path(word).read_text(encoding="ascii").splitlines()
    return next(line.split()[1] for line in lines if not line.startswith("#")).encode()


def main():
    socket = zmq.Context().socket(zmq.ROUTER)
    if len(sys.argv) > 2:
        socket.curve_server = True
        socket.curve_secretkey = secret_key(sys.argv[2])
    socket.bind(sys.argv[1])
    rng = random.Random(1)
    sent = {}
    while True:
        peer, frame = socket.recv_multipart()[:2]
        name = peer.split(b"/")[0].decode()
        if name not in sent:
            print(name, "heard", flush=True)
        if sent.get(name, 0) < FRAMES_EACH:
            for _ in range(500):
                socket.send_multipart([peer, garbage(rng, frame)])
            sent[name] = sent.get(name, 0) + 500
        elif sent[name] == FRAMES_EACH:
            sent[name] += 1
            print(name, "done", flush=True)


main()
