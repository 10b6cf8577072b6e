/* SPDX-License-Identifier: MIT */
/* loadlog.h -- what a load under way has finished, in the lake, so that another process can go on with it.
 *
 *   _tain/loads/<schema>/<table>/<id>/plan.json       what is read: the table's identity and shape, the source's mark, the
 *                                                     chunks, the position of the first snapshot
 *   _tain/loads/<schema>/<table>/<id>/%08zu.json      one finished chunk: its file, and the position it was read at
 *
 * Records are never changed. A load has ended when a commit of the table has the epoch of its plan or a later one: what is
 * left of the log then means nothing. Otherwise the files it names belong to nobody else.
 * Thread: any, one at a time per log, but for note. */
#ifndef TAIN_MIRROR_LOAD_LOADLOG_H
#define TAIN_MIRROR_LOAD_LOADLOG_H

#include "mirror/table.h"

typedef struct tain_load_chunk {
    int64_t       from, to, rows_estimate; /* as tain_chunk */
    bool          done;
    tain_position position;                /* of the snapshot it was read at */
    int64_t       rows, bytes;
    json_t       *add;                     /* tain_delta_file_from_json(); NULL: it had no rows */
} tain_load_chunk;

typedef struct tain_loadlog {
    char            *folder;   /* of this load, with a slash behind it */
    char            *identity; /* of the source's table */
    json_t          *shape;    /* columns with their names in files, and key */
    char            *mark;     /* tain_source_ops.reader_mark */
    tain_position    first;    /* nothing is later than needed: the stream from here makes any chunk right */
    int64_t          epoch;    /* commits of the load have this number or a higher one */
    tain_load_chunk *chunks;
    size_t           count;
} tain_loadlog;

/* A log to be begun, of a table as it is now. mark and chunks are taken over. */
tain_loadlog *tain_loadlog_new(const tain_table *t, const tain_position *first, int64_t epoch, char *mark, tain_load_chunk *chunks, size_t count);
void          tain_loadlog_free(tain_loadlog *log); /* accepts NULL */
/* Puts the plan down. What an earlier load left must be forgotten already. */
tain_status tain_loadlog_begin(const tain_loadlog *log, tain_store *lake, tain_error *err);
/* Puts chunk i down as finished; file NULL: it had no rows. Thread: any. */
tain_status tain_loadlog_note(tain_loadlog *log, tain_store *lake, size_t i, const tain_position *position, const tain_delta_file *file,
                              int64_t rows, int64_t bytes, tain_error *err);
/* The log of the table's unfinished load; *ret NULL: there is none. */
tain_status tain_loadlog_read(const tain_table *t, tain_store *lake, tain_loadlog **ret, tain_error *err);
/* Removes it: the load has ended. */
tain_status tain_loadlog_forget(const tain_table *t, tain_store *lake, tain_error *err);
/* Removes its files and then it: the load will not be gone on with. */
tain_status tain_loadlog_abandon(const tain_table *t, tain_store *lake, tain_error *err);

/* Whether the source's table is still the one, in the same shape. */
bool tain_loadlog_fits(const tain_loadlog *log, const tain_source_table *source);
/* Gives the table's columns the names that they have in the log's files. */
tain_status tain_loadlog_adopt_names(const tain_loadlog *log, tain_table *t, tain_error *err);
/* Whether every chunk is finished, and the latest position of one that is. */
bool tain_loadlog_is_complete(const tain_loadlog *log, tain_position *ret_last);

#endif
