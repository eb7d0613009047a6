#include "broker/broker_metrics.h"

static const char *const class_values[] = {
    [JOB_WRITE] = "write", [JOB_READ] = "read", [JOB_AUTH] = "auth", NULL};
static const char *const place_values[] = {
    [JOB_PLACE_QUEUED] = "queued", [JOB_PLACE_IN_FLIGHT] = "in_flight", NULL};
static const char *const outcome_values[] = {
    [JOB_OUTCOME_OK] = "ok",
    [JOB_OUTCOME_ERROR] = "error",
    [JOB_OUTCOME_EXPIRED] = "expired",
    [JOB_OUTCOME_REFUSED] = "refused",
    NULL,
};
static const char *const refusal_values[] = {
    [REFUSAL_FORBIDDEN] = "forbidden",
    [REFUSAL_INVALID] = "invalid_payload",
    [REFUSAL_UNAVAILABLE] = "unavailable",
    NULL,
};
static const char *const busy_values[] = {
#define X(NAME, name) [BUSY_##NAME] = (name),
    BROKER_BUSY_REASONS(X)
#undef X
        NULL,
};
static const char *const direction_values[] = {"sent", "received", NULL};
static const char *const bus_refused_values[] = {
    [BUS_REFUSED_FRAME] = "frame", [BUS_REFUSED_ENVELOPE] = "envelope", NULL};
const char *const broker_stranger_names[BUS_STRANGER_KINDS + 1] = {
    [BUS_STRANGER_SILENT] = "silent",
    [BUS_STRANGER_PROTOCOL] = "protocol",
    [BUS_STRANGER_KEY] = "key",
};

