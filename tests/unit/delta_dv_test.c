/* SPDX-License-Identifier: MIT */
#include "delta_fixture.h"

#include "base/text.h"

static size_t unhex(const char *text, uint8_t *out)
{
    size_t n = 0;
    for (unsigned v; *text; text += *text == ' ' ? 1 : 2)
        if (*text != ' ') sscanf(text, "%2x", &v), out[n++] = (uint8_t)v;
    return n;
}

static void z85_of_uuids(void **state)
{
    static const struct {
        const char *uuid, *z85;
    } vectors[] = {{"d2c639aa8816431aaaf6d3fe2512ff61", "^-aqEH.-t@S}K{vb[*k^"}, {"61d16c75699446b7a15b8b538852e50e", "vBn[lx{q8@P<9BNH/isA"}};
    for (size_t i = 0; i < 2; i++) {
        uint8_t uuid[16], back[16];
        char    text[21] = {0};
        assert_int_equal(unhex(vectors[i].uuid, uuid), 16);
        tain_z85_encode(uuid, 16, text);
        assert_string_equal(text, vectors[i].z85);
        assert_true(tain_z85_decode(vectors[i].z85, 20, back));
        assert_memory_equal(uuid, back, 16);
    }
}

static void z85_refuses(void **state)
{
    uint8_t out[8];
    assert_false(tain_z85_decode("abcd", 4, out));       /* no whole group */
    assert_false(tain_z85_decode("ab\"cd", 5, out));     /* no such character */
    assert_false(tain_z85_decode("#####", 5, out));      /* beyond 2^32 */
    assert_true(tain_z85_decode("%nSc0", 5, out));       /* 2^32 - 1 */
    assert_memory_equal(out, "\xff\xff\xff\xff", 4);
}

static void bin_bytes(void **state)
{
    uint8_t           wanted[64];
    size_t            n = unhex("01 00000024 d1d33964 0100000000000000 00000000 3a300000 01000000 00000100 10000000 00000100 e2be924e", wanted);
    roaring_bitmap_t *rows = roaring_bitmap_of(2, 0, 1);
    tain_dv_pack      pack = {0};
    tain_dv           dv;
    tain_dv_pack_begin(&pack);
    tain_dv_pack_add(&pack, rows, &dv);
    assert_int_equal(n, 45);
    assert_int_equal(pack.bytes.size, n);
    assert_memory_equal(pack.bytes.data, wanted, n);
    assert_int_equal(dv.offset, 1);
    assert_int_equal(dv.size, 36);
    assert_int_equal(dv.cardinality, 2);
    assert_int_equal(dv.storage, 'u');
    assert_true(dv.has_offset);
    tain_dv_done(&dv);
    tain_buffer_done(&pack.bytes);
    roaring_bitmap_free(rows);
}

static void run_container_bytes(void **state)
{
    uint8_t           wanted[64];
    size_t            n = unhex("d1d33964 0100000000000000 00000000 3b300000 01 00006300 0100 00006300", wanted);
    roaring_bitmap_t *rows = roaring_bitmap_from_range(0, 100, 1), *back;
    tain_dv_pack      pack = {0};
    tain_dv           dv;
    roaring_bitmap_run_optimize(rows);
    tain_dv_pack_begin(&pack);
    tain_dv_pack_add(&pack, rows, &dv);
    assert_int_equal(dv.size, 31);
    assert_int_equal(n, 31);
    assert_memory_equal(pack.bytes.data + 5, wanted, n);
    assert_ok(tain_dv_parse(wanted, n, 100, &back, err));
    assert_true(roaring_bitmap_equals(rows, back));
    roaring_bitmap_free(back);
    tain_dv_done(&dv);
    tain_buffer_done(&pack.bytes);
    roaring_bitmap_free(rows);
}

static void inline_vector(void **state)
{
    tain_store       *s = memory_store();
    roaring_bitmap_t *wanted = roaring_bitmap_of(6, 3, 4, 7, 11, 18, 29), *rows;
    tain_dv           dv = {.storage = 'i', .size = 44, .cardinality = 6, .path = (char *)"^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"};
    assert_ok(tain_dv_load(s, &dv, &rows, err));
    assert_true(roaring_bitmap_equals(rows, wanted));
    roaring_bitmap_free(rows);
    dv.path = (char *)"wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"; /* the older layout */
    dv.size = 40;
    assert_fails(tain_dv_load(s, &dv, &rows, err), TAIN_E_CORRUPT, "deletion vector");
    roaring_bitmap_free(wanted);
    tain_store_close(s);
}

