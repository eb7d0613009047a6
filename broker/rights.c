#include "broker/rights.h"

#include <utlist.h>

#include "broker/envelope_copy.h"
#include "broker/members.h"
#include "common/ids.h"
#include "common/siphash.h"

/* A request that waits for a member list. */
typedef struct waiter {
    peer_t *peer;
    envelope_t *request; /* owned */
    bool fresh;          /* wants a fresh load, not a decision on its user */
    int64_t since_ms;
    uint64_t min_load; /* the first load that was asked for after it came */
    struct waiter *prev, *next;
} waiter_t;

/* One group: cached, loading, or both. */
typedef struct group {
    UT_hash_handle hh;  /* room => group */
    members_t *members; /* NULL: not cached */
    uint64_t version;
    bool is_loading;
    bool is_outdated; /* a change was heard of while loading: the load will be thrown away */
    uint64_t load;    /* number of the latest load */
    waiter_t *waiters;
    size_t waiter_count;
    struct group *prev, *next; /* self->idle, when cached and not loading */
    uint8_t name_bytes;
    char name[];
} group_t;

struct rights {
    rights_limits_t limits;
    const rights_ops_t *ops;
    void *ctx;
    group_t *by_room; /* room => group */
    group_t *idle;    /* least recently used first: these may be dropped */
    size_t cache_bytes;
    size_t waiting;
    size_t waiting_bytes;
    uint64_t loads;
};

rights_t *rights_new(const rights_limits_t *limits, const rights_ops_t *ops, void *ctx) {
    rights_t *self = xcalloc(1, sizeof(*self));
    self->limits = *limits;
    self->ops = ops;
    self->ctx = ctx;
    return self;
}

/* ---- groups ---- */

static group_t *find(const rights_t *self, str_t room) {
    group_t *group = NULL;
    HASH_FIND(hh, self->by_room, room.p, room.n, group);
    return group;
}

static str_t name_of(const group_t *group) {
    return (str_t){group->name, group->name_bytes};
}

static group_t *get(rights_t *self, str_t room) {
    group_t *group = find(self, room);
    if (group)
        return group;
    group = xmalloc(sizeof(*group) + room.n);
    *group = (group_t){.name_bytes = (uint8_t)room.n};
    memcpy(group->name, room.p, room.n);
    HASH_ADD_KEYPTR(hh, self->by_room, group->name, room.n, group);
    return group;
}

static size_t group_bytes(const group_t *group) {
    return sizeof(*group) + group->name_bytes + members_bytes(group->members);
}

static size_t waiter_bytes(const envelope_t *request) {
    return sizeof(waiter_t) + envelope_copy_bytes(request);
}

static bool is_idle(const group_t *group) {
    return group->members && !group->is_loading;
}

static void add_idle(rights_t *self, group_t *group) {
    group->prev = group->next = NULL;
    DL_APPEND(self->idle, group);
}

static void remove_idle(rights_t *self, group_t *group) {
    ASSERT(self->idle && group->prev);
    DL_DELETE(self->idle, group);
}

/* Takes `members`; NULL uncaches. */
static void set_members(rights_t *self, group_t *group, members_t *members, uint64_t version) {
    if (group->members) {
        self->cache_bytes -= group_bytes(group);
        members_free(&group->members);
    }
    group->members = members;
    group->version = version;
    if (members)
        self->cache_bytes += group_bytes(group);
}

/* Frees a group that isn't idle (any more). */
static void destroy(rights_t *self, group_t *group) {
    ASSERT(self->by_room && !group->waiters);
    set_members(self, group, NULL, 0);
    HASH_DELETE(hh, self->by_room, group);
    free(group);
}

/* Frees an idle group. */
static void drop(rights_t *self, group_t *group) {
    ASSERT(is_idle(group));
    remove_idle(self, group);
    destroy(self, group);
}

static void shrink(rights_t *self) {
    group_t *group = NULL, *next = NULL;
    DL_FOREACH_SAFE(self->idle, group, next) {
        if (self->cache_bytes <= self->limits.max_cache_bytes)
            return;
        drop(self, group);
    }
}

void rights_free(rights_t **self_in) {
    rights_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    ASSERT(self->waiting == 0 && self->waiting_bytes == 0);
    group_t *group = NULL, *next = NULL;
    HASH_ITER(hh, self->by_room, group, next) {
        destroy(self, group);
    }
    ASSERT(HASH_COUNT(self->by_room) == 0 && self->cache_bytes == 0);
    free(self);
}

