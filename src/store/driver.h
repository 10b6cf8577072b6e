/* SPDX-License-Identifier: MIT */
/* driver.h -- what the drivers of this folder share; not for other modules.
 *
 * A driver's functions get arguments that store.c has checked. It frees what is its own in close; store.c frees url, path
 * and the struct. */
#ifndef TAIN_STORE_DRIVER_H
#define TAIN_STORE_DRIVER_H

#include "store/store.h"

tain_store *tain_store_memory(void);
/* path: any, relative ones are taken from the working directory. */
tain_status tain_store_posix(const char *url, const char *path, bool create, tain_store **ret, tain_error *err);
/* Caller frees. */
char *tain_store_absolute(const char *path);
/* Makes a posix store go the way it goes on file systems without nameless files, for tests. */
void tain_store_posix_named(tain_store *s);

/* What get's offset and length mean for an object of size bytes. False: it is too short. */
bool tain_store_range(int64_t size, int64_t offset, int64_t length, int64_t *ret_begin, int64_t *ret_count);
/* The error for it. */
tain_status tain_store_short(const tain_store *s, const char *key, int64_t size, int64_t offset, int64_t length, tain_error *err);

#endif
