/* SPDX-License-Identifier: MIT */
/* The contract of store.h, for every store there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "store/driver.h"

typedef struct fixture {
    tain_store *whole; /* to close */
    tain_store *s;     /* to test */
    char        folder[64];
} fixture;

static tain_error err;
#define OK(expr)                                                                                   \
    do {                                                                                           \
        err = (tain_error){0};                                                                     \
        tain_status ok_ = (expr);                                                                  \
        if (ok_ != TAIN_OK) fail_msg("%s: %s %s", #expr, tain_status_name(ok_), err.message);      \
    } while (0)
#define IS(code, expr) assert_string_equal(tain_status_name(code), tain_status_name(expr))

static tain_slice text(const char *s)
{
    return (tain_slice){(const uint8_t *)s, strlen(s)};
}

static void put(fixture *f, const char *key)
{
    OK(tain_store_put(f->s, key, text(key), 0, &err));
}

static void expect(tain_store *s, const char *key, int64_t offset, int64_t length, const char *want)
{
    tain_buffer b = {0};
    tain_buffer_append_str(&b, "in front:");
    OK(tain_store_get(s, key, offset, length, &b, &err));
    assert_memory_equal(tain_buffer_cstr(&b), "in front:", 9);
    assert_string_equal(tain_buffer_cstr(&b) + 9, want);
    tain_buffer_done(&b);
}

static void expect_no(fixture *f, const char *key)
{
    tain_buffer b = {0};
    tain_object o;
    IS(TAIN_E_NOT_FOUND, tain_store_get(f->s, key, 0, -1, &b, &err));
    IS(TAIN_E_NOT_FOUND, tain_store_head(f->s, key, &o, &err));
    assert_non_null(strstr(err.message, key));
    assert_int_equal(b.size, 0);
    tain_buffer_done(&b);
}

typedef struct names {
    char   text[4096];
    size_t count, stop_at;
    bool   sizes_differ; /* an object does not hold its own key */
} names;

static bool add_name(void *ctx, const tain_object *o)
{
    names *n = ctx;
    if (n->count) strcat(n->text, " ");
    strcat(n->text, o->key);
    if (o->size != (int64_t)strlen(o->key) || o->modified < TAIN_SECOND) n->sizes_differ = true;
    return ++n->count != n->stop_at;
}

static void expect_list(tain_store *s, const char *prefix, const char *after, size_t stop_at, const char *want)
{
    names n = {.stop_at = stop_at};
    OK(tain_store_list(s, prefix, after, add_name, &n, &err));
    assert_string_equal(n.text, want);
}

static void test_put_get(void **state)
{
    fixture    *f = *state;
    tain_object o;
    tain_time   before = tain_now() - 10 * TAIN_SECOND;
    expect_no(f, "a/b/c");
    OK(tain_store_put(f->s, "a/b/c", text("hello"), 0, &err));
    expect(f->s, "a/b/c", 0, -1, "hello");
    OK(tain_store_head(f->s, "a/b/c", &o, &err));
    assert_string_equal(o.key, "a/b/c");
    assert_int_equal(o.size, 5);
    assert_true(o.modified > before && o.modified < before + 60 * TAIN_SECOND);
    OK(tain_store_put(f->s, "a/b/c", text("other text"), 0, &err));
    expect(f->s, "a/b/c", 0, -1, "other text");
    OK(tain_store_put(f->s, "a/b/c", text(""), 0, &err));
    expect(f->s, "a/b/c", 0, -1, "");
    expect_no(f, "a/b");
    expect_no(f, "a/b/c/d");
    put(f, "Straße ünïcode $ %41.parquet");
    expect(f->s, "Straße ünïcode $ %41.parquet", 0, -1, "Straße ünïcode $ %41.parquet");
}

static void test_ranges(void **state)
{
    fixture    *f = *state;
    tain_buffer b = {0};
    OK(tain_store_put(f->s, "r", text("0123456789"), 0, &err));
    expect(f->s, "r", 3, 4, "3456");
    expect(f->s, "r", 3, -1, "3456789");
    expect(f->s, "r", 0, 0, "");
    expect(f->s, "r", 10, -1, "");
    expect(f->s, "r", 10, 0, "");
    expect(f->s, "r", -4, -1, "6789");
    expect(f->s, "r", -4, 2, "67");
    expect(f->s, "r", -10, -1, "0123456789");
    int64_t beyond[][2] = {{0, 11}, {8, 3}, {11, -1}, {11, 0}, {-11, -1}, {-2, 3}, {1, INT64_MAX}, {INT64_MAX, 1}};
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        IS(TAIN_E_CORRUPT, tain_store_get(f->s, "r", beyond[i][0], beyond[i][1], &b, &err));
        assert_int_equal(b.size, 0);
    }
    tain_buffer_done(&b);
}

