/* SPDX-License-Identifier: MIT */
/* report.h -- what mirrors tell, for people: cells of a grid, notes behind it, and a mirror's status as `tain status` shows it. */
#ifndef TAIN_CLI_REPORT_H
#define TAIN_CLI_REPORT_H

#include <jansson.h>

#include "cli/cli.h"

void tain_report_add(tain_grid *g, const char *text);
void tain_report_add_int(tain_grid *g, int64_t v);
void tain_report_add_time(tain_grid *g, const char *iso);        /* to the second */
void tain_report_add_duration(tain_grid *g, const json_t *ms);   /* "-" for anything but an integer */

/* "head: text" in lines that fit. */
void tain_report_note(const char *indent, const char *head, const char *text);
/* "306 tables: 299 Replicating, 7 Stopped", by the rows' "status". */
void tain_report_counts(const json_t *rows, const char *what);
/* What `tain status --json` gives. */
void tain_report_print(const json_t *status);
/* One line, for machines. */
void tain_report_json(const json_t *j);

#endif
