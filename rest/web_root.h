/* Reads the built web page from disk, at the start. */
#pragma once

#include "rest/static_files.h"

/* Reads every file below `folder`, names that start with a dot and anything that is neither file
 * nor folder left out. `folder` may be NULL: there is no page. ERR_IO, ERR_LIMIT: logged. */
err_t web_root_read(const char *folder, static_files_t **files_out) MUST_CHECK;
