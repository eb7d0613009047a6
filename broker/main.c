#include "broker/broker.h"

int main(int argc, char **argv) {
    return service_main(&broker_ops, argc, argv);
}