/* --- files ---------------------------------------------------------------------------------------------------------------- */

static tain_dv stored(tain_store *s, tain_dv_pack *pack, const roaring_bitmap_t *rows)
{
    tain_dv dv;
    tain_dv_pack_add(pack, rows, &dv);
    char *key = tain_dv_pack_key(pack), *same = tain_dv_key(&dv);
    assert_string_equal(key, same);
    assert_ok(tain_store_put(s, key, tain_buffer_slice(&pack->bytes), 0, err));
    tain_free(key);
    tain_free(same);
    return dv;
}

static void many_in_one_file(void **state)
{
    enum { VECTORS = 12 };
    unsigned          seed = (unsigned)tain_now();
    tain_store       *s = memory_store();
    tain_dv_pack      pack = {0};
    tain_dv           dvs[VECTORS];
    roaring_bitmap_t *sets[VECTORS], *back;
    print_message("seed %u\n", seed);
    srand(seed);
    tain_dv_pack_begin(&pack);
    for (unsigned i = 0; i < VECTORS; i++) {
        sets[i] = roaring_bitmap_create();
        for (unsigned k = 0; k < (1u << i); k++) roaring_bitmap_add(sets[i], (uint32_t)rand() % (1000u << i)); /* arrays, then bitsets */
        if (i % 3 == 1) roaring_bitmap_add_range(sets[i], 70000, 70000 + (60000u << (i / 4)));           /* runs */
        if (i % 2) roaring_bitmap_run_optimize(sets[i]);
        dvs[i] = stored(s, &pack, sets[i]);
        if (i) assert_int_equal(dvs[i].offset, dvs[i - 1].offset + dvs[i - 1].size + 8);
    }
    for (unsigned i = 0; i < VECTORS; i++) {
        assert_ok(tain_dv_load(s, &dvs[i], &back, err));
        assert_true(roaring_bitmap_equals(sets[i], back));
        roaring_bitmap_free(back);
        roaring_bitmap_free(sets[i]);
        tain_dv_done(&dvs[i]);
    }
    tain_buffer_done(&pack.bytes);
    tain_store_close(s);
}

/* Each change of one stored vector that readers refuse is refused here. */
static void damage(void **state)
{
    tain_store       *s = memory_store();
    tain_dv_pack      pack = {0};
    roaring_bitmap_t *rows = roaring_bitmap_of(3, 1, 5, 7), *back;
    tain_dv_pack_begin(&pack);
    tain_dv dv = stored(s, &pack, rows), bad = dv;
    char   *key = tain_dv_key(&dv);
    bad.cardinality = 2;
    assert_fails(tain_dv_load(s, &bad, &back, err), TAIN_E_CORRUPT, "3 rows where the log says 2");
    bad = dv, bad.size -= 4;
    assert_fails(tain_dv_load(s, &bad, &back, err), TAIN_E_CORRUPT, key);
    bad = dv, bad.size += 4;
    assert_fails(tain_dv_load(s, &bad, &back, err), TAIN_E_CORRUPT, key);
    bad = dv, bad.offset = 0;
    assert_fails(tain_dv_load(s, &bad, &back, err), TAIN_E_CORRUPT, key);
    bad = dv, bad.has_offset = false; /* the first vector is the only one it can mean */
    assert_ok(tain_dv_load(s, &bad, &back, err));
    roaring_bitmap_free(back);
    for (size_t i = 1; i < pack.bytes.size; i++) { /* any byte behind the version byte */
        pack.bytes.data[i] ^= 0x10;
        assert_ok(tain_store_put(s, key, tain_buffer_slice(&pack.bytes), 0, err));
        assert_fails(tain_dv_load(s, &dv, &back, err), TAIN_E_CORRUPT, "deletion vector");
        pack.bytes.data[i] ^= 0x10;
    }
    assert_ok(tain_store_remove(s, key, err));
    assert_fails(tain_dv_load(s, &dv, &back, err), TAIN_E_CORRUPT, "missing");
    tain_free(key);
    tain_dv_done(&dv);
    tain_buffer_done(&pack.bytes);
    roaring_bitmap_free(rows);
    tain_store_close(s);
}

