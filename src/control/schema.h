/* SPDX-License-Identifier: MIT */
/* schema.h -- the tables of control.db, and how those of an older tain become today's. */
#ifndef TAIN_CONTROL_SCHEMA_H
#define TAIN_CONTROL_SCHEMA_H

#include "control/statement.h"

/* Step i leads from schema i to i + 1. Steps are never changed once they were released. */
extern const char *const tain_control_steps[];
extern const int         tain_control_step_count;

/* Whether the file is ours (ret_version: its schema, 0: it is empty), read without changing anything of it.
 * INVALID: it is another program's; UNSUPPORTED: its schema is beyond `count`. */
tain_status tain_control_recognise(tain_control *c, int count, int *ret_version, tain_error *err);
/* Takes the steps from `version` on, each a transaction: what fails leaves the schema of the steps before it. */
tain_status tain_control_migrate(tain_control *c, const char *const *steps, int count, int version, tain_error *err);

#endif
