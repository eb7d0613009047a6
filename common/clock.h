/* The two clocks that shells read and hand to pure cores. */
#pragma once

#include <stdint.h>

/* Milliseconds of the monotonic clock: for deadlines and leases. */
int64_t clock_now_ms(void);
/* Milliseconds since 1970 of the wall clock: for times that people see. */
int64_t clock_unix_ms(void);
/* The same in microseconds: for logs, where the order of steps shows. */
int64_t clock_unix_us(void);
