/* SPDX-License-Identifier: MIT */
/* metrics.h -- the numbers of all mirrors in Prometheus' text format 0.0.4, under names as OpenTelemetry would have them: unit last. */
#ifndef TAIN_SERVE_API_METRICS_H
#define TAIN_SERVE_API_METRICS_H

#include "serve/api/api.h"

tain_status tain_metrics_write(const tain_api *a, tain_buffer *out, tain_error *err);

#endif
