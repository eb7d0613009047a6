#include <sodium.h>
#include <stdio.h>

#include "keygen/keygen.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char usage[] =
    "Usage: parley-keygen DIRECTORY\n"
    "Makes the keys that encrypt and authenticate the links between services, for BUS_KEYS.\n"
    "A service needs its own ROLE.key, readable by it alone, and public.keys. What is there "
    "already\n"
    "stays; so a key is changed by moving its ROLE.key away and running this again: both keys "
    "count\n"
    "until the old one's line is taken out of public.keys.\n";

int main(int argc, char **argv) {
    strbuf_t report = {0}, problem = {0};
    bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
    if (argc != 2 || argv[1][0] == '-' || argv[1][0] == '\0') {
        fputs(usage, help ? stdout : stderr);
        return help ? 0 : EXIT_USAGE;
    }
    if (sodium_init() < 0) {
        fputs("parley-keygen: no source of randomness\n", stderr);
        return EXIT_FAILED;
    }
    err_t err = keygen_fill(argv[1], &report, &problem);
    fputs(strbuf_cstr(&report), stdout);
    if (err != OK)
        fprintf(stderr, "parley-keygen: %s\n", strbuf_cstr(&problem));
    strbuf_fini(&report);
    strbuf_fini(&problem);
    return err == OK ? 0 : EXIT_FAILED;
}
