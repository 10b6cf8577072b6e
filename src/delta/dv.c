/* SPDX-License-Identifier: MIT */
#include "delta/dv.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/text.h"
#include "delta/internal.h"

enum { MAGIC = 1681511377, FORMAT = 1, PREFIX_BYTES = 16 /* magic, bucket count, bucket key */, UUID_CHARS = 20 };

void tain_dv_done(tain_dv *dv)
{
    tain_free(dv->path);
    *dv = (tain_dv){0};
}

tain_dv tain_dv_copy(const tain_dv *dv)
{
    tain_dv copy = *dv;
    copy.path = tain_strdup(dv->path);
    return copy;
}

bool tain_dv_same(const tain_dv *a, const tain_dv *b)
{
    if (a->storage != b->storage) return false;
    if (!a->storage) return true;
    return a->has_offset == b->has_offset && (!a->has_offset || a->offset == b->offset) && strcmp(a->path, b->path) == 0;
}

static tain_status check_descriptor(const tain_dv *dv, const char *storage, tain_error *err)
{
    if (strlen(storage) != 1 || !strchr("uip", storage[0]))
        return tain_fail(err, TAIN_E_UNSUPPORTED, "deletion vector of storage type \"%s\"", storage);
    if (!dv->path || !dv->path[0]) return tain_fail(err, TAIN_E_CORRUPT, "deletion vector without pathOrInlineDv");
    if (dv->size <= 0 || dv->offset < 0 || dv->cardinality < 0)
        return tain_fail(err, TAIN_E_CORRUPT, "deletion vector with impossible size, offset or cardinality");
    return TAIN_OK;
}

tain_status tain_dv_from_json(const json_t *o, tain_dv *ret, tain_error *err)
{
    const char *storage = tain_json_get_str(o, "storageType", "");
    json_t     *offset = json_object_get(o, "offset");
    int64_t     size = tain_json_get_int(o, "sizeInBytes", -1), at = json_is_integer(offset) ? json_integer_value(offset) : 0;
    if (size != (int32_t)size || at != (int32_t)at)
        return tain_fail(err, TAIN_E_CORRUPT, "deletion vector with impossible size, offset or cardinality");
    tain_dv dv = {.storage = storage[0],
                  .has_offset = json_is_integer(offset),
                  .offset = (int32_t)at,
                  .size = (int32_t)size,
                  .cardinality = tain_json_get_int(o, "cardinality", -1),
                  .path = tain_strdup(tain_json_get_str(o, "pathOrInlineDv", NULL))};
    tain_status st = check_descriptor(&dv, storage, err);
    if (st != TAIN_OK) tain_dv_done(&dv);
    else *ret = dv;
    return st;
}

void tain_dv_to_json(const tain_dv *dv, tain_json *j)
{
    tain_json_object(j);
    tain_json_key(j, "storageType");
    tain_json_strn(j, &dv->storage, 1);
    tain_json_kstr(j, "pathOrInlineDv", dv->path);
    if (dv->has_offset) tain_json_kint(j, "offset", dv->offset);
    tain_json_kint(j, "sizeInBytes", dv->size);
    tain_json_kint(j, "cardinality", dv->cardinality);
    tain_json_object_end(j);
}

static char *bin_key(const char *prefix, size_t prefix_length, const uint8_t uuid[static 16])
{
    char text[37];
    tain_uuid_format(uuid, text);
    return tain_format("%.*s%sdeletion_vector_%s.bin", (int)prefix_length, prefix, prefix_length ? "/" : "", text);
}

char *tain_dv_key(const tain_dv *dv)
{
    size_t  n = dv->path ? strlen(dv->path) : 0;
    uint8_t uuid[16];
    if (dv->storage != 'u' || n < UUID_CHARS) return NULL;
    if (!tain_z85_decode(dv->path + n - UUID_CHARS, UUID_CHARS, uuid)) return NULL;
    return bin_key(dv->path, n - UUID_CHARS, uuid);
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static void put_u32(uint8_t *p, uint32_t v, bool big)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (big ? 24 - 8 * i : 8 * i));
}

