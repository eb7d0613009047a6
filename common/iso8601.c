#include "common/iso8601.h"

#include <time.h>

#include "common/err.h"

#define LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

void iso8601_format(int64_t unix_ms, char text_out[ISO8601_TEXT + 1]) {
    int64_t ms = unix_ms < 0 ? 0 : unix_ms > LAST_MS ? LAST_MS : unix_ms;
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    ASSERT(gmtime_r(&seconds, &utc));
    char text[64]; /* room for what the compiler thinks a field may hold */
    int length = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                          utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                          utc.tm_sec, (int)(ms % 1000));
    ASSERT(length == ISO8601_TEXT);
    for (int i = 0; i <= ISO8601_TEXT; i++)
        text_out[i] = text[i];
}