/* ---- questions ---- */

static bool has_waiter(const group_t *group, str_t user) {
    const waiter_t *waiter = NULL;
    DL_FOREACH(group->waiters, waiter) {
        if (!waiter->fresh && str_eq(waiter->request->user, user))
            return true;
    }
    return false;
}

/* Who has been made a member while requests of his wait must not overtake them. */
rights_answer_t rights_check(rights_t *self, str_t room, str_t user) {
    ids_room_t parts = ids_parse_room(room);
    if (parts.kind == IDS_DIRECT) {
        bool is_one = str_eq(parts.user, user) || str_eq(parts.other, user);
        return is_one ? RIGHTS_ALLOWED : RIGHTS_FORBIDDEN;
    }
    if (parts.kind != IDS_GROUP)
        return RIGHTS_INVALID;
    group_t *group = find(self, room);
    if (!group || !group->members || !members_contain(group->members, user) ||
        has_waiter(group, user))
        return RIGHTS_WAIT;
    if (is_idle(group)) {
        remove_idle(self, group);
        add_idle(self, group);
    }
    return RIGHTS_ALLOWED;
}

bool rights_cached(const rights_t *self, str_t room, str_t user, bool unknown) {
    const group_t *group = find(self, room);
    return group && group->members ? members_contain(group->members, user) : unknown;
}

bool rights_knows(const rights_t *self, str_t room) {
    const group_t *group = find(self, room);
    return group && group->members;
}

/* ---- waiting ---- */

/* Takes the time that the request waited from its deadline; false when that has passed. */
static bool is_in_time(waiter_t *waiter, int64_t now_ms) {
    int64_t waited_ms = now_ms - waiter->since_ms;
    if (waiter->request->deadline_ms == 0)
        return true;
    if (waited_ms >= waiter->request->deadline_ms)
        return false;
    waiter->request->deadline_ms -= (uint32_t)waited_ms;
    return true;
}

static void end_wait(rights_t *self, group_t *group, waiter_t *waiter, rights_decision_t decision,
                     int64_t now_ms) {
    DL_DELETE(group->waiters, waiter);
    group->waiter_count--;
    self->waiting--;
    self->waiting_bytes -= waiter_bytes(waiter->request);
    if (decision == RIGHTS_DECIDED_ALLOWED && !is_in_time(waiter, now_ms))
        decision = RIGHTS_DECIDED_NOT;
    self->ops->decided(self->ctx, waiter->peer, waiter->request, decision, now_ms);
    free(waiter->request);
    free(waiter);
}

static bool start_load(rights_t *self, group_t *group, int64_t now_ms) {
    if (!self->ops->load(self->ctx, name_of(group), now_ms))
        return false;
    if (is_idle(group))
        remove_idle(self, group);
    group->is_loading = true;
    group->is_outdated = false;
    group->load = ++self->loads;
    return true;
}

err_t rights_wait(rights_t *self, peer_t *peer, const envelope_t *request, bool fresh,
                  int64_t now_ms) {
    size_t bytes = waiter_bytes(request);
    group_t *group = find(self, request->room);
    if (self->waiting_bytes + bytes > self->limits.max_waiting_bytes ||
        (group ? group->waiter_count : 0) >= self->limits.max_waiting_per_room)
        return ERR_LIMIT;
    group = get(self, request->room);
    bool was_loading = group->is_loading;
    if (!was_loading && !start_load(self, group, now_ms)) {
        if (!group->members)
            destroy(self, group);
        return ERR_UNAVAILABLE;
    }
    waiter_t *waiter = xcalloc(1, sizeof(*waiter));
    waiter->peer = peer;
    waiter->request = envelope_copy_new(request);
    waiter->fresh = fresh;
    waiter->since_ms = now_ms;
    waiter->min_load = was_loading ? group->load + 1 : group->load;
    DL_APPEND(group->waiters, waiter);
    group->waiter_count++;
    self->waiting++;
    self->waiting_bytes += bytes;
    return OK;
}

static void fail_waiters(rights_t *self, group_t *group, int64_t now_ms) {
    waiter_t *waiter = NULL, *next = NULL;
    DL_FOREACH_SAFE(group->waiters, waiter, next) {
        end_wait(self, group, waiter, RIGHTS_DECIDED_NOT, now_ms);
    }
}