static uint32_t get_u32(const uint8_t *p, bool big)
{
    return big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
               : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

void tain_dv_pack_begin(tain_dv_pack *p)
{
    tain_uuid_bytes(p->uuid);
    tain_buffer_clear(&p->bytes);
    tain_buffer_append_u8(&p->bytes, FORMAT);
}

char *tain_dv_pack_key(const tain_dv_pack *p)
{
    return bin_key("", 0, p->uuid);
}

void tain_dv_pack_add(tain_dv_pack *p, const roaring_bitmap_t *rows, tain_dv *ret)
{
    size_t   size = PREFIX_BYTES + roaring_bitmap_portable_size_in_bytes(rows);
    uint8_t *out = tain_buffer_reserve(&p->bytes, size + 8);
    put_u32(out, (uint32_t)size, true);
    put_u32(out + 4, MAGIC, false);
    put_u32(out + 8, 1, false);
    memset(out + 12, 0, 8);
    roaring_bitmap_portable_serialize(rows, (char *)out + 4 + PREFIX_BYTES);
    put_u32(out + 4 + size, (uint32_t)crc32(0, out + 4, (uInt)size), true);
    char text[UUID_CHARS + 1] = {0};
    tain_z85_encode(p->uuid, 16, text);
    *ret = (tain_dv){.storage = 'u', .has_offset = true, .offset = (int32_t)p->bytes.size, .size = (int32_t)size,
                     .cardinality = (int64_t)roaring_bitmap_get_cardinality(rows), .path = tain_strdup(text)};
    p->bytes.size += size + 8;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

tain_status tain_dv_parse(const void *data, size_t n, int64_t cardinality, roaring_bitmap_t **ret, tain_error *err)
{
    const uint8_t *p = data;
    if (n < 12 || get_u32(p, false) != MAGIC) return tain_fail(err, TAIN_E_CORRUPT, "deletion vector of unknown format");
    uint64_t          buckets = get_u32(p + 4, false) | (uint64_t)get_u32(p + 8, false) << 32;
    roaring_bitmap_t *rows = NULL;
    if (buckets == 0 && n == 12) rows = roaring_bitmap_create();
    else if (buckets == 1 && n > PREFIX_BYTES && get_u32(p + 12, false) == 0 &&
             tain_roaring_valid(p + PREFIX_BYTES, n - PREFIX_BYTES))
        rows = roaring_bitmap_portable_deserialize_safe((const char *)p + PREFIX_BYTES, n - PREFIX_BYTES);
    if (!rows) return tain_fail(err, TAIN_E_CORRUPT, "deletion vector is damaged or has rows beyond 2^32");
    if ((int64_t)roaring_bitmap_get_cardinality(rows) != cardinality) {
        tain_status st = tain_fail(err, TAIN_E_CORRUPT, "deletion vector has %lld rows where the log says %lld",
                                   (long long)roaring_bitmap_get_cardinality(rows), (long long)cardinality);
        roaring_bitmap_free(rows);
        return st;
    }
    *ret = rows;
    return TAIN_OK;
}

static tain_status load_inline(const tain_dv *dv, roaring_bitmap_t **ret, tain_error *err)
{
    size_t                            n = strlen(dv->path);
    TAIN_AUTO(tain_buffer_done) tain_buffer b = {0};
    if (n % 5 || !tain_z85_decode(dv->path, n, tain_buffer_reserve(&b, n / 5 * 4 + 1)) || (size_t)dv->size > n / 5 * 4)
        return tain_fail(err, TAIN_E_CORRUPT, "inline deletion vector is not Z85 or too short");
    return tain_dv_parse(b.data, (size_t)dv->size, dv->cardinality, ret, err);
}

/* Bytes as they lie in the file: size, payload, checksum. */
static tain_status check_framed(const tain_buffer *b, const tain_dv *dv, roaring_bitmap_t **ret, tain_error *err)
{
    uint32_t size = (uint32_t)dv->size;
    if (get_u32(b->data, true) != size)
        return tain_fail(err, TAIN_E_CORRUPT, "deletion vector has %u bytes where the log says %u", get_u32(b->data, true), size);
    if (get_u32(b->data + 4 + size, true) != (uint32_t)crc32(0, b->data + 4, size))
        return tain_fail(err, TAIN_E_CORRUPT, "deletion vector fails its checksum");
    return tain_dv_parse(b->data + 4, size, dv->cardinality, ret, err);
}

static tain_status load_key(tain_store *store, const char *key, const tain_dv *dv, roaring_bitmap_t **ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer b = {0};
    int64_t     offset = dv->has_offset ? dv->offset : 1; /* the only place a first vector can be */
    tain_status st = tain_store_get(store, key, offset, (int64_t)dv->size + 8, &b, err);
    if (st == TAIN_E_NOT_FOUND) st = tain_fail(err, TAIN_E_CORRUPT, "the file is missing");
    if (st == TAIN_OK) st = check_framed(&b, dv, ret, err);
    if (st != TAIN_OK) tain_error_context(err, "%s at %lld", key, (long long)offset);
    return st;
}

static tain_status load_absolute(tain_store *folder, const tain_dv *dv, roaring_bitmap_t **ret, tain_error *err)
{
    char *path = tain_delta_local_path(folder, dv->path), *slash = path ? strrchr(path, '/') : NULL;
    if (!slash) {
        tain_free(path);
        return tain_fail(err, TAIN_E_UNSUPPORTED, "deletion vector at %s", dv->path);
    }
    tain_store *store = NULL;
    *slash = 0;
    tain_status st = tain_store_open(slash == path ? "/" : path, false, &store, err);
    if (st == TAIN_OK) st = load_key(store, slash + 1, dv, ret, err);
    tain_store_close(store);
    tain_free(path);
    return st;
}

tain_status tain_dv_load(tain_store *folder, const tain_dv *dv, roaring_bitmap_t **ret, tain_error *err)
{
    if (dv->storage == 'i') return load_inline(dv, ret, err);
    if (dv->storage == 'p') return load_absolute(folder, dv, ret, err);
    char *key = tain_dv_key(dv);
    if (!key) return tain_fail(err, TAIN_E_CORRUPT, "deletion vector path \"%s\" is not Z85", dv->path);
    tain_status st = load_key(folder, key, dv, ret, err);
    tain_free(key);
    return st;
}