static void test_put_if_absent(void **state)
{
    fixture *f = *state;
    OK(tain_store_put(f->s, "once/1", text("first"), TAIN_PUT_IF_ABSENT, &err));
    IS(TAIN_E_EXISTS, tain_store_put(f->s, "once/1", text("second"), TAIN_PUT_IF_ABSENT, &err));
    assert_non_null(strstr(err.message, "once/1"));
    expect(f->s, "once/1", 0, -1, "first");
    OK(tain_store_remove(f->s, "once/1", &err));
    OK(tain_store_put(f->s, "once/1", text("third"), TAIN_PUT_IF_ABSENT, &err));
    expect(f->s, "once/1", 0, -1, "third");
}

enum { RACERS = 4, ROUNDS = 25 };

typedef struct racer {
    tain_store        *s;
    pthread_barrier_t *start;
    char               own[24];
    bool               won[ROUNDS];
    int                odd; /* answers that are neither */
} racer;

static void *race(void *arg)
{
    racer *r = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char key[32];
        snprintf(key, sizeof key, "race/new%d/%d", i % 5, i);
        pthread_barrier_wait(r->start);
        tain_status status = tain_store_put(r->s, key, text(r->own), TAIN_PUT_IF_ABSENT, NULL);
        r->won[i] = status == TAIN_OK;
        r->odd += status != TAIN_OK && status != TAIN_E_EXISTS;
    }
    return NULL;
}

static void test_race(void **state)
{
    fixture          *f = *state;
    racer             racers[RACERS] = {0};
    pthread_t         threads[RACERS];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, RACERS);
    for (int t = 0; t < RACERS; t++) {
        racers[t] = (racer){.s = f->s, .start = &start};
        snprintf(racers[t].own, sizeof racers[t].own, "racer %d", t);
        assert_int_equal(pthread_create(&threads[t], NULL, race, &racers[t]), 0);
    }
    for (int t = 0; t < RACERS; t++) pthread_join(threads[t], NULL);
    for (int i = 0; i < ROUNDS; i++) {
        int winners = 0, winner = 0;
        for (int t = 0; t < RACERS; t++) {
            winners += racers[t].won[i];
            if (racers[t].won[i]) winner = t;
        }
        assert_int_equal(winners, 1);
        char key[32];
        snprintf(key, sizeof key, "race/new%d/%d", i % 5, i);
        expect(f->s, key, 0, -1, racers[winner].own);
    }
    for (int t = 0; t < RACERS; t++) assert_int_equal(racers[t].odd, 0);
    pthread_barrier_destroy(&start);
}

static void *overwrite(void *arg)
{
    racer *r = arg;
    for (int i = 0; i < 10 * ROUNDS; i++) r->odd += tain_store_put(r->s, "same", text(r->own), 0, NULL) != TAIN_OK;
    return NULL;
}

/* A reader sees one whole object or the other. */
static void test_replaced_in_one_step(void **state)
{
    fixture  *f = *state;
    racer     a = {.s = f->s, .own = "short"}, b = {.s = f->s, .own = "somewhat longer"};
    pthread_t ta, tb;
    OK(tain_store_put(f->s, "same", text("short"), 0, &err));
    assert_int_equal(pthread_create(&ta, NULL, overwrite, &a), 0);
    assert_int_equal(pthread_create(&tb, NULL, overwrite, &b), 0);
    for (int i = 0; i < 500; i++) {
        tain_buffer got = {0};
        OK(tain_store_get(f->s, "same", 0, -1, &got, &err));
        const char *seen = tain_buffer_cstr(&got);
        assert_true(strcmp(seen, a.own) == 0 || strcmp(seen, b.own) == 0);
        tain_buffer_done(&got);
    }
    pthread_join(ta, NULL);
    pthread_join(tb, NULL);
    assert_int_equal(a.odd + b.odd, 0);
}

