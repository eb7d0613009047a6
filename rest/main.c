#include "rest/rest.h"
#include "rest/routes.h"

/* For the test that holds openapi.yaml against the table: prints the routes. */
static int print_routes(void) {
    strbuf_t text = {0};
    routes_print(&text);
    fwrite(text.p, 1, text.n, stdout);
    strbuf_fini(&text);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--routes") == 0)
        return print_routes();
    return service_main(&rest_ops, argc, argv);
}
