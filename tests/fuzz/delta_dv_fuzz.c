/* SPDX-License-Identifier: MIT */
/* Deletion vectors and their descriptors as other engines wrote them. First byte: the cardinality claimed. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "delta/dv.h"

static void check_vector(const uint8_t *data, size_t n, int64_t cardinality)
{
    roaring_bitmap_t *rows = NULL;
    if (tain_dv_parse(data, n, cardinality, &rows, NULL) != TAIN_OK) return;
    assert((int64_t)roaring_bitmap_get_cardinality(rows) == cardinality);
    tain_dv dv = {0};
    tain_dv_pack pack = {0};
    tain_dv_pack_begin(&pack);
    if (cardinality > 0) {
        tain_dv_pack_add(&pack, rows, &dv);
        assert(dv.storage == 'u' && dv.has_offset && dv.cardinality == cardinality);
    }
    tain_dv_done(&dv);
    tain_buffer_done(&pack.bytes);
    roaring_bitmap_free(rows);
}

static void check_descriptor(const uint8_t *data, size_t n)
{
    json_t *o = NULL;
    tain_dv dv = {0};
    if (tain_json_parse(data, n, "input", &o, NULL) != TAIN_OK) return;
    if (tain_dv_from_json(o, &dv, NULL) == TAIN_OK) {
        roaring_bitmap_t *rows = NULL;
        char *key = tain_dv_key(&dv);
        if (dv.storage == 'i' && tain_dv_load(NULL, &dv, &rows, NULL) == TAIN_OK) roaring_bitmap_free(rows);
        tain_dv copy = tain_dv_copy(&dv);
        assert(tain_dv_same(&dv, &copy));
        tain_dv_done(&copy);
        free(key);
    }
    tain_dv_done(&dv);
    json_decref(o);
}

static void check_z85(const uint8_t *data, size_t n)
{
    uint8_t bytes[64];
    char text[80];
    n = n / 5 * 5 < sizeof text ? n / 5 * 5 : sizeof text;
    if (!tain_z85_decode((const char *)data, n, bytes)) return;
    tain_z85_encode(bytes, n / 5 * 4, text);
    assert(n == 0 || memcmp(text, data, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0) return 0;
    check_vector(data + 1, n - 1, data[0]);
    check_descriptor(data, n);
    check_z85(data, n);
    return 0;
}
