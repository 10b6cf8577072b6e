/* SPDX-License-Identifier: MIT */
#include "delta/internal.h"

#define HINT "_delta_log/_last_checkpoint"

/* A checksum, where there is one, must be right: else the text is torn. */
static bool checksum_holds(const json_t *o)
{
    const char *said = tain_json_get_str(o, "checksum", NULL);
    char        is[33];
    if (!said) return true;
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_canonical_json(o, &text);
    tain_md5_hex(text.data, text.size, is);
    return strcmp(said, is) == 0;
}

bool tain_hint_read(tain_store *store, tain_hint *ret)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    json_error_t e;
    if (tain_store_get(store, HINT, 0, -1, &text, NULL) != TAIN_OK || !text.size) return false;
    json_t *o = json_loadb((const char *)text.data, text.size, 0, &e);
    *ret = (tain_hint){.version = tain_json_get_int(o, "version", -1), .size = tain_json_get_int(o, "size", -1),
                       .bytes = tain_json_get_int(o, "sizeInBytes", -1), .files = tain_json_get_int(o, "numOfAddFiles", -1)};
    bool usable = json_is_object(o) && ret->version >= 0 && checksum_holds(o);
    json_decref(o);
    return usable;
}

/* Hadoop keeps checksums beside files on local disks, and would hold ours against what it once wrote itself. */
static void remove_foreign_checksum(tain_store *store)
{
    if (tain_store_path(store)) (void)!tain_store_remove(store, "_delta_log/._last_checkpoint.crc", NULL);
}

tain_status tain_hint_write(tain_store *store, const tain_hint *hint, tain_error *err)
{
    char    sum[33];
    json_t *o = json_pack("{s:I, s:I, s:I, s:I}", "version", (json_int_t)hint->version, "size", (json_int_t)hint->size,
                          "sizeInBytes", (json_int_t)hint->bytes, "numOfAddFiles", (json_int_t)hint->files);
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    tain_canonical_json(o, &text);
    tain_md5_hex(text.data, text.size, sum);
    json_decref(o);
    tain_buffer_clear(&text);
    tain_buffer_printf(&text, "{\"version\":%lld,\"size\":%lld,\"sizeInBytes\":%lld,\"numOfAddFiles\":%lld,\"checksum\":\"%s\"}",
                       (long long)hint->version, (long long)hint->size, (long long)hint->bytes, (long long)hint->files, sum);
    remove_foreign_checksum(store);
    return tain_store_put(store, HINT, tain_buffer_slice(&text), 0, err);
}
