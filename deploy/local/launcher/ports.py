"""Every port is PORT plus a fixed offset: two instances with PORTs 100 apart run side by side."""

# How many instances of one service there can be: each table's steps are this far apart.
COUNT_MAX = 10

# The highest offset is below this.
SPAN = 100

# Offsets from PORT: what clients connect to, and what is asked for /ready and /metrics.
LISTEN_OFFSET = {"gateway": 10, "rest": 20}
ADMIN_OFFSET = {
    "gateway": 30,
    "broker": 40,
    "persist-worker": 50,
    "auth-worker": 60,
    "rest": 70,
    "edge": 80,
}


def slots(settings, service):
    """(name, listen port, admin port) of every instance that `scale` could ever start."""
    listen = settings.port + LISTEN_OFFSET[service]
    admin = settings.port + ADMIN_OFFSET[service]
    return [(f"{service}-{i + 1}", listen + i, admin + i) for i in range(COUNT_MAX)]