static void test_list(void **state)
{
    fixture *f = *state;
    /* In the order of their bytes, where '-' < '/' < '0' and "é" comes after all of ASCII. */
    static const char *const keys[] = {"a", "b/c/d", "b-x", "b/c-", "b0", "b/c/e/f", "B", "é/1", "b/a", "z/0"};
    expect_list(f->s, "", NULL, 0, "");
    expect_list(f->s, "none/at/all", NULL, 0, "");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) put(f, keys[i]);
    expect_list(f->s, "", NULL, 0, "B a b-x b/a b/c- b/c/d b/c/e/f b0 z/0 é/1");
    expect_list(f->s, "b", NULL, 0, "b-x b/a b/c- b/c/d b/c/e/f b0");
    expect_list(f->s, "b/", NULL, 0, "b/a b/c- b/c/d b/c/e/f");
    expect_list(f->s, "b/c", NULL, 0, "b/c- b/c/d b/c/e/f");
    expect_list(f->s, "b/c/", NULL, 0, "b/c/d b/c/e/f");
    expect_list(f->s, "b/c/d", NULL, 0, "b/c/d");
    expect_list(f->s, "b/c/dd", NULL, 0, "");
    expect_list(f->s, "a/", NULL, 0, "");
    expect_list(f->s, "", "b/c-", 0, "b/c/d b/c/e/f b0 z/0 é/1");
    expect_list(f->s, "", "b/c/dx", 0, "b/c/e/f b0 z/0 é/1");
    expect_list(f->s, "", "b/c", 0, "b/c- b/c/d b/c/e/f b0 z/0 é/1");
    expect_list(f->s, "", "b/zz", 0, "b0 z/0 é/1");
    expect_list(f->s, "b/", "a", 0, "b/a b/c- b/c/d b/c/e/f");
    expect_list(f->s, "b/", "b/c-", 0, "b/c/d b/c/e/f");
    expect_list(f->s, "b/", "c", 0, "");
    expect_list(f->s, "", NULL, 3, "B a b-x");
    expect_list(f->s, "", NULL, 6, "B a b-x b/a b/c- b/c/d");
    names n = {0};
    OK(tain_store_list(f->s, "", NULL, add_name, &n, &err));
    assert_false(n.sizes_differ);
}

/* strcmp order for random keys too, whatever folders they make. */
static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void test_list_random(void **state)
{
    fixture *f = *state;
    uint32_t seed;
    tain_random(&seed, sizeof seed);
    print_message("seed %u\n", seed);
    char keys[60][12] = {0}, want[1024] = "", after[12];
    for (int i = 0; i < 60; i++) {
        /* Parts at odd places keep "ab" from being a file and a folder: folders end in '/', files in 'x'. */
        char *k = keys[i];
        for (int depth = rand_r(&seed) % 3; depth > 0; depth--) {
            *k++ = "-.0ab"[rand_r(&seed) % 5];
            *k++ = 'd';
            *k++ = '/';
        }
        *k++ = "!-0Zab"[rand_r(&seed) % 6];
        *k = 'x';
        put(f, keys[i]);
    }
    strcpy(after, keys[rand_r(&seed) % 60]);
    qsort(keys, 60, sizeof keys[0], by_text);
    for (int i = 0; i < 60; i++) {
        if (strcmp(keys[i], after) <= 0 || (i && strcmp(keys[i], keys[i - 1]) == 0)) continue;
        if (*want) strcat(want, " ");
        strcat(want, keys[i]);
    }
    expect_list(f->s, "", after, 0, want);
}

typedef struct remover {
    tain_store *s;
    size_t      count;
} remover;

static bool remove_each(void *ctx, const tain_object *o)
{
    remover *r = ctx;
    r->count++;
    return tain_store_remove(r->s, o->key, NULL) == TAIN_OK;
}

static void test_remove(void **state)
{
    fixture *f = *state;
    put(f, "d/1");
    put(f, "d/2");
    put(f, "d/e/3");
    OK(tain_store_remove(f->s, "d/1", &err));
    OK(tain_store_remove(f->s, "d/1", &err));
    OK(tain_store_remove(f->s, "no/such", &err));
    OK(tain_store_remove(f->s, "d/e", &err));
    OK(tain_store_remove(f->s, "d/2/below", &err));
    expect_list(f->s, "", NULL, 0, "d/2 d/e/3");
    remover r = {f->s, 0};
    OK(tain_store_list(f->s, "d/", NULL, remove_each, &r, &err));
    assert_int_equal(r.count, 2);
    expect_list(f->s, "", NULL, 0, "");
}

