/* Why somebody who connected to a broker is not heard. */
#pragma once

typedef enum {
    BUS_STRANGER_SILENT,   /* went, or said nothing for too long, before it had shaken hands */
    BUS_STRANGER_PROTOCOL, /* not ZMTP, not CURVE where keys are configured, or to another key */
    BUS_STRANGER_KEY,      /* its key is none of ours */
    BUS_STRANGER_KINDS,
} bus_stranger_t;
