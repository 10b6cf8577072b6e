/* SPDX-License-Identifier: MIT */
/* memory.h, buffer.h, map.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/map.h"
#include "base/text.h"

static uint32_t seed;

static uint32_t below(uint32_t n)
{
    return (uint32_t)rand_r(&seed) % n;
}

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i]) return false;
    }
    return true;
}

static void test_arena(void **state)
{
    enum { COUNT = 2000 };
    static struct {
        uint8_t *p;
        size_t   n;
    } got[COUNT];
    tain_arena a;
    tain_arena_init(&a);
    for (int round = 0; round < 3; round++) {
        size_t total = 0;
        for (int i = 0; i < COUNT; i++) {
            size_t n = below(50) ? below(300) : below(200000);
            got[i].n = n;
            got[i].p = tain_arena_alloc(&a, n);
            total += n;
            assert_int_equal((uintptr_t)got[i].p % 16, 0);
            assert_true(all_zero(got[i].p, n));
            memset(got[i].p, 1 + i % 255, n);
        }
        for (int i = 0; i < COUNT; i++) {
            for (size_t k = 0; k < got[i].n; k++) assert_int_equal(got[i].p[k], 1 + i % 255);
        }
        assert_int_equal(a.used, total);
        tain_arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
    assert_string_equal(tain_arena_strndup(&a, "hello", 4), "hell");
    assert_string_equal(tain_arena_format(&a, "%d-%s", 5, "x"), "5-x");
    for (int n = 250; n < 260; n++) assert_int_equal(strlen(tain_arena_format(&a, "%*d", n, 1)), n);
    tain_arena_done(&a);
    assert_null(a.blocks);
}

/* A reset arena that is filled alike again takes no more memory. */
static void test_arena_keeps_first_block(void **state)
{
    tain_arena a;
    tain_arena_init(&a);
    void *first = tain_arena_alloc(&a, 100);
    for (int i = 0; i < 100; i++) tain_arena_alloc(&a, 5000);
    tain_arena_reset(&a);
    assert_ptr_equal(tain_arena_alloc(&a, 100), first);
    tain_arena_done(&a);
}

static void test_text_copies(void **state)
{
    assert_null(tain_strdup(NULL));
    char *a = tain_strdup("abc"), *b = tain_strndup("abcdef", 2), *c = tain_format("%s|%03d", a, 7);
    assert_string_equal(a, "abc");
    assert_string_equal(b, "ab");
    assert_string_equal(c, "abc|007");
    tain_free(a);
    tain_free(b);
    tain_free(c);
}

static void test_buffer(void **state)
{
    tain_buffer b = {0}, other = {0};
    for (int i = 0; i < 10000; i++) tain_buffer_append(&b, &i, sizeof i);
    assert_int_equal(b.size, 40000);
    for (int i = 0; i < 10000; i++) assert_memory_equal(b.data + 4 * i, &i, sizeof i);
    tain_buffer_append_str(&other, "old");
    tain_buffer_move(&other, &b);
    assert_int_equal(other.size, 40000);
    assert_int_equal(b.size + b.capacity, 0);
    tain_buffer_clear(&other);
    tain_buffer_append_u8(&other, 'a');
    tain_buffer_append_zero(&other, 3);
    tain_buffer_append(&other, NULL, 0);
    assert_memory_equal(other.data, "a\0\0", 4);
    assert_int_equal(tain_buffer_slice(&other).size, 4);
    tain_buffer_done(&other);
    assert_string_equal(tain_buffer_cstr(&b), "");
    tain_buffer_done(&b);
}

static void test_buffer_printf(void **state)
{
    tain_buffer b = {0};
    char        want[4000];
    for (size_t n = 0; n < 3000; n += 1 + n / 3) {
        snprintf(want, sizeof want, "%s%*d|", tain_buffer_cstr(&b), (int)n, 7);
        tain_buffer_printf(&b, "%*d|", (int)n, 7);
        assert_string_equal(tain_buffer_cstr(&b), want);
        if (b.size > 1000) tain_buffer_done(&b);
    }
    tain_buffer_done(&b);
}

/* Against a plain array, which is right because it is slow. */
static void test_map_model(void **state)
{
    enum { KEYS = 300 };
    tain_map m = {0};
    void    *value[KEYS] = {0};
    int      order[KEYS], live = 0; /* keys in insertion order */
    for (int step = 0; step < 20000; step++) {
        int  k = (int)below(KEYS), at = 0;
        char key[32];
        snprintf(key, sizeof key, "%d", k * 7919);
        while (at < live && order[at] != k) at++;
        if (below(5) < (step / 2000 % 2 ? 3 : 1)) {
            assert_ptr_equal(tain_map_remove(&m, key), value[k]);
            if (at < live) memmove(order + at, order + at + 1, (size_t)(--live - at) * sizeof order[0]);
            value[k] = NULL;
        } else {
            void *v = &order[below(KEYS)];
            assert_ptr_equal(tain_map_put(&m, key, v), value[k]);
            if (at == live) order[live++] = k;
            value[k] = v;
        }
        assert_ptr_equal(tain_map_get(&m, key), value[k]);
        assert_int_equal(m.count, live);
        if (step % 100) continue;
        int         seen = 0;
        const char *name;
        void       *v;
        TAIN_MAP_EACH(&m, cursor, name, v) {
            assert_int_equal(atoi(name), order[seen] * 7919);
            assert_ptr_equal(v, value[order[seen]]);
            seen++;
        }
        assert_int_equal(seen, live);
    }
    tain_map_done(&m);
    assert_null(tain_map_get(&m, "1"));
}

static void test_map_remove_while_walking(void **state)
{
    tain_map    m = {0};
    const char *key;
    char       *value;
    char        name[16];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "k%d", i);
        tain_map_put(&m, name, name);
    }
    int n = 0;
    TAIN_MAP_EACH(&m, cursor, key, value) {
        if (n++ % 2) continue;
        snprintf(name, sizeof name, "%s", key);
        assert_non_null(tain_map_remove(&m, name));
    }
    assert_int_equal(n, 100);
    assert_int_equal(m.count, 50);
    assert_null(tain_map_get(&m, "k0"));
    assert_non_null(tain_map_get(&m, "k1"));
    tain_map_done(&m);
}

int main(void)
{
    tain_random(&seed, sizeof seed);
    print_message("seed %u\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena),         cmocka_unit_test(test_arena_keeps_first_block),
        cmocka_unit_test(test_text_copies),   cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_buffer_printf), cmocka_unit_test(test_map_model),
        cmocka_unit_test(test_map_remove_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
