/* SPDX-License-Identifier: MIT */
/* posix.h -- what the files of the posix driver share. */
#ifndef TAIN_STORE_POSIX_H
#define TAIN_STORE_POSIX_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/map.h"
#include "store/driver.h"

typedef struct posix {
    tain_store      base;
    int             root;     /* O_PATH */
    atomic_bool     named;    /* the file system has no nameless files */
    atomic_uint     temporal; /* makes temporary names differ */
    pthread_mutex_t lock;     /* of durable */
    tain_map        durable;  /* folders that exist and whose names are on disk, so that a put need not look */
} posix;

/* errno as error: "cannot <what> <path>/<key>: ...", with a remedy for a full disk and for want of permission. */
tain_status tain_posix_fail(const posix *p, const char *what, const char *key, tain_error *err);
/* UNKNOWN, with errno: what is at key is in its place, but syncing it there failed. */
tain_status tain_posix_unsure(const posix *p, const char *key, tain_error *err);
/* Forgets which folders are known to exist, because some are going away. */
void tain_posix_forget_folders(posix *p);
/* Makes folder ("a/b", "" the root) and its parents, all names on disk. */
tain_status tain_posix_make_folder(posix *p, const char *folder, tain_error *err);
/* Puts the names in folder on disk. */
tain_status tain_posix_sync_folder(const posix *p, const char *folder, tain_error *err);
/* The folder that key is in; caller frees. */
char     *tain_posix_folder_of(const char *key);
tain_time tain_posix_modified(const struct stat *st);

tain_status tain_posix_list(tain_store *s, const char *prefix, const char *after,
                            bool (*each)(void *ctx, const tain_object *o), void *ctx, tain_error *err);
tain_status tain_posix_remove_all(tain_store *s, const char *prefix, tain_error *err);

tain_status tain_posix_put(tain_store *s, const char *key, tain_slice data, unsigned flags, tain_error *err);
tain_status tain_posix_upload(tain_store *s, const char *key, tain_upload **ret, tain_error *err);
tain_status tain_posix_upload_write(tain_upload *u, const void *data, size_t n, tain_error *err);
tain_status tain_posix_upload_copy(tain_upload *u, const char *path, int64_t offset, int64_t n, int64_t *ret, tain_error *err);
tain_status tain_posix_upload_finish(tain_upload *u, tain_error *err);
void        tain_posix_upload_abort(tain_upload *u);

#endif
