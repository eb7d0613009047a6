/* What one member saw of a conversation: judges every seq that reaches it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LEDGER_WINDOW = 1024 }; /* a seq that stays away for so many later ones is lost */

typedef struct {
    uint64_t base;      /* every seq up to it was seen or given up */
    uint64_t highest;   /* seen at all */
    uint64_t delivered; /* the last that came as an event */
    uint64_t lost, doubled, out_of_order;
    uint64_t seen[LEDGER_WINDOW / 64]; /* of those above base, a bit at seq mod LEDGER_WINDOW */
} ledger_t;

/* Begins behind `head`. */
void ledger_init(ledger_t *self, uint64_t head);
/* An event brought `seq`: events come in order. */
void ledger_event(ledger_t *self, uint64_t seq);
/* The acknowledgement of the member's own message brought `seq`. */
void ledger_own(ledger_t *self, uint64_t seq);
/* Gives up what is still away up to `head`; `lost` is then final. */
void ledger_close(ledger_t *self, uint64_t head);