static void test_remove_all(void **state)
{
    fixture *f = *state;
    put(f, "t/1");
    put(f, "t/u/v/2");
    put(f, "tu");
    put(f, "t-/3");
    OK(tain_store_remove_all(f->s, "t/u", &err));
    expect_list(f->s, "", NULL, 0, "t-/3 t/1 tu");
    OK(tain_store_remove_all(f->s, "t/", &err));
    OK(tain_store_remove_all(f->s, "t", &err));
    OK(tain_store_remove_all(f->s, "no/such", &err));
    OK(tain_store_remove_all(f->s, "tu", &err));
    expect_list(f->s, "", NULL, 0, "t-/3 tu");
    put(f, "t/u/v/2");
    expect_list(f->s, "", NULL, 0, "t-/3 t/u/v/2 tu");
    OK(tain_store_remove_all(f->s, "", &err));
    expect_list(f->s, "", NULL, 0, "");
    put(f, "t/1");
    expect_list(f->s, "", NULL, 0, "t/1");
}

static void test_rename(void **state)
{
    fixture *f = *state;
    put(f, "from/1");
    put(f, "from/x/2");
    put(f, "fromage");
    put(f, "taken/1");
    OK(tain_store_rename(f->s, "from", "new/place/to", &err));
    names n = {0};
    OK(tain_store_list(f->s, "", NULL, add_name, &n, &err));
    assert_string_equal(n.text, "fromage new/place/to/1 new/place/to/x/2 taken/1");
    expect(f->s, "new/place/to/x/2", 0, -1, "from/x/2");
    IS(TAIN_E_NOT_FOUND, tain_store_rename(f->s, "from", "other", &err));
    IS(TAIN_E_NOT_FOUND, tain_store_rename(f->s, "fromage", "other", &err));
    IS(TAIN_E_EXISTS, tain_store_rename(f->s, "new/place/to", "taken", &err));
    IS(TAIN_E_INVALID, tain_store_rename(f->s, "new", "new/place", &err));
    put(f, "from/3");
    OK(tain_store_rename(f->s, "new/place/to/x", "from/y", &err));
    expect_list(f->s, "from", NULL, 0, "from/3 from/y/2 fromage");
    put(f, "new/place/to/x/again");
    expect(f->s, "new/place/to/x/again", 0, -1, "new/place/to/x/again");
}

static bool write_pieces(tain_upload *u, uint64_t seed, size_t total)
{
    static uint8_t piece[3 << 20];
    size_t         done = 0;
    for (size_t i = 0, n = 1; done < total; i++, n = (n * 7 + 13) % sizeof piece) {
        if (n > total - done) n = total - done;
        for (size_t k = 0; k < n; k++) piece[k] = (uint8_t)((seed + done + k) * 2654435761u >> 13);
        if (tain_upload_write(u, piece, n, &err) != TAIN_OK) return false;
        done += n;
    }
    return true;
}

static void test_upload(void **state)
{
    fixture     *f = *state;
    tain_upload *u;
    size_t       sizes[] = {0, 1, 1 << 20, (1 << 20) + 1, 17 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        OK(tain_store_upload(f->s, "deep/folder/big", &u, &err));
        assert_true(write_pieces(u, i, sizes[i]));
        assert_int_equal(u->size, sizes[i]);
        if (i == 0) expect_no(f, "deep/folder/big");
        OK(tain_upload_finish(u, &err));
        tain_buffer b = {0};
        OK(tain_store_get(f->s, "deep/folder/big", 0, -1, &b, &err));
        assert_int_equal(b.size, sizes[i]);
        for (size_t k = 0; k < b.size; k++) {
            if (b.data[k] != (uint8_t)((i + k) * 2654435761u >> 13)) fail_msg("byte %zu of %zu differs", k, b.size);
        }
        tain_buffer_done(&b);
    }
}

static void test_upload_abort(void **state)
{
    fixture     *f = *state;
    tain_upload *u;
    tain_upload_abort(NULL);
    OK(tain_store_upload(f->s, "up/1", &u, &err));
    assert_true(write_pieces(u, 1, 4 << 20));
    expect_list(f->s, "", NULL, 0, "");
    tain_upload_abort(u);
    expect_list(f->s, "", NULL, 0, "");
    expect_no(f, "up/1");
    put(f, "up/1");
    OK(tain_store_upload(f->s, "up/1", &u, &err));
    OK(tain_upload_write(u, "xyz", 3, &err));
    tain_upload_abort(u);
    expect(f->s, "up/1", 0, -1, "up/1");
}