/* Decides those whom the list at hand can decide; the others wait for the next load. */
static void decide_waiters(rights_t *self, group_t *group, int64_t now_ms) {
    waiter_t *waiter = NULL, *next = NULL;
    DL_FOREACH_SAFE(group->waiters, waiter, next) {
        bool is_late_enough = group->load >= waiter->min_load;
        bool yes =
            waiter->fresh ? is_late_enough : members_contain(group->members, waiter->request->user);
        if (yes)
            end_wait(self, group, waiter, RIGHTS_DECIDED_ALLOWED, now_ms);
        else if (is_late_enough)
            end_wait(self, group, waiter, RIGHTS_DECIDED_FORBIDDEN, now_ms);
    }
}

/* After a load: asks again for those who still wait, else the group may be dropped. An unknown
 * group (version 0) isn't kept, as it may be made at any time. */
static void settle(rights_t *self, group_t *group, int64_t now_ms) {
    if (group->members && group->version == 0) {
        remove_idle(self, group);
        set_members(self, group, NULL, 0);
    }
    if (group->waiters && !start_load(self, group, now_ms))
        fail_waiters(self, group, now_ms);
    if (group->is_loading)
        return;
    if (group->members)
        shrink(self);
    else
        destroy(self, group);
}

static group_t *end_load(rights_t *self, str_t room) {
    group_t *group = find(self, room);
    if (!group || !group->is_loading)
        return NULL;
    group->is_loading = false;
    if (group->members)
        add_idle(self, group);
    return group;
}

void rights_loaded(rights_t *self, str_t room, const rights_list_t *list, int64_t now_ms) {
    group_t *group = end_load(self, room);
    if (!group)
        return;
    if (!group->is_outdated) {
        if (!group->members)
            add_idle(self, group);
        if (!group->members || list->version >= group->version)
            set_members(self, group, members_new(list->members, list->n), list->version);
        decide_waiters(self, group, now_ms);
    }
    settle(self, group, now_ms);
}

void rights_load_failed(rights_t *self, str_t room, int64_t now_ms) {
    group_t *group = end_load(self, room);
    if (!group)
        return;
    fail_waiters(self, group, now_ms);
    settle(self, group, now_ms);
}

/* ---- changes ---- */

void rights_changed(rights_t *self, str_t room, const rights_change_t *change) {
    group_t *group = find(self, room);
    if (!group || (group->members && change->version <= group->version))
        return;
    group->is_outdated = group->is_loading;
    if (!group->members)
        return;
    if (change->version == group->version + 1) {
        members_t *members = members_changed(group->members, change->added, change->added_n,
                                             change->removed, change->removed_n);
        set_members(self, group, members, change->version);
        shrink(self);
    } else if (group->is_loading) {
        set_members(self, group, NULL, 0);
    } else {
        drop(self, group);
    }
}

void rights_peer_down(rights_t *self, const peer_t *peer, int64_t now_ms) {
    if (self->waiting == 0)
        return;
    group_t *group = NULL, *next_group = NULL;
    HASH_ITER(hh, self->by_room, group, next_group) {
        waiter_t *waiter = NULL, *next = NULL;
        DL_FOREACH_SAFE(group->waiters, waiter, next) {
            if (waiter->peer == peer)
                end_wait(self, group, waiter, RIGHTS_DECIDED_GONE, now_ms);
        }
    }
}

void rights_cancel(rights_t *self, const peer_t *peer, const envelope_t *like, int64_t now_ms) {
    group_t *group = find(self, like->room);
    waiter_t *waiter = NULL, *next = NULL;
    if (!group)
        return;
    DL_FOREACH_SAFE(group->waiters, waiter, next) {
        const envelope_t *request = waiter->request;
        if (waiter->peer == peer && request->type == like->type &&
            request->session == like->session)
            end_wait(self, group, waiter, RIGHTS_DECIDED_GONE, now_ms);
    }
}

/* ---- looking in ---- */

size_t rights_groups(const rights_t *self) {
    return HASH_COUNT(self->by_room);
}

size_t rights_cache_bytes(const rights_t *self) {
    return self->cache_bytes;
}

size_t rights_waiting(const rights_t *self) {
    return self->waiting;
}

size_t rights_waiting_bytes(const rights_t *self) {
    return self->waiting_bytes;
}
