/* SPDX-License-Identifier: MIT */
/* lake.h -- the folder of one mirrored database: its layout, its epoch log, its one writer.
 *
 *   mirroring.json                    definition
 *   Tables/<schema>/<table>/          Delta tables (folder names: tain_folder_from_name)
 *   _tain/epochs/%020d.json           one record an epoch: position, commit times, version of each table changed
 *   _tain/epochs/segments/%020d.jsonl 1,000 older records in one file, named after the first
 *   _tain/loads/                      what loads under way have finished (loadlog.h)
 *   _tain/status.json                 what the writer last said of itself
 *   _tain/lock                        held by the writer
 *   _tain/cache/                      key index and spool: can be deleted at any time
 */
#ifndef TAIN_LAKE_LAKE_H
#define TAIN_LAKE_LAKE_H

#include "base/json.h"
#include "source/source.h"
#include "store/store.h"

typedef struct tain_lake tain_lake;

/* Opens the database folder. create: make it. NOT_FOUND names the folder. */
tain_status tain_lake_open(const char *url, bool create, tain_lake **ret, tain_error *err);
void        tain_lake_close(tain_lake *l); /* accepts NULL; gives the lock back */
tain_store *tain_lake_store(tain_lake *l);
/* Where that folder of a lake is, or will be. Caller frees. */
char *tain_lake_cache_path(const char *url);
const char *tain_lake_cache_dir(const tain_lake *l); /* local folder for what can be lost; made on first use */
/* "Tables/<schema>/<table>", escaped. Caller frees. */
char *tain_lake_table_folder(const char *schema, const char *table);
/* Where the table with that folder waits whose place another one has taken: no table of a source is called so by chance. */
char *tain_lake_aside_folder(const char *folder, const char *identity);
bool  tain_lake_is_aside(const char *folder);

/* Becomes the one writer. BUSY names the holder. Held until close. */
tain_status tain_lake_lock(tain_lake *l, tain_error *err);
/* Whether some process holds it. */
bool tain_lake_is_locked(tain_lake *l);

/* What stands in the way of writing to it, as far as can be seen: "it is full", "it is read-only"; NULL: nothing. */
const char *tain_lake_obstacle(tain_lake *l);
/* Whether a process of this user may write to it at all. */
bool        tain_lake_may_write(tain_lake *l);

/* Every table folder below Tables/ that has a _delta_log: each(ctx, schema, table, folder), true names. */
tain_status tain_lake_each_table(tain_lake *l, tain_status (*each)(void *ctx, const char *schema, const char *table, const char *folder, tain_error *err),
                                 void *ctx, tain_error *err);

typedef struct tain_epoch_table { const char *name; int64_t version, rows; } tain_epoch_table;
typedef struct tain_epoch {
    int64_t          number;
    tain_position    position;
    tain_time        source_time;    /* commit time of the newest transaction in it, 0: none known */
    tain_time        committed_time; /* set when the record is written */
    tain_epoch_table *tables;        /* only those changed */
    size_t           table_count;
    json_t          *apart;          /* tables that the record passes by, because they are not followed: name ->
                                        {"status","reason","remedy"}; NULL: none. Borrowed, and not read */
} tain_epoch;

/* Newest record; number 0 and position "" when there is none. tables are not read. */
tain_status tain_lake_last_epoch(tain_lake *l, tain_epoch *ret, tain_error *err);
/* Its tables that were not followed: they lack what came since. NULL: none. Caller json_decref()s. */
tain_status tain_lake_apart(tain_lake *l, int64_t number, json_t **ret, tain_error *err);
/* Every record that is kept, oldest first: each(ctx, record), borrowed. Reads them all; one being written or folded meanwhile may be
 * missing, or come twice. */
tain_status tain_lake_each_epoch(tain_lake *l, tain_status (*each)(void *ctx, const json_t *record, tain_error *err), void *ctx, tain_error *err);
/* Writes a record, durably. CONFLICT: the number is taken, so another writer is at work. */
tain_status tain_lake_write_epoch(tain_lake *l, tain_epoch *e, tain_error *err);
/* Folds full thousands of records older than the newest 1,000 into segments, and removes segments whose records are
 * all older than retention. Cheap when there is nothing to do. */
tain_status tain_lake_fold_epochs(tain_lake *l, tain_time retention, tain_error *err);

TAIN_AUTO_DEFINE(tain_lake, tain_lake_close)

#endif
