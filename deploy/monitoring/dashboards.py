#!/usr/bin/env python3
"""Writes the Grafana dashboards in dashboards/ from the tables below.

    deploy/monitoring/dashboards.py          writes them
    deploy/monitoring/dashboards.py --check  exits 1 if one isn't as it would be written
"""

import json
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "dashboards"
COLUMNS, WIDTH, HEIGHT = 3, 8, 8

RATE = "[$__rate_interval]"


def rate(metric, by="", where=""):
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{where}{RATE}))"


def quantiles(metric, where=""):
    """The median and the 99th percentile of a histogram over all instances."""
    return [(f"histogram_quantile({q}, sum by (le) (rate({metric}_bucket{where}{RATE})))", text)
            for q, text in ((0.5, "median"), (0.99, "99 %"))]


def share(used, limit, by):
    return f"sum by ({by}) ({used}) / sum by ({by}) ({limit})"


def lag(job):
    return (f'histogram_quantile(0.99, sum by (le, instance) '
            f'(rate(parley_event_loop_lag_seconds_bucket{{job="{job}"}}{RATE})))')


# Title, unit, queries as (expression, legend).
OVERVIEW = [
    ("Instances that answer", "short", [("sum by (job) (up)", "{{job}}")]),
    ("Clients connected", "short", [("sum by (instance) (parley_gateway_sessions)", "{{instance}}")]),
    ("Users online", "short", [("sum(parley_broker_users_online)", "users")]),
    ("Messages a second", "ops", [
        (rate("parley_gateway_answers_total", where='{event="send_message",code="ok"}'), "acknowledged"),
        (rate("parley_gateway_events_out_total", where='{event="new_message"}'), "to sockets")]),
    ("Send to acknowledgement", "s", quantiles("parley_gateway_send_seconds")),
    ("Commit to delivery", "s", quantiles("parley_gateway_deliver_seconds")),
    ("Answers that are errors", "ops", [
        (rate("parley_gateway_answers_total", "code", '{code!="ok"}'), "{{code}}")]),
    ("HTTP requests", "ops", [(rate("parley_rest_requests_total", "status"), "{{status}}")]),
    ("HTTP time", "s", quantiles("parley_rest_request_seconds")),
    ("Links to brokers", "short", [
        ('sum by (job) (parley_bus_links{state="down"})', "{{job}} down"),
        (f"sum by (job) (increase(parley_bus_resyncs_total{RATE}))", "{{job}} lost")]),
    ("How full queues are", "percentunit", [
        (share("parley_broker_job_bytes", "parley_broker_job_bytes_max", "class"), "broker, {{class}}"),
        (share("parley_persist_queue_bytes", "parley_persist_queue_bytes_limit", "class"),
         "persist-worker, {{class}}"),
        (share("parley_bus_pending_bytes", "parley_bus_pending_bytes_limit", "job"),
         "{{job}} to brokers")]),
    ("CPU", "percentunit", [(rate("process_cpu_seconds_total", "job, instance"), "{{job}} {{instance}}")]),
    ("Memory", "bytes", [
        ("sum by (job, instance) (process_resident_memory_bytes)", "{{job}} {{instance}}")]),
    ("Versions", "short", [("count by (job, version) (parley_build_info)", "{{job}} {{version}}")]),
    ("Edge: requests", "ops", [
        (rate("haproxy_frontend_http_responses_total", "code", '{proxy="clients"}'), "{{code}}")]),
]

