#include "rest/request_id.h"

static bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool request_id_is_valid(str_t text) {
    for (size_t i = 0; i < text.n; i++) {
        if (!is_plain(text.p[i]))
            return false;
    }
    return text.n >= 1 && text.n <= REQUEST_ID_BYTES_MAX;
}