/* Without a checksum in between, no bytes make the reader crash, and what passes is in order. */
static void random_damage_of_bitmaps(void **state)
{
    unsigned          seed = (unsigned)tain_now();
    roaring_bitmap_t *rows = roaring_bitmap_create();
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 6000; i++) roaring_bitmap_add(rows, (uint32_t)rand() % 65536);
    for (int i = 0; i < 100; i++) roaring_bitmap_add(rows, 65536 + (uint32_t)rand() % 65536);
    roaring_bitmap_add_range(rows, 140000, 180000);
    roaring_bitmap_add_range(rows, 300000, 300010);
    roaring_bitmap_run_optimize(rows);
    size_t   n = roaring_bitmap_portable_size_in_bytes(rows);
    uint8_t *good = malloc(n), *bad = malloc(n);
    roaring_bitmap_portable_serialize(rows, (char *)good);
    assert_true(tain_roaring_valid(good, n));
    assert_false(tain_roaring_valid(good, n - 1));
    for (int round = 0; round < 20000; round++) {
        memcpy(bad, good, n);
        size_t at = (size_t)rand() % (round % 2 ? n : 64);
        bad[at] = (uint8_t)(bad[at] ^ (1 + rand() % 255));
        if (!tain_roaring_valid(bad, n)) continue;
        roaring_bitmap_t *read = roaring_bitmap_portable_deserialize_safe((char *)bad, n);
        assert_non_null(read);
        uint64_t                   count = 0;
        roaring_uint32_iterator_t *it = roaring_create_iterator(read);
        for (uint32_t last = 0; it->has_value; roaring_advance_uint32_iterator(it), count++) {
            assert_true(!count || it->current_value > last);
            last = it->current_value;
        }
        assert_int_equal(count, roaring_bitmap_get_cardinality(read));
        roaring_free_uint32_iterator(it);
        roaring_bitmap_free(read);
    }
    free(good);
    free(bad);
    roaring_bitmap_free(rows);
}

static void descriptors(void **state)
{
    json_error_t e;
    tain_dv      dv;
    json_t *o = json_loads("{\"storageType\":\"u\",\"pathOrInlineDv\":\"ab^-aqEH.-t@S}K{vb[*k^\",\"offset\":4,\"sizeInBytes\":40,\"cardinality\":6}", 0, &e);
    assert_ok(tain_dv_from_json(o, &dv, err));
    char *key = tain_dv_key(&dv);
    assert_string_equal(key, "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
    tain_free(key);
    tain_dv other = dv;
    assert_true(tain_dv_same(&dv, &other));
    other.has_offset = false; /* absent and 0 are different keys */
    other.offset = dv.offset = 0;
    assert_false(tain_dv_same(&dv, &other));
    tain_dv_done(&dv);
    json_object_set_new(o, "storageType", json_string("r"));
    assert_fails(tain_dv_from_json(o, &dv, err), TAIN_E_UNSUPPORTED, "\"r\"");
    json_object_set_new(o, "storageType", json_string("u"));
    json_object_set_new(o, "offset", json_integer(5000000000));
    assert_fails(tain_dv_from_json(o, &dv, err), TAIN_E_CORRUPT, "offset");
    json_object_set_new(o, "offset", json_integer(4 - 4294967296)); /* 4, were it cut to 32 bits */
    assert_fails(tain_dv_from_json(o, &dv, err), TAIN_E_CORRUPT, "offset");
    json_object_set_new(o, "offset", json_integer(4));
    json_object_set_new(o, "sizeInBytes", json_integer(40 - 4294967296));
    assert_fails(tain_dv_from_json(o, &dv, err), TAIN_E_CORRUPT, "size");
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(z85_of_uuids),     cmocka_unit_test(z85_refuses), cmocka_unit_test(bin_bytes),
        cmocka_unit_test(run_container_bytes), cmocka_unit_test(inline_vector), cmocka_unit_test(many_in_one_file),
        cmocka_unit_test(damage),           cmocka_unit_test(random_damage_of_bitmaps), cmocka_unit_test(descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
