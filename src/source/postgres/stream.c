/* SPDX-License-Identifier: MIT */
#include "source/postgres/postgres.h"
tain_status tain_pg_start(tain_source *base, const tain_position *position, tain_error *err) { return tain_fail(err, TAIN_E_UNSUPPORTED, "not yet"); }
tain_status tain_pg_poll(tain_source *base, tain_sink *sink, tain_time deadline, tain_error *err) { return tain_fail(err, TAIN_E_UNSUPPORTED, "not yet"); }
tain_status tain_pg_confirm(tain_source *base, const tain_position *position, tain_error *err) { return TAIN_OK; }
tain_status tain_pg_head(tain_source *base, tain_position *ret, tain_error *err) { return tain_fail(err, TAIN_E_UNSUPPORTED, "not yet"); }
int tain_pg_wait_fd(tain_source *base) { return -1; }
void tain_pg_stream_stop(tain_pg_source *s) {}
tain_status tain_pg_stream_release(tain_pg_source *s, tain_error *err) { return TAIN_OK; }
void tain_pg_stream_keep_alive(tain_pg_source *s) {}
