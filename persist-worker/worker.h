/* The service: jobs from the brokers' links, through batch or read queue, to PostgreSQL and back.
 */
#pragma once

#include "common/service_main.h"

extern const service_ops_t worker_ops;
