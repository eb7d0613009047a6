#include "tests/load/ledger.h"

#include <string.h>

static uint64_t bit(uint64_t seq) {
    return UINT64_C(1) << (seq % 64);
}

static uint64_t *word(ledger_t *self, uint64_t seq) {
    return &self->seen[seq % LEDGER_WINDOW / 64];
}

void ledger_init(ledger_t *self, uint64_t head) {
    *self = (ledger_t){.base = head, .highest = head, .delivered = head};
}

/* Moves base by one. */
static void pass(ledger_t *self) {
    self->base++;
    if (!(*word(self, self->base) & bit(self->base)))
        self->lost++;
    *word(self, self->base) &= ~bit(self->base);
}

/* Was it new? */
static bool see(ledger_t *self, uint64_t seq) {
    if (seq <= self->base)
        return false;
    if (seq > self->base + 2 * LEDGER_WINDOW) { /* a jump: everything open is lost */
        ledger_close(self, self->highest);
        self->lost += seq - LEDGER_WINDOW - self->base;
        self->base = seq - LEDGER_WINDOW;
    }
    while (seq > self->base + LEDGER_WINDOW)
        pass(self);
    if (*word(self, seq) & bit(seq))
        return false;
    *word(self, seq) |= bit(seq);
    if (seq > self->highest)
        self->highest = seq;
    while (self->base < self->highest && *word(self, self->base + 1) & bit(self->base + 1))
        pass(self);
    return true;
}

void ledger_event(ledger_t *self, uint64_t seq) {
    if (!see(self, seq))
        self->doubled++;
    else if (seq < self->delivered)
        self->out_of_order++;
    if (seq > self->delivered)
        self->delivered = seq;
}

void ledger_own(ledger_t *self, uint64_t seq) {
    if (!see(self, seq))
        self->doubled++;
}

void ledger_close(ledger_t *self, uint64_t head) {
    while (self->base < self->highest)
        pass(self);
    if (head > self->base) {
        self->lost += head - self->base;
        self->base = head;
        self->highest = head;
    }
}
