/* SPDX-License-Identifier: MIT */
/* capture.h -- what tain makes in the source: one publication and one replication slot, both named tain_<mirror>.
 *
 * The publication lists tables one by one and holds only those whose updates can be logged, because publishing a table
 * without replica identity would make its application's own updates fail. */
#ifndef TAIN_SOURCE_POSTGRES_CAPTURE_H
#define TAIN_SOURCE_POSTGRES_CAPTURE_H

#include "source/postgres/postgres.h"

typedef struct tain_pg_slot {
    bool     there;
    int      active_pid; /* 0: nobody uses it */
    uint64_t confirmed;
    char     lost[160];  /* why it is of no use any more; "" : it is */
} tain_pg_slot;

tain_status tain_pg_slot_read(tain_pg_source *s, tain_pg_slot *ret, tain_error *err);
/* Nothing, if it is not there. BUSY: it is in use. */
tain_status tain_pg_slot_drop(tain_pg_source *s, void (*say)(const char *), tain_error *err);
/* Whether the publication is there, and shows every change: GONE, CONFIG. The catalog was read. */
tain_status tain_pg_publication_check(tain_pg_source *s, tain_error *err);
/* GONE, naming what is missing: slot (by its state) or publication. */
tain_status tain_pg_capture_gone(const tain_pg_source *s, const tain_pg_slot *slot, tain_error *err);
/* ddl.c: schema changes that tell themselves in the log. Made by superusers only; all or nothing, and no harm without. */
/* Those of another version are replaced. Whether there were none before. */
bool        tain_pg_ddl_install(tain_pg_source *s, void (*say)(const char *));
void        tain_pg_ddl_put_script(const tain_pg_source *s, tain_buffer *out); /* the SQL of that, appended */
bool        tain_pg_ddl_is_ours(const char *comment); /* of the schema: made by this version */
tain_status tain_pg_ddl_remove(tain_pg_source *s, void (*say)(const char *), tain_error *err);
/* A message of the log that is ours. aborted: subtransactions of its transaction that were rolled back. */
tain_status tain_pg_told(void *ctx /* tain_pg_source */, const void *message, size_t n, const uint32_t *aborted, size_t aborted_count, tain_error *err);
/* Says a formatted line; say may be NULL. */
void        tain_pg_say_line(void (*say)(const char *), const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