static void test_two_uploads_of_one_name(void **state)
{
    fixture     *f = *state;
    tain_upload *a, *b;
    OK(tain_store_upload(f->s, "same", &a, &err));
    OK(tain_store_upload(f->s, "same", &b, &err));
    OK(tain_upload_write(a, "aaaa", 4, &err));
    OK(tain_upload_write(b, "bb", 2, &err));
    OK(tain_upload_finish(b, &err));
    expect(f->s, "same", 0, -1, "bb");
    OK(tain_upload_finish(a, &err));
    expect(f->s, "same", 0, -1, "aaaa");
}

static void test_views(void **state)
{
    fixture    *f = *state;
    tain_object o;
    put(f, "Tables/main/t/1");
    put(f, "Tables/main/tt/1");
    tain_store *main_ = tain_store_sub(f->s, "Tables/main/"), *t = tain_store_sub(main_, "t");
    expect(t, "1", 0, -1, "Tables/main/t/1");
    expect_list(t, "", NULL, 0, "1");
    OK(tain_store_put(t, "_delta_log/0.json", text("{}"), TAIN_PUT_IF_ABSENT, &err));
    IS(TAIN_E_EXISTS, tain_store_put(t, "_delta_log/0.json", text("{}"), TAIN_PUT_IF_ABSENT, &err));
    expect_list(main_, "t/", NULL, 0, "t/1 t/_delta_log/0.json");
    expect_list(main_, "", "t/1", 0, "t/_delta_log/0.json tt/1");
    expect(f->s, "Tables/main/t/_delta_log/0.json", 0, -1, "{}");
    OK(tain_store_head(t, "_delta_log/0.json", &o, &err));
    assert_string_equal(o.key, "_delta_log/0.json");
    tain_upload *u;
    OK(tain_store_upload(t, "2", &u, &err));
    OK(tain_upload_write(u, "two", 3, &err));
    OK(tain_upload_finish(u, &err));
    expect(f->s, "Tables/main/t/2", 0, -1, "two");
    OK(tain_store_remove(t, "1", &err));
    OK(tain_store_rename(main_, "t", "u", &err));
    expect_list(t, "", NULL, 0, "");
    expect_list(main_, "", NULL, 0, "tt/1 u/2 u/_delta_log/0.json");
    tain_store *all = tain_store_sub(f->s, "");
    expect_list(all, "", NULL, 0, "Tables/main/tt/1 Tables/main/u/2 Tables/main/u/_delta_log/0.json");
    OK(tain_store_remove_all(main_, "", &err));
    expect_list(f->s, "", NULL, 0, "");
    IS(TAIN_E_INVALID, tain_store_put(t, "../x", text(""), 0, &err));
    tain_store_close(t);
    tain_store_close(main_);
    tain_store_close(all);
}

static void test_odd_keys(void **state)
{
    fixture    *f = *state;
    tain_buffer b = {0};
    static const char *const odd[] = {"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a/.", ".tmp-1", "a/.tmp-x/b"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        IS(TAIN_E_INVALID, tain_store_put(f->s, odd[i], text("x"), 0, &err));
        IS(TAIN_E_INVALID, tain_store_get(f->s, odd[i], 0, -1, &b, &err));
        IS(TAIN_E_INVALID, tain_store_remove(f->s, odd[i], &err));
    }
    names n = {0};
    IS(TAIN_E_INVALID, tain_store_list(f->s, "../", NULL, add_name, &n, &err));
    IS(TAIN_E_INVALID, tain_store_remove_all(f->s, "a/../..", &err));
    put(f, "...");
    put(f, "..a/.b");
    put(f, ".tmp");
    put(f, "name with \"quotes\" and spaces\\");
    expect_list(f->s, "", NULL, 0, "... ..a/.b .tmp name with \"quotes\" and spaces\\");
}

/* What a little program does with a store; every object holds its own key, so a partial one shows. */
static tain_status little_program(tain_store *s)
{
    tain_upload *u;
    tain_object  o;
    TAIN_TRY(tain_store_put(s, "p/old", text("p/old"), 0, &err));
    TAIN_TRY(tain_store_put(s, "p/new", text("p/new"), TAIN_PUT_IF_ABSENT, &err));
    TAIN_TRY(tain_store_upload(s, "p/up", &u, &err));
    tain_status status = tain_upload_write(u, "p/", 2, &err);
    if (status == TAIN_OK) status = tain_upload_write(u, "up", 2, &err);
    if (status != TAIN_OK) {
        tain_upload_abort(u);
        return status;
    }
    TAIN_TRY(tain_upload_finish(u, &err));
    TAIN_TRY(tain_store_head(s, "p/up", &o, &err));
    return tain_store_remove(s, "p/new", &err);
}

