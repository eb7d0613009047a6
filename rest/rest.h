/* The service: HTTP on one side, the brokers on the other. */
#pragma once

#include "common/service_main.h"

extern const service_ops_t rest_ops;
