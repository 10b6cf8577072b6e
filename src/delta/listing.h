/* SPDX-License-Identifier: MIT */
/* listing.h -- what lies in _delta_log. Thread: any. */
#ifndef TAIN_DELTA_LISTING_H
#define TAIN_DELTA_LISTING_H

#include "delta/internal.h"

typedef struct tain_log_object {
    tain_log_name name;
    char         *key;
    int64_t       size;
    tain_time     modified;
} tain_log_object;

typedef struct tain_log_listing {
    tain_log_object *objects; /* versions ascending; names of no version are left out */
    size_t           count, capacity;
} tain_log_listing;

/* Objects of version `from` and above. */
tain_status tain_log_list(tain_store *store, int64_t from, tain_log_listing *ret, tain_error *err);
void        tain_log_listing_done(tain_log_listing *l);
/* Newest commit version, -1: none. */
int64_t tain_log_newest(const tain_log_listing *l);
/* Newest complete checkpoint at or below version that we can read: its objects' keys (borrowed; array is the caller's)
 * and bytes. -1: none. */
int64_t tain_log_checkpoint(const tain_log_listing *l, int64_t version, char ***ret_keys, size_t *ret_n, int64_t *ret_bytes);
/* Its version alone. */
int64_t tain_log_checkpoint_version(const tain_log_listing *l, int64_t version);
/* Whether there is a checkpoint of a kind that we do not read. */
bool tain_log_has_v2(const tain_log_listing *l);

#endif
