/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"
#include "index/sort.h"

static uint64_t state;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Sorted, stable, and every companion still with its hash. */
static void check(uint64_t *hashes, size_t n)
{
    uint64_t *before = tain_alloc((n + 1) * sizeof *before);
    uint32_t *companions = tain_alloc((n + 1) * sizeof *companions);
    for (size_t i = 0; i < n; i++) {
        before[i] = hashes[i];
        companions[i] = (uint32_t)i;
    }
    tain_index_sort(hashes, companions, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(before[companions[i]], hashes[i]);
        if (i == 0) continue;
        assert_true(hashes[i - 1] < hashes[i] || (hashes[i - 1] == hashes[i] && companions[i - 1] < companions[i]));
    }
    tain_free(before);
    tain_free(companions);
}

static void sorts_with(uint64_t mask, uint64_t offset)
{
    static const size_t sizes[] = {0, 1, 2, 24, 25, 26, 1000, 2048, 2049, 50000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint64_t *hashes = tain_alloc((sizes[s] + 1) * sizeof *hashes);
        for (size_t i = 0; i < sizes[s]; i++) hashes[i] = (next() & mask) + offset;
        check(hashes, sizes[s]);
        tain_free(hashes);
    }
}

static void test_evenly_spread(void **test) { sorts_with(UINT64_MAX, 0); }
static void test_few_values(void **test) { sorts_with(0xf00000000000000fu, 0); }
static void test_all_equal(void **test) { sorts_with(0, 77); }
static void test_only_low_bits_differ(void **test) { sorts_with(0xffff, (uint64_t)5 << 60); }
static void test_only_middle_bits_differ(void **test) { sorts_with(0xfffff000000u, 1); }

int main(void)
{
    tain_random(&state, sizeof state);
    state |= 1;
    print_message("seed %llu\n", (unsigned long long)state);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evenly_spread),       cmocka_unit_test(test_few_values),
        cmocka_unit_test(test_all_equal),           cmocka_unit_test(test_only_low_bits_differ),
        cmocka_unit_test(test_only_middle_bits_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
