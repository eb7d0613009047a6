/* Prints docs/protocol.md. */
#include "proto/proto.h"

static const char introduction[] =
    "# The protocol between services\n"
    "\n"
    "Made from `proto/messages.def` by `proto_doc`; a test holds it fresh. How links behave "
    "(hello, counts,\n"
    "leases, resync) is in [architecture.md](architecture.md).\n"
    "\n"
    "Every message is one ZeroMQ frame: a head of 56 bytes (little-endian), then room, user and a "
    "msgpack map\n"
    "with numeric keys. Unknown keys and types are skipped, so services of neighbouring versions "
    "run together.\n"
    "\n"
    "| offset | bytes | head |\n"
    "|---|---|---|\n"
    "| 0 | 1 | protocol version, now 1 |\n"
    "| 1 | 1 | flags: 1 = answers the request of the same id, 2 = the way of this trace is "
    "logged |\n"
    "| 2 | 2 | type |\n"
    "| 4 | 4 | count: place among all envelopes of this link and direction since hello |\n"
    "| 8 | 8 | the receiver's incarnation as the sender knows it; an envelope for another is "
    "dropped unread |\n"
    "| 16 | 8 | request id, 0 when no answer is wanted |\n"
    "| 24 | 8 | session: the gateway's number of the socket, 0 for none |\n"
    "| 32 | 4 | milliseconds that the sender still waits |\n"
    "| 36 | 2 | code of an answer |\n"
    "| 38 | 1 | length of the room, at most 200 |\n"
    "| 39 | 1 | length of the user, at most 64 |\n"
    "| 40 | 16 | W3C trace id |\n"
    "\n"
    "A body nests at most 8 deep and has at most 65,536 values; it is scanned for that before it "
    "is decoded.\n"
    "\n"
    "Codes: ";

int main(void) {
    strbuf_t page = {0};
    strbuf_append(&page, str_from(introduction));
    for (unsigned code = 0; code < CODE_COUNT; code++)
        strbuf_printf(&page, "%s%u `%s`", code ? ", " : "", code, code_name(code));
    strbuf_append(&page, STR(".\n\n## Messages\n"));
    proto_print_markdown(&page);
    fputs(strbuf_cstr(&page), stdout);
    strbuf_fini(&page);
    return 0;
}
