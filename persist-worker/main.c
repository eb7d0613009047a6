#include "persist-worker/worker.h"

int main(int argc, char **argv) {
    return service_main(&worker_ops, argc, argv);
}
