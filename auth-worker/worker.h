/* The auth-worker: answers what brokers hand to it. */
#pragma once

#include "common/service_main.h"

/* For service_main(). */
extern const service_ops_t worker_ops;
