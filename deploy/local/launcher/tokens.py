"""Signs JSON Web Tokens (RFC 7519, HS256) with the instance's JWT_SECRET."""

import base64
import hashlib
import hmac
import json
import re
import time

from launcher.console import Failure

USER_ID = re.compile(r"[A-Za-z0-9.@|:-]{1,64}")
UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def read_ttl(text):
    """Seconds of 900, 90s, 15m, 12h or 7d."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", text)
    if not match:
        raise Failure(f"--ttl {text}: takes seconds, or a number with s, m, h or d")
    return int(match[1]) * UNIT_SECONDS[match[2]]


def encode(part):
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def sign(secret, user, ttl_seconds, name=None, role=None):
    if not USER_ID.fullmatch(user):
        raise Failure(f"user id {user!r}: takes 1 to 64 characters of A-Z a-z 0-9 . @ | : -")
    now = int(time.time())
    claims = {"userId": user, "iat": now, "exp": now + ttl_seconds}
    if name:
        claims["name"] = name
    if role:
        claims["role"] = role
    head, body = (encode(json.dumps(part, separators=(",", ":")).encode())
                  for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    signed = head + b"." + body
    mac = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + encode(mac)).decode()
