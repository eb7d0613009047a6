/* The HTTP surface as one table, and the way from a request's method and path to its row. */
#pragma once

#include <stdbool.h>

#include "common/str.h"
#include "common/strbuf.h"

/* Bits, so that Allow can be collected. */
enum {
    METHOD_GET = 1,
    METHOD_HEAD = 2,
    METHOD_POST = 4,
    METHOD_PUT = 8,
    METHOD_DELETE = 16,
    METHOD_OPTIONS = 32,
};

/* Who may use a route. */
typedef enum {
    ROUTE_OPEN,    /* anybody */
    ROUTE_TOKEN,   /* a bearer token must be there; whoever the handler passes it to checks it */
    ROUTE_USER,    /* a valid token */
    ROUTE_SERVICE, /* a valid token of role `service` */
} route_auth_t;

enum {
    ROUTE_PARAMETERS_MAX = 2,
    ROUTE_BODY_NONE = 0, /* the route reads no body; a small one is taken and ignored */
    ROUTE_BODY_SMALL = 8192,
    /* 100 user ids of 64 characters, a title of 200, written as \uXXXX at worst */
    ROUTE_BODY_USERS = 65536,
    /* 8,000 characters of text, each up to 12 bytes as a \uXXXX\uXXXX pair, and the other members
     */
    ROUTE_BODY_MESSAGE = 131072,
    ROUTE_BODY_IGNORED_MAX = 4096,
};

/* ROUTE(id, method, pattern, auth, body limit in bytes). A segment in braces is a parameter. */
#define ROUTES(ROUTE)                                                                              \
    ROUTE(REGISTER, POST, "/auth/register", OPEN, SMALL)                                           \
    ROUTE(LOGIN, POST, "/auth/login", OPEN, SMALL)                                                 \
    ROUTE(REFRESH, POST, "/auth/refresh", TOKEN, NONE)                                             \
    ROUTE(ME, GET, "/me", USER, NONE)                                                              \
    ROUTE(GET_USER, GET, "/users/{id}", USER, NONE)                                                \
    ROUTE(PUT_USER, PUT, "/users/{id}", SERVICE, SMALL)                                            \
    ROUTE(LIST_CONVERSATIONS, GET, "/conversations", USER, NONE)                                   \
    ROUTE(CREATE_CONVERSATION, POST, "/conversations", USER, USERS)                                \
    ROUTE(GET_CONVERSATION, GET, "/conversations/{id}", USER, NONE)                                \
    ROUTE(LIST_MESSAGES, GET, "/conversations/{id}/messages", USER, NONE)                          \
    ROUTE(MARK_READ, POST, "/conversations/{id}/read", USER, SMALL)                                \
    ROUTE(ADD_PARTICIPANTS, POST, "/conversations/{id}/participants", USER, USERS)                 \
    ROUTE(REMOVE_PARTICIPANT, DELETE, "/conversations/{id}/participants/{userId}", USER, NONE)     \
    ROUTE(SEND_MESSAGE, POST, "/messages/send", USER, MESSAGE)                                     \
    ROUTE(HEALTH, GET, "/health", OPEN, NONE)                                                      \
    ROUTE(READY, GET, "/ready", OPEN, NONE)

#define ROUTE(id, method, pattern, auth, body) ROUTE_ID_##id,
typedef enum { ROUTES(ROUTE) ROUTE_COUNT } route_id_t;
#undef ROUTE

typedef struct {
    route_id_t id;
    unsigned method; /* one METHOD_ bit; GET stands for HEAD too */
    const char *pattern;
    route_auth_t auth;
    size_t body_limit;
} route_t;

typedef enum {
    ROUTES_FOUND,
    ROUTES_NO_PATH,   /* no row has this path: 404 */
    ROUTES_NO_METHOD, /* rows have it, with other methods: 405; `allowed` says which */
    ROUTES_BAD_PATH,  /* malformed percent-encoding, or a NUL in it: 400 */
} routes_result_t;

typedef struct {
    const route_t *route;                   /* ROUTES_FOUND */
    unsigned allowed;                       /* methods of this path; OPTIONS always */
    str_t parameters[ROUTE_PARAMETERS_MAX]; /* decoded, in the order of the pattern */
} route_match_t;

const route_t *routes_row(route_id_t id);

/* The METHOD_ bit, 0 for a method that no route has. */
unsigned routes_method(str_t name);

/* Finds the row of a path as it came (without query, percent-encoded). Parameters are decoded into
 * `storage`, which the match then borrows. */
routes_result_t routes_match(unsigned method, str_t path, strbuf_t *storage,
                             route_match_t *match_out);

/* /health and /ready: asked often, by machines; no limit and no rule on origins holds for them. */
bool routes_is_probe(const route_t *route);

/* Appends the text of percent-encoded bytes. ERR_INVALID (with something appended) for a `%` that
 * isn't followed by two hexadecimal digits, and for a NUL. */
err_t routes_percent_decode(str_t encoded, bool plus_is_space, strbuf_t *decoded) MUST_CHECK;

/* Appends the methods as an Allow header has them: "GET, HEAD, OPTIONS". */
void routes_append_allow(unsigned methods, strbuf_t *out);

/* Appends the table, a route a line: method, pattern, who may use it. For holding openapi.yaml
 * against it. */
void routes_print(strbuf_t *out);