GATEWAY = [
    ("Connections", "short", [
        ("sum by (instance, transport) (parley_gateway_connections)", "{{instance}} {{transport}}")]),
    ("How full gateways are", "percentunit", [
        (share("parley_gateway_connections", "parley_gateway_connections_limit", "instance"),
         "{{instance}}")]),
    ("Asked to be let in", "ops", [(rate("parley_gateway_connects_total", "outcome"), "{{outcome}}")]),
    ("Connections ended", "ops", [
        (rate("parley_gateway_connection_closes_total", "reason"), "{{reason}}")]),
    ("Closed by the gateway", "ops", [(rate("parley_gateway_closes_total", "reason"), "{{reason}}")]),
    ("Over a limit", "ops", [
        (rate("parley_gateway_rate_limited_total", "event"), "{{event}}"),
        (rate("parley_gateway_connections_limited_total", "limit"), "connections by {{limit}}")]),
    ("Events in", "ops", [(rate("parley_gateway_events_in_total", "event"), "{{event}}")]),
    ("Events out", "ops", [(rate("parley_gateway_events_out_total", "event"), "{{event}}")]),
    ("Answers that are errors", "ops", [
        (rate("parley_gateway_answers_total", "event, code", '{code!="ok"}'), "{{event}} {{code}}")]),
    ("Send to acknowledgement", "s", quantiles("parley_gateway_send_seconds")),
    ("Join to acknowledgement", "s", quantiles("parley_gateway_join_seconds")),
    ("Commit to delivery", "s", quantiles("parley_gateway_deliver_seconds")),
    ("Bytes of packets", "Bps", [(rate("parley_gateway_bytes_total", "direction"), "{{direction}}")]),
    ("Waiting for clients", "bytes", [
        ("sum by (instance) (parley_gateway_queued_bytes)", "{{instance}}")]),
    ("Gaps filled from the database", "ops", [
        (rate("parley_gateway_gap_fetches_total", "outcome"), "{{outcome}}")]),
    ("Conversations and memberships", "short", [
        ("sum(parley_gateway_rooms)", "conversations"),
        ("sum(parley_gateway_memberships)", "memberships")]),
    ("Events not answered yet", "short", [
        ("sum by (instance) (parley_gateway_requests_pending)", "{{instance}}")]),
    ("Event loop lag, 99 %", "s", [(lag("gateway"), "{{instance}}")]),
]

BROKER = [
    ("Peers", "short", [("sum by (instance, role) (parley_broker_peers)", "{{instance}} {{role}}")]),
    ("Rooms", "short", [("sum by (instance) (parley_broker_rooms)", "{{instance}}")]),
    ("Memberships", "short", [("sum by (instance) (parley_broker_memberships)", "{{instance}}")]),
    ("Jobs by outcome", "ops", [
        (rate("parley_broker_jobs_total", "class, outcome"), "{{class}} {{outcome}}")]),
    ("Time of write jobs", "s", quantiles("parley_broker_job_seconds", '{class="write"}')),
    ("Time of read jobs", "s", quantiles("parley_broker_job_seconds", '{class="read"}')),
    ("Jobs that wait or run", "short", [
        ("sum by (class, state) (parley_broker_jobs)", "{{class}} {{state}}")]),
    ("How full job queues are", "percentunit", [
        (share("parley_broker_job_bytes", "parley_broker_job_bytes_max", "instance, class"),
         "{{instance}} {{class}}, bytes"),
        (share("parley_broker_jobs", "parley_broker_jobs_max", "instance, class"),
         "{{instance}} {{class}}, jobs")]),
    ("Jobs taken back from workers", "ops", [
        (rate("parley_broker_jobs_requeued_total", "instance"), "{{instance}}")]),
    ("Fan-out", "ops", [
        (rate("parley_broker_fanouts_total"), "events"),
        (rate("parley_broker_fanout_envelopes_total"), "envelopes")]),
    ("Refused requests", "ops", [
        (rate("parley_broker_requests_refused_total", "code"), "{{code}}")]),
    ("Envelopes", "ops", [
        (rate("parley_broker_bus_envelopes_total", "instance, direction"),
         "{{instance}} {{direction}}")]),
    ("Unread by the slowest peer", "bytes", [
        ("max by (instance, role) (parley_broker_bus_unread_bytes)", "{{instance}} {{role}}")]),
    ("Links lost", "short", [
        (f"sum by (instance) (increase(parley_broker_bus_resyncs_total{RATE}))", "{{instance}}")]),
    ("Requests sent again, by services", "ops", [
        (rate("parley_bus_resent_total", "job"), "{{job}} again"),
        (rate("parley_bus_timeouts_total", "job"), "{{job}} not answered")]),
    ("Presence and typing", "short", [
        ("sum(parley_broker_users_online)", "users online"),
        ("sum(parley_broker_presence_watches)", "watched users"),
        ("sum(parley_broker_typing)", "typing")]),
    ("Group cache", "bytes", [
        ("sum by (instance) (parley_broker_group_cache_bytes)", "{{instance}}")]),
    ("Event loop lag, 99 %", "s", [(lag("broker"), "{{instance}}")]),
]

