/* SPDX-License-Identifier: MIT */
/* load.h -- what the files of one load share: load.c (from beginning to commit), loadread.c (readers and chunks).
 * Internal to src/mirror. */
#ifndef TAIN_MIRROR_LOAD_LOAD_H
#define TAIN_MIRROR_LOAD_LOAD_H

#include "mirror/load/loadlog.h"
#include "mirror/mirror.h"

typedef struct tain_table_load {
    tain_mirror      *mirror;
    tain_table       *table;
    /* what it was in the snapshot, whatever the stream tells of it meanwhile */
    const tain_schema *columns;  /* the source's */
    char             *schema_name, *table_name, *memo;
    tain_loadlog     *log;       /* what survives a crash; NULL: it is read in one go */
    char             *mark;      /* of the source when it was cut; NULL: nothing can have moved */
    size_t            chunks_left;
    tain_delta_file **files;
    tain_position    *read_at;   /* of the files */
    size_t            file_count, file_capacity;
    uint64_t          rows, bytes;
    tain_position     first;     /* of what was read; the last is in the log */
    atomic_int        bad_key;   /* a column of the key + 1 in which a value was replaced, 0: none */
    struct tain_table_load *next_ready; /* complete, to be finished by a reader */
    bool              rereads;   /* only what its table's `reread` says was read, the rest is in the lake */
    bool              moved;     /* the table was written anew while it was read: what was read is worth nothing */
    bool              robbed;    /* somebody took files of it away before they were committed */
    bool              finished;  /* committed, or waiting for the stream */
    tain_error        failure;   /* code OK: none; the table's own */
} tain_table_load;

typedef struct tain_load_task { tain_table_load *load; tain_chunk chunk; size_t number; } tain_load_task;

struct tain_loading {
    tain_mirror     *mirror;
    bool             beside;   /* a stream goes on: nothing is committed before all is read */
    tain_table_load *loads;
    size_t           load_count;
    tain_load_task  *tasks;
    size_t           task_count, task_capacity, next;
    tain_table_load *ready;
    tain_reader     *own;      /* of the source thread; NULL: not opened yet */
    pthread_t       *threads;  /* readers */
    int              thread_count;
    atomic_int       running;  /* readers that have not ended */
    atomic_bool      halted;   /* nobody wants it any more */
    bool             reads;    /* a snapshot is open */
    pthread_mutex_t  lock;     /* next, loads, ready, next_epoch, and the source's reader_open */
    tain_status      status;   /* of the whole: source or lake in trouble */
    tain_error       error;
    tain_position    position; /* of the snapshot */
};

/* Trouble of the source or the lake as a whole, which the other tables would meet too. */
bool tain_load_is_everybodys(tain_status st);
/* Begins to read all tasks, on as many threads as the definition allows. What goes wrong is in g. Thread: source. */
void tain_load_read(tain_loading *g);
/* Waits for the readers. Thread: source. */
void tain_load_join(tain_loading *g);
/* A file of the table, with the position it was read at. Takes the file over. */
void tain_load_keep_file(tain_table_load *l, tain_delta_file *f, const tain_position *at);
/* Whether nothing moved while the table was read: asks through reader. */
tain_status tain_load_check_mark(tain_table_load *l, tain_reader *reader, tain_error *err);
/* Commits a table that was read at one position. Thread: any, for one table each. */
tain_status tain_load_commit(tain_loading *g, tain_table_load *l, tain_error *err);
/* Whether all of it was read at one position, which is *ret then. */
bool tain_load_is_of_one_moment(const tain_loading *g, const tain_table_load *l, tain_position *ret);

#endif
