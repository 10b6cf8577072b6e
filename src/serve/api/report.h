/* SPDX-License-Identifier: MIT */
/* report.h -- what a mirror says of itself, read for a call. Inside of serve/api. */
#ifndef TAIN_SERVE_API_REPORT_H
#define TAIN_SERVE_API_REPORT_H

#include "serve/api/call.h"

/* Of the item that the path names, which must be in that workspace. */
tain_status tain_report_read(tain_call *c, tain_mirror_report *ret, tain_error *err);
/* {"errorCode","message","remedy","isRetriable"}; null without one. */
json_t     *tain_report_error(const tain_error *e);
/* What is to be looked at, of what a mirror told: warnings of tables, tables that are refused or gone from the source, and
 * of its log that is kept more than was agreed on. */
size_t      tain_report_warnings(const json_t *worker);

/* What the mirror told of the table of that name; NULL while it has told of no table at all. NOT_FOUND names those there are. */
tain_status tain_report_table(tain_call *c, const json_t *worker, const char *name, const json_t **ret, tain_error *err);

/* What tain_source_full_name put together, taken apart. */
typedef struct tain_name { char *schema, *table; } tain_name;
tain_name tain_name_of(const char *name);
void      tain_name_done(tain_name *n);

#endif
