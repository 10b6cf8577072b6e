/* SPDX-License-Identifier: MIT */
/* store.h -- objects by key under one root: a folder, a bucket prefix, or memory.
 *
 * Keys are relative, separated by '/', never begin with one, and name whole objects. What must stay true:
 *   - no reader ever sees part of an object;
 *   - with TAIN_PUT_IF_ABSENT one writer wins and all others get EXISTS;
 *   - list sees every put that has returned;
 *   - when a put or finish returns OK, the object survives a power cut.
 * If the answer to a put was lost the store returns UNKNOWN and does not retry: the caller reads back and looks whose
 * it is. A store is used through the functions below, which check arguments; drivers fill tain_store_ops. Thread: any. */
#ifndef TAIN_STORE_STORE_H
#define TAIN_STORE_STORE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/time.h"

typedef struct tain_store  tain_store;
typedef struct tain_upload tain_upload;

typedef struct tain_object {
    const char *key; /* borrowed, relative to the store's root */
    int64_t     size;
    tain_time   modified;
} tain_object;

enum { TAIN_PUT_IF_ABSENT = 1 };

typedef struct tain_store_ops {
    const char *scheme; /* "file", "memory", "fault" */
    tain_status (*get)(tain_store *s, const char *key, int64_t offset, int64_t length, tain_buffer *io, tain_error *err);
    tain_status (*head)(tain_store *s, const char *key, tain_object *ret, tain_error *err);
    tain_status (*put)(tain_store *s, const char *key, tain_slice data, unsigned flags, tain_error *err);
    tain_status (*list)(tain_store *s, const char *prefix, const char *after,
                        bool (*each)(void *ctx, const tain_object *o), void *ctx, tain_error *err);
    tain_status (*remove)(tain_store *s, const char *key, tain_error *err);
    tain_status (*upload)(tain_store *s, const char *key, tain_upload **ret, tain_error *err);
    tain_status (*upload_write)(tain_upload *u, const void *data, size_t n, tain_error *err);
    /* Takes what it can of n bytes of a local file without reading them: *ret of them, may be 0. NULL: nothing. */
    tain_status (*upload_copy)(tain_upload *u, const char *path, int64_t offset, int64_t n, int64_t *ret, tain_error *err);
    tain_status (*upload_finish)(tain_upload *u, tain_error *err);
    void        (*upload_abort)(tain_upload *u);
    tain_status (*remove_all)(tain_store *s, const char *prefix, tain_error *err); /* prefix: a folder, or "" */
    tain_status (*rename)(tain_store *s, const char *from, const char *to, tain_error *err);
    void        (*close)(tain_store *s);
} tain_store_ops;

struct tain_store { /* embedded first by drivers */
    const tain_store_ops *ops;
    char                 *url;  /* as opened, for messages */
    char                 *path; /* absolute path of the folder behind it, NULL when there is none */
};
struct tain_upload { /* embedded first by drivers */
    tain_store *store;
    int64_t     size; /* bytes written so far */
};

/* Opens the root that url names: a path, file:///path or file:path, memory:, later s3:// and others. create: make the folder.
 * NOT_FOUND when it does not exist and create is false. */
tain_status tain_store_open(const char *url, bool create, tain_store **ret, tain_error *err);
void        tain_store_close(tain_store *s); /* accepts NULL */
/* A store that passes everything on to inner (which it owns) and fails the n-th call (from 1) with IO, for tests;
 * n = 0 never. torn: a failing put or finish leaves its effect behind and answers UNKNOWN. Every call that can fail
 * counts, whatever it does; calls are those since the store was made or armed. */
tain_store *tain_store_fault(tain_store *inner, uint64_t n, bool torn);
uint64_t    tain_store_fault_calls(const tain_store *s);
void        tain_store_fault_arm(tain_store *s, uint64_t n, bool torn);
/* A view of everything below prefix ("Tables/main/t"), sharing s, which must outlive it. */
tain_store *tain_store_sub(tain_store *s, const char *prefix);
/* Absolute path of the folder behind a posix store (or a view of one, or one with faults), NULL for others. */
const char *tain_store_path(const tain_store *s);
/* Absolute path of the folder that url names, there or not; NULL when it names none of this machine. Caller frees. */
char *tain_store_path_of(const char *url);

/* INVALID from any of these: a key that is empty, begins or ends with '/', or has an empty part or one that is ".", ".."
 * or begins with ".tmp-". */

/* Appends length bytes from offset (length -1: to the end; offset -n: the last n bytes). NOT_FOUND when absent,
 * CORRUPT when it is shorter than asked; io is then as it was. */
tain_status tain_store_get(tain_store *s, const char *key, int64_t offset, int64_t length, tain_buffer *io, tain_error *err);
tain_status tain_store_head(tain_store *s, const char *key, tain_object *ret, tain_error *err);
/* Without TAIN_PUT_IF_ABSENT an object of that name is replaced in one step. */
tain_status tain_store_put(tain_store *s, const char *key, tain_slice data, unsigned flags, tain_error *err);
/* Objects whose key begins with prefix and is greater than after (NULL: all), in byte order; sub-folders included.
 * each returns false to stop. A prefix that does not exist has no objects. */
tain_status tain_store_list(tain_store *s, const char *prefix, const char *after,
                            bool (*each)(void *ctx, const tain_object *o), void *ctx, tain_error *err);
tain_status tain_store_remove(tain_store *s, const char *key, tain_error *err); /* idempotent */
/* Everything below prefix; a folder itself too. Idempotent. */
tain_status tain_store_remove_all(tain_store *s, const char *prefix, tain_error *err);
/* Moves a folder (all keys below from/) to to/. Atomic where the store can. NOT_FOUND when there is nothing to move,
 * EXISTS when there is something below to/. UNKNOWN: it is moved, but may be back after a power cut. */
tain_status tain_store_rename(tain_store *s, const char *from, const char *to, tain_error *err);

/* A large object, written in pieces; invisible until finished, then replaces what had its name. abort accepts NULL.
 * finish and abort free it, also when finish fails; a failed write leaves it to be aborted. */
tain_status tain_store_upload(tain_store *s, const char *key, tain_upload **ret, tain_error *err);
tain_status tain_upload_write(tain_upload *u, const void *data, size_t n, tain_error *err);
/* Appends n bytes from offset of an object, without reading them where that is possible. */
tain_status tain_upload_copy(tain_upload *u, tain_store *from, const char *key, int64_t offset, int64_t n, tain_error *err);
tain_status tain_upload_finish(tain_upload *u, tain_error *err);
void        tain_upload_abort(tain_upload *u);

TAIN_AUTO_DEFINE(tain_store, tain_store_close)

#endif
