/* SPDX-License-Identifier: MIT */
/* monitoring.h -- the service's own mirror: records of executions as a Delta table like any other.
 *
 * A workspace `monitoring` with a mirrored database `tain`, whose source is the control database: its table
 * main.MirroredDatabaseTableExecution is at LAKE/monitoring/tain.MirroredDatabase/Tables/main/. It can be stopped like any other mirror, and
 * stays so. */
#ifndef TAIN_SERVE_MONITORING_H
#define TAIN_SERVE_MONITORING_H

#include "control/control.h"

#define TAIN_MONITORING_WORKSPACE "monitoring"

/* Makes it, wanted to run, unless it is there. lake: folder in which lakes are made. */
tain_status tain_monitoring_make(tain_control *c, const char *lake, tain_error *err);

#endif
