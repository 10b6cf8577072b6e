/* SPDX-License-Identifier: MIT */
#include "delta/internal.h"

static json_t *find_info(tain_slice text, int64_t version)
{
    const char *p = (const char *)text.data, *end = p + text.size;
    json_t     *info = json_pack("{s:I}", "version", (json_int_t)version);
    while (p < end) {
        const char  *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end;
        json_error_t e;
        json_t      *o = memmem(p, (size_t)(stop - p), "\"commitInfo\"", 12) ? json_loadb(p, (size_t)(stop - p), 0, &e) : NULL;
        json_t      *found = json_object_get(o, "commitInfo");
        if (found) json_object_update_missing(info, found);
        json_decref(o);
        if (found) break;
        p = stop + 1;
    }
    return info;
}

tain_status tain_delta_history(tain_delta *t, size_t n, json_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    json_t     *list = json_array();
    tain_status st = TAIN_OK;
    for (int64_t v = t->version; v >= 0 && json_array_size(list) < n && st == TAIN_OK; v--) {
        char *key = tain_log_key(v, ".json");
        tain_buffer_clear(&text);
        st = tain_store_get(t->store, key, 0, -1, &text, err);
        if (st == TAIN_OK) json_array_append_new(list, find_info(tain_buffer_slice(&text), v));
        tain_free(key);
    }
    if (st != TAIN_OK && st != TAIN_E_NOT_FOUND) {
        json_decref(list);
        return st;
    }
    *ret = list;
    return TAIN_OK;
}
