"""Two links that open the page as a demo customer and a demo photographer, in one conversation."""

import http.client
import json

from launcher import tokens
from launcher.console import warn

TOKEN_SECONDS = 3600  # short: links get copied; the page renews its token while it is open
SERVICE_TOKEN_SECONDS = 60
REQUEST_SECONDS = 10

USERS = {"demo-customer": "customer", "demo-photographer": "photographer"}
CONVERSATION = "conv_demo-customer_demo-photographer"


def name_of(role):
    return f"Demo {role}"


def put_users(address, secret):
    """Makes both known, as a back end of their own would. Raises when rest does not accept it."""
    token = tokens.sign(secret, "demo-service", SERVICE_TOKEN_SECONDS, role="service")
    for user, role in USERS.items():
        connection = http.client.HTTPConnection(address, timeout=REQUEST_SECONDS)
        try:
            connection.request("PUT", f"/users/{user}",
                               json.dumps({"name": name_of(role), "role": role}),
                               {"Authorization": f"Bearer {token}",
                                "Content-Type": "application/json"})
            status = connection.getresponse().status
        finally:
            connection.close()
        if status != 200:
            raise OSError(f"HTTP {status}")


def links(instances, secret):
    """Role => link; none without a page. The token is in the fragment: no server gets to see it."""
    rest = next((i for i in instances if i.service == "rest"), None)
    edge = next((i for i in instances if i.service == "edge"), None)
    if not rest or not edge or "WEB_ROOT" not in rest.environment:
        return {}
    try:
        put_users(rest.environment["LISTEN"], secret)
    except (OSError, http.client.HTTPException) as error:
        warn(f"no demo links: {error}")
        return {}
    return {role: f"{edge.url}/app/conversations/{CONVERSATION}#token="
                  + tokens.sign(secret, user, TOKEN_SECONDS, name_of(role), role)
            for user, role in USERS.items()}
