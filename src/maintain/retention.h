/* SPDX-License-Identifier: MIT */
/* retention.h -- how long a table keeps what only older versions need, as --retention says.
 *
 * It is written into the properties that every engine goes by: removed files stay so long, the log a day longer. What was last
 * written is noted in tain.retention, so that it is written again only when something else is asked for: what somebody sets
 * by hand afterwards stays. */
#ifndef TAIN_MAINTAIN_RETENTION_H
#define TAIN_MAINTAIN_RETENTION_H

#include <jansson.h>

#include "base/time.h"

/* The properties to set, as an object; NULL: none. configuration: those there are, NULL: of a new table. wanted 0: whatever it
 * has. Caller json_decref()s. */
json_t *tain_retention_properties(const json_t *configuration, tain_time wanted);

#endif
