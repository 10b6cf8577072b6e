/* SPDX-License-Identifier: MIT */
/* A table's log as others wrote it: commits, separated by a byte 0, in a store in memory. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "delta/delta.h"

static void put_log(tain_store *store, const uint8_t *data, size_t n)
{
    const uint8_t *end = data + n;
    for (int version = 0; version < 8; version++) {
        const uint8_t *zero = memchr(data, 0, (size_t)(end - data)), *stop = zero ? zero : end;
        char *key = tain_format("_delta_log/%020d.json", version);
        assert(tain_store_put(store, key, (tain_slice){data, (size_t)(stop - data)}, TAIN_PUT_IF_ABSENT, NULL) == TAIN_OK);
        free(key);
        if (!zero) return;
        data = zero + 1;
    }
}

/* The sums of a table that was accepted are those of its files. */
static void check_files(const tain_delta *t)
{
    size_t n = 0, cursor = 0;
    tain_delta_file *f;
    int64_t bytes = 0;
    for (; tain_delta_next_file(t, &cursor, &f); n++) {
        bytes += f->size;
        assert(f->live && tain_delta_find(t, f->path) == f);
        free(tain_delta_file_local_path(t, f));
        free(tain_delta_file_key(t, f));
    }
    assert(n == tain_delta_file_count(t) && bytes == tain_delta_bytes(t));
    (void)tain_delta_live_rows(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    tain_store *store = NULL;
    tain_delta *t = NULL;
    json_t *history = NULL;
    if (n == 0) return 0;
    assert(tain_store_open("memory:", true, &store, NULL) == TAIN_OK);
    put_log(store, data, n);
    if (tain_delta_open(store, &t, NULL) == TAIN_OK) {
        assert(tain_delta_meta(t)->schema);
        check_files(t);
        (void)tain_delta_txn(t, "a");
        if (tain_delta_history(t, 5, &history, NULL) == TAIN_OK) json_decref(history);
    }
    tain_delta_close(t);
    tain_store_close(store);
    return 0;
}
