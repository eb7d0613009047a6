#include "persist-worker/db_address.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netdb.h>

#include "common/strbuf.h"

enum { PARAMETERS_MAX = 64, ADDRESSES_MAX = 4 };

/* What the session needs unless DATABASE_URL says otherwise. */
static const struct {
    const char *keyword;
    const char *value;
} defaults[] = {
    {"keepalives_idle", "5"},
    {"keepalives_interval", "2"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "10000"},
};

struct db_address {
    uv_loop_t *loop;
    const char *application_name;
    PQconninfoOption *options;
    uv_getaddrinfo_t *request; /* under way; frees itself */
    db_address_fn done;
    void *arg;
    strbuf_t hosts, addresses; /* the same host for each address, with commas */
    const char *keywords[PARAMETERS_MAX];
    const char *values[PARAMETERS_MAX];
    size_t n;
};

bool db_address_is_valid(str_t url) {
    char *text = str_dup(url);
    PQconninfoOption *options = PQconninfoParse(text, NULL);
    bool valid = options != NULL;
    PQconninfoFree(options);
    free(text);
    return valid;
}

db_address_t *db_address_new(uv_loop_t *loop, const char *url, const char *application_name) {
    db_address_t *self = xcalloc(1, sizeof(*self));
    self->loop = loop;
    self->application_name = application_name;
    self->options = PQconninfoParse(url, NULL);
    ASSERT(self->options);
    return self;
}

void db_address_cancel(db_address_t *self) {
    if (self->request) {
        self->request->data = NULL;
        uv_cancel((uv_req_t *)self->request);
        self->request = NULL;
    }
}

void db_address_free(db_address_t **self_in) {
    db_address_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    db_address_cancel(self);
    PQconninfoFree(self->options);
    strbuf_fini(&self->hosts);
    strbuf_fini(&self->addresses);
    free(self);
}

static const char *option(const db_address_t *self, const char *keyword) {
    for (PQconninfoOption *o = self->options; o->keyword; o++) {
        if (o->val && strcmp(o->keyword, keyword) == 0)
            return o->val;
    }
    return NULL;
}

static void add(db_address_t *self, const char *keyword, const char *value) {
    ASSERT(self->n + 1 < PARAMETERS_MAX);
    self->keywords[self->n] = keyword;
    self->values[self->n++] = value;
    self->keywords[self->n] = self->values[self->n] = NULL;
}

/* Later parameters override earlier ones. */
static void finish(db_address_t *self) {
    self->n = 0;
    add(self, "application_name", self->application_name);
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        add(self, defaults[i].keyword, defaults[i].value);
    for (PQconninfoOption *o = self->options; o->keyword; o++) {
        if (o->val)
            add(self, o->keyword, o->val);
    }
    if (self->addresses.n) {
        add(self, "host", strbuf_cstr(&self->hosts));
        add(self, "hostaddr", strbuf_cstr(&self->addresses));
    }
    add(self, "client_encoding", "UTF8");
    self->done(self->arg, self->keywords, self->values);
}

static void append_with_comma(strbuf_t *list, const char *entry) {
    if (list->n)
        strbuf_append_char(list, ',');
    strbuf_append(list, str_from(entry));
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
    db_address_t *self = request->data;
    free(request);
    if (!self) {
        uv_freeaddrinfo(found);
        return;
    }
    self->request = NULL;
    strbuf_clear(&self->hosts);
    strbuf_clear(&self->addresses);
    struct addrinfo *one = status == 0 ? found : NULL;
    for (size_t n = 0; one && n < ADDRESSES_MAX; one = one->ai_next, n++) {
        char text[NI_MAXHOST];
        if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof(text), NULL, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        append_with_comma(&self->addresses, text);
        append_with_comma(&self->hosts, option(self, "host"));
    }
    uv_freeaddrinfo(found);
    if (self->addresses.n)
        finish(self);
    else
        self->done(self->arg, NULL, NULL);
}

/* Is there a name that libpq would look up itself? */
static bool needs_lookup(const char *host) {
    unsigned char address[sizeof(struct in6_addr)];
    return host && host[0] != '\0' && host[0] != '/' && host[0] != '@' && !strchr(host, ',') &&
           inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

void db_address_resolve(db_address_t *self, db_address_fn done, void *arg) {
    ASSERT(!self->request);
    const char *host = option(self, "host");
    self->done = done;
    self->arg = arg;
    if (option(self, "hostaddr") || !needs_lookup(host)) {
        finish(self);
        return;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    self->request = xcalloc(1, sizeof(*self->request));
    self->request->data = self;
    if (uv_getaddrinfo(self->loop, self->request, on_resolved, host, NULL, &hints) != 0) {
        free(self->request);
        self->request = NULL;
        done(arg, NULL, NULL);
    }
}