static const metrics_def_t defs[METRIC_COUNT] = {
    [METRIC_PEERS] = {METRICS_GAUGE,
                      "parley_broker_peers",
                      "Services with an open link.",
                      {{"role", peers_role_names}}},
    [METRIC_ROOMS] = {METRICS_GAUGE, "parley_broker_rooms", "Rooms with members or typing users."},
    [METRIC_MEMBERSHIPS] = {METRICS_GAUGE, "parley_broker_memberships", "Sockets in rooms."},
    [METRIC_JOBS] = {METRICS_GAUGE,
                     "parley_broker_jobs",
                     "Jobs that are not answered yet.",
                     {{"class", class_values}, {"state", place_values}}},
    [METRIC_JOBS_MAX] = {METRICS_GAUGE,
                         "parley_broker_jobs_max",
                         "The bound of parley_broker_jobs.",
                         {{"class", class_values}}},
    [METRIC_JOB_BYTES] = {METRICS_GAUGE,
                          "parley_broker_job_bytes",
                          "Memory that jobs take.",
                          {{"class", class_values}}},
    [METRIC_JOB_BYTES_MAX] = {METRICS_GAUGE,
                              "parley_broker_job_bytes_max",
                              "The bound of parley_broker_job_bytes.",
                              {{"class", class_values}}},
    [METRIC_JOBS_ENDED] = {METRICS_COUNTER,
                           "parley_broker_jobs_total",
                           "Jobs that have ended.",
                           {{"class", class_values}, {"outcome", outcome_values}}},
    [METRIC_JOB_SECONDS] = {METRICS_HISTOGRAM,
                            "parley_broker_job_seconds",
                            "From a request's arrival to its result.",
                            {{"class", class_values}},
                            metrics_latency_buckets},
    [METRIC_JOBS_REQUEUED] = {METRICS_COUNTER, "parley_broker_jobs_requeued_total",
                              "Jobs that were taken back from a worker that went."},
    [METRIC_FANOUTS] = {METRICS_COUNTER, "parley_broker_fanouts_total", "Events told to rooms."},
    [METRIC_FANOUT_ENVELOPES] = {METRICS_COUNTER, "parley_broker_fanout_envelopes_total",
                                 "Envelopes sent for them, one a gateway."},
    [METRIC_FACTS] = {METRICS_COUNTER, "parley_broker_facts_total",
                      "Committed facts that workers reported."},
    [METRIC_REQUESTS_REFUSED] = {METRICS_COUNTER,
                                 "parley_broker_requests_refused_total",
                                 "Requests that the broker itself answered with an error.",
                                 {{"code", refusal_values}}},
    [METRIC_UNAVAILABLE] = {METRICS_COUNTER,
                            "parley_broker_unavailable_total",
                            "Requests answered unavailable, by the bound that was reached.",
                            {{"reason", busy_values}}},
    [METRIC_HINTS_SHED] = {METRICS_COUNTER, "parley_broker_hints_shed_total",
                           "Typing events left out for gateways that are behind with reading."},
    [METRIC_REJOINS_REFUSED] = {METRICS_COUNTER, "parley_broker_rejoins_refused_total",
                                "Sockets that were no longer allowed in a room after a resync."},
    [METRIC_USERS_ONLINE] = {METRICS_GAUGE, "parley_broker_users_online", "Users with a socket."},
    [METRIC_WATCHES] = {METRICS_GAUGE, "parley_broker_presence_watches",
                        "Users whose presence gateways watch."},
    [METRIC_PRESENCE_OWED] = {METRICS_GAUGE, "parley_broker_presence_owed",
                              "Changes of presence held back while there is too much to do."},
    [METRIC_TYPING] = {METRICS_GAUGE, "parley_broker_typing", "Typing indicators."},
    [METRIC_GROUPS] = {METRICS_GAUGE, "parley_broker_groups", "Groups cached or being loaded."},
    [METRIC_GROUP_CACHE_BYTES] = {METRICS_GAUGE, "parley_broker_group_cache_bytes",
                                  "Memory that member lists take."},
    [METRIC_GROUP_WAITING] = {METRICS_GAUGE, "parley_broker_group_waiting",
                              "Requests that wait for a member list."},
    [METRIC_GROUP_WAITING_BYTES] = {METRICS_GAUGE, "parley_broker_group_waiting_bytes",
                                    "Memory that they take."},
    [METRIC_REJOIN_HELD_BYTES] = {METRICS_GAUGE, "parley_broker_rejoin_held_bytes",
                                  "Memory of messages that wait for members to be checked again."},
    [METRIC_LAST_SEEN_WAITING] = {METRICS_GAUGE, "parley_broker_last_seen_waiting",
                                  "Users whose time last seen waits to be stored."},
    [METRIC_LAST_SEEN_LOST] = {METRICS_COUNTER, "parley_broker_last_seen_lost_total",
                               "Users, and batches of users, whose time last seen was not stored."},
    [METRIC_USER_EVENTS] = {METRICS_GAUGE, "parley_broker_user_events",
                            "Additions and removals kept for gateways that come back."},
    [METRIC_USER_EVENTS_UNKEPT] = {METRICS_COUNTER, "parley_broker_user_events_unkept_total",
                                   "Those told once only, as too many were kept."},
    [METRIC_BUS_ENVELOPES] = {METRICS_COUNTER,
                              "parley_broker_bus_envelopes_total",
                              "Envelopes on all links.",
                              {{"direction", direction_values}}},
    [METRIC_BUS_UNREAD_BYTES] = {METRICS_GAUGE,
                                 "parley_broker_bus_unread_bytes",
                                 "Sent to the peer of this role that is furthest behind with "
                                 "reading, and not read.",
                                 {{"role", peers_role_names}}},
    [METRIC_BUS_RESYNCS] = {METRICS_COUNTER, "parley_broker_bus_resyncs_total",
                            "Times a link was lost."},
    [METRIC_BUS_DROPPED] = {METRICS_COUNTER, "parley_broker_bus_dropped_total",
                            "Envelopes of unknown peers, out of count or for another life."},
    [METRIC_BUS_REFUSED] = {METRICS_COUNTER,
                            "parley_broker_bus_refused_total",
                            "What peers sent that makes no sense.",
                            {{"what", bus_refused_values}}},
    [METRIC_BUS_SEND_FAILED] = {METRICS_COUNTER, "parley_broker_bus_send_failed_total",
                                "Envelopes that could not be sent, which ends the peer's link."},
    [METRIC_BUS_STRANGERS] = {METRICS_COUNTER,
                              "parley_broker_bus_strangers_total",
                              "Connections that were closed before anything on them was heard.",
                              {{"reason", broker_stranger_names}}},
};

metrics_t *broker_metrics_new(const broker_core_config_t *config) {
    metrics_t *self = metrics_new(defs, METRIC_COUNT);
    for (size_t i = 0; i < JOB_CLASSES; i++) {
        metrics_set(self, METRIC_JOBS_MAX, i, (double)config->jobs.classes[i].max_jobs);
        metrics_set(self, METRIC_JOB_BYTES_MAX, i, (double)config->jobs.classes[i].max_bytes);
    }
    return self;
}

static void set(metrics_t *self, broker_metric_t id, size_t series, uint64_t value) {
    metrics_set(self, id, series, (double)value);
}

