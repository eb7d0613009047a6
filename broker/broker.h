/* The broker: the ROUTER that every service connects to, and the core behind it. */
#pragma once

#include "common/service_main.h"

/* For service_main(). */
extern const service_ops_t broker_ops;