static void check_nothing_partial(tain_store *s)
{
    names n = {0};
    OK(tain_store_list(s, "", NULL, add_name, &n, &err));
    assert_false(n.sizes_differ);
}

static void fault_loop(fixture *f, bool torn)
{
    tain_store *whole = tain_store_sub(f->s, "loop");
    tain_store *s = tain_store_fault(whole, 0, false);
    OK(little_program(s));
    uint64_t calls = tain_store_fault_calls(s);
    assert_int_equal(calls, 8);
    for (uint64_t n = 1;; n++) {
        tain_store_fault_arm(s, 0, false);
        OK(tain_store_remove_all(s, "", &err));
        tain_store_fault_arm(s, n, torn);
        tain_status status = little_program(s);
        tain_store_fault_arm(s, 0, false);
        check_nothing_partial(s);
        if (status == TAIN_OK) {
            assert_int_equal(n, calls + 1);
            break;
        }
        bool gives_away = n == 1 || n == 2 || n == 6;
        IS(torn && gives_away ? TAIN_E_UNKNOWN : TAIN_E_IO, status);
        static const char *const after[2][8] = {
            {"", "p/old", "p/new p/old", "p/new p/old", "p/new p/old", "p/new p/old", "p/new p/old p/up", "p/new p/old p/up"},
            {"p/old", "p/new p/old", "p/new p/old", "p/new p/old", "p/new p/old", "p/new p/old p/up", "p/new p/old p/up",
             "p/new p/old p/up"}};
        expect_list(s, "", NULL, 0, after[torn][n - 1]);
    }
    tain_store_close(s);
}

static void test_fault_loop(void **state)
{
    fault_loop(*state, false);
}

static void test_fault_loop_torn(void **state)
{
    fault_loop(*state, true);
}

static int setup_memory(void **state)
{
    fixture *f = tain_alloc(sizeof *f);
    OK(tain_store_open("memory:", true, &f->whole, &err));
    f->s = f->whole;
    *state = f;
    return 0;
}

static int setup_posix(void **state)
{
    fixture *f = tain_alloc(sizeof *f);
    strcpy(f->folder, "/tmp/tain-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    OK(tain_store_open(f->folder, false, &f->whole, &err));
    f->s = f->whole;
    *state = f;
    return 0;
}

static int setup_posix_named(void **state)
{
    setup_posix(state);
    fixture *f = *state;
    tain_store_posix_named(f->whole);
    return 0;
}

static int setup_fault(void **state)
{
    setup_memory(state);
    fixture *f = *state;
    f->s = f->whole = tain_store_fault(f->whole, 0, false);
    return 0;
}

static int setup_view(void **state)
{
    setup_posix(state);
    fixture *f = *state;
    f->s = tain_store_sub(f->whole, "below/here");
    return 0;
}

static int no_leftover(const char *path, const struct stat *st, int type, struct FTW *at)
{
    return strncmp(path + at->base, ".tmp-", 5) == 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    if (*f->folder) assert_int_equal(nftw(f->folder, no_leftover, 16, FTW_PHYS), 0);
    OK(tain_store_remove_all(f->whole, "", &err));
    if (f->s != f->whole) tain_store_close(f->s);
    tain_store_close(f->whole);
    if (*f->folder) assert_int_equal(rmdir(f->folder), 0);
    tain_free(f);
    return 0;
}

#define CASE(name, setup) {#name " (" #setup ")", name, setup_##setup, teardown, NULL}
#define EVERY_CASE(setup)                                                                                                  \
    CASE(test_put_get, setup), CASE(test_ranges, setup), CASE(test_put_if_absent, setup), CASE(test_race, setup),          \
        CASE(test_replaced_in_one_step, setup), CASE(test_list, setup), CASE(test_list_random, setup),                     \
        CASE(test_remove, setup), CASE(test_remove_all, setup), CASE(test_rename, setup), CASE(test_upload, setup),        \
        CASE(test_upload_abort, setup), CASE(test_two_uploads_of_one_name, setup), CASE(test_views, setup),                \
        CASE(test_odd_keys, setup), CASE(test_fault_loop, setup), CASE(test_fault_loop_torn, setup)

int main(void)
{
    static const struct CMUnitTest tests[] = {EVERY_CASE(memory), EVERY_CASE(posix), EVERY_CASE(posix_named), EVERY_CASE(fault),
                                              EVERY_CASE(view)};
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