static void collect_jobs(metrics_t *self, const jobs_t *jobs) {
    for (job_class_t each = 0; each < JOB_CLASSES; each++) {
        job_class_gauges_t gauges = jobs_gauges(jobs, each);
        set(self, METRIC_JOBS, metrics_series(self, METRIC_JOBS, each, JOB_PLACE_QUEUED),
            gauges.jobs - gauges.in_flight);
        set(self, METRIC_JOBS, metrics_series(self, METRIC_JOBS, each, JOB_PLACE_IN_FLIGHT),
            gauges.in_flight);
        set(self, METRIC_JOB_BYTES, each, gauges.bytes);
    }
    set(self, METRIC_JOBS_REQUEUED, 0, jobs_requeued(jobs));
}

static void collect_stats(metrics_t *self, const broker_core_stats_t *stats) {
    set(self, METRIC_FANOUTS, 0, stats->fanouts);
    set(self, METRIC_FANOUT_ENVELOPES, 0, stats->fanout_envelopes);
    set(self, METRIC_FACTS, 0, stats->facts);
    set(self, METRIC_REQUESTS_REFUSED, REFUSAL_FORBIDDEN, stats->rights_refused);
    set(self, METRIC_REQUESTS_REFUSED, REFUSAL_INVALID, stats->invalid);
    uint64_t unavailable = 0;
    for (size_t i = 0; i < BUSY_REASONS; i++) {
        unavailable += stats->unavailable[i];
        set(self, METRIC_UNAVAILABLE, i, stats->unavailable[i]);
    }
    set(self, METRIC_REQUESTS_REFUSED, REFUSAL_UNAVAILABLE, unavailable);
    set(self, METRIC_HINTS_SHED, 0, stats->hints_shed);
    set(self, METRIC_REJOINS_REFUSED, 0, stats->rejoins_refused);
}

static void collect_bus(metrics_t *self, const broker_bus_figures_t *bus) {
    set(self, METRIC_BUS_ENVELOPES, 0, bus->stats.sent);
    set(self, METRIC_BUS_ENVELOPES, 1, bus->stats.received);
    set(self, METRIC_BUS_RESYNCS, 0, bus->stats.resyncs);
    set(self, METRIC_BUS_DROPPED, 0, bus->stats.dropped);
    for (size_t i = 0; i < PEER_ROLES; i++)
        set(self, METRIC_BUS_UNREAD_BYTES, i, bus->unread_bytes[i]);
}

void broker_metrics_collect(metrics_t *self, const broker_core_t *core,
                            const broker_bus_figures_t *bus) {
    const rights_t *rights = broker_core_rights(core);
    const presence_t *presence = broker_core_presence(core);
    for (size_t i = 0; i < PEER_ROLES; i++)
        set(self, METRIC_PEERS, i, peers_count(broker_core_peers(core), i));
    set(self, METRIC_ROOMS, 0, rooms_count(broker_core_rooms(core)));
    set(self, METRIC_MEMBERSHIPS, 0, rooms_memberships(broker_core_rooms(core)));
    set(self, METRIC_USERS_ONLINE, 0, presence_online(presence));
    set(self, METRIC_WATCHES, 0, presence_watches(presence));
    set(self, METRIC_PRESENCE_OWED, 0, presence_owed(presence));
    set(self, METRIC_REJOIN_HELD_BYTES, 0, broker_core_held_bytes(core));
    set(self, METRIC_LAST_SEEN_WAITING, 0, presence_unwritten(presence));
    set(self, METRIC_LAST_SEEN_LOST, 0,
        presence_dropped(presence) + broker_core_stats(core)->last_seen_lost);
    set(self, METRIC_USER_EVENTS, 0, user_events_count(broker_core_user_events(core)));
    set(self, METRIC_USER_EVENTS_UNKEPT, 0, user_events_unkept(broker_core_user_events(core)));
    set(self, METRIC_TYPING, 0, typing_count(broker_core_typing(core)));
    set(self, METRIC_GROUPS, 0, rights_groups(rights));
    set(self, METRIC_GROUP_CACHE_BYTES, 0, rights_cache_bytes(rights));
    set(self, METRIC_GROUP_WAITING, 0, rights_waiting(rights));
    set(self, METRIC_GROUP_WAITING_BYTES, 0, rights_waiting_bytes(rights));
    collect_jobs(self, broker_core_jobs(core));
    collect_stats(self, broker_core_stats(core));
    collect_bus(self, bus);
}