STORAGE = [
    ("Transactions", "ops", [
        (rate("parley_persist_transactions_total", "class, outcome"), "{{class}} {{outcome}}")]),
    ("Writes in one transaction", "short", [
        (f"sum(rate(parley_persist_batch_rows_sum{RATE})) / sum(rate(parley_persist_batch_rows_count{RATE}))",
         "mean"),
        (f"histogram_quantile(0.99, sum by (le) (rate(parley_persist_batch_rows_bucket{RATE})))", "99 %")]),
    ("Time of a writing transaction", "s", quantiles("parley_persist_batch_seconds")),
    ("A write's arrival to its commit", "s", quantiles("parley_persist_write_seconds")),
    ("Time of reads, 99 %", "s", [
        (f"histogram_quantile(0.99, sum by (le, kind) (rate(parley_persist_read_seconds_bucket{RATE})))",
         "{{kind}}")]),
    ("Jobs by code", "ops", [(rate("parley_persist_jobs_total", "class, code"), "{{class}} {{code}}")]),
    ("Queues", "short", [
        ("sum by (instance, class) (parley_persist_queue_jobs)", "{{instance}} {{class}}")]),
    ("How full queues are", "percentunit", [
        (share("parley_persist_queue_bytes", "parley_persist_queue_bytes_limit", "instance, class"),
         "{{instance}} {{class}}")]),
    ("Batches tried again", "ops", [
        (rate("parley_persist_batch_retries_total", "reason"), "{{reason}}")]),
    ("Connections to PostgreSQL", "short", [
        ("sum by (instance, class) (parley_persist_database_connections)", "{{instance}} {{class}}"),
        ("sum by (instance) (parley_auth_database_up)", "{{instance}}")]),
    ("Facts not confirmed", "short", [
        ("sum by (instance) (parley_persist_facts_pending)", "{{instance}}")]),
    ("Facts and hints lost", "short", [
        (f"sum(increase(parley_persist_facts_lost_total{RATE}))", "facts"),
        (f"sum(increase(parley_persist_updates_dropped_total{RATE}))", "hints")]),
    ("Messages sent twice", "ops", [(rate("parley_persist_duplicates_total"), "found stored")]),
    ("Tokens checked", "ops", [(rate("parley_auth_verifications_total", "result"), "{{result}}")]),
    ("Logins, registrations, refreshes", "ops", [
        (rate("parley_auth_requests_total", "request, code"), "{{request}} {{code}}")]),
    ("Time of a password", "s", quantiles("parley_auth_password_seconds")),
    ("Time of auth-workers' statements", "s", quantiles("parley_auth_statement_seconds")),
    ("Event loop lag, 99 %", "s", [(lag("persist-worker"), "{{instance}}")]),
]

DASHBOARDS = {"overview": OVERVIEW, "gateway": GATEWAY, "broker": BROKER, "storage": STORAGE}
SOURCE = {"type": "prometheus", "uid": "${source}"}


def panel(number, title, unit, queries):
    row, column = divmod(number, COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"},
                    "tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [{"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": expression,
                     "legendFormat": legend} for i, (expression, legend) in enumerate(queries)],
    }


def dashboard(name, rows):
    return {
        "uid": f"parley-{name}",
        "title": f"Parley: {name}",
        "tags": ["parley"],
        "schemaVersion": 38,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [{"name": "source", "label": "Prometheus", "type": "datasource",
                                 "query": "prometheus"}]},
        "links": [{"type": "dashboards", "tags": ["parley"], "title": "Parley", "asDropdown": True,
                   "includeVars": True, "keepTime": True}],
        "panels": [panel(i, *row) for i, row in enumerate(rows)],
    }


def main():
    stale = []
    for name, rows in DASHBOARDS.items():
        path = FOLDER / f"{name}.json"
        text = json.dumps(dashboard(name, rows), indent=1, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
    if stale:
        sys.exit(f"not as deploy/monitoring/dashboards.py writes them: {', '.join(stale)}")


main()
