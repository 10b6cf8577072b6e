/* SPDX-License-Identifier: MIT */
/* Bytes of COPY and pgoutput without a server: what is refused, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "../fuzz/postgres_shape.h"
#include "source/postgres/copy.h"
#include "source/postgres/pgoutput.h"

#ifdef __SANITIZE_ADDRESS__
enum { MOST_SECONDS = 600 };
#else
enum { MOST_SECONDS = 10 };
#endif

static tain_pg_types types;

static int make_types(void **state)
{
    tain_arena_init(&types.arena);
    shape_types(&types);
    return 0;
}

static int free_types(void **state)
{
    tain_pg_types_done(&types);
    return 0;
}

/* --- COPY ---------------------------------------------------------------------------------------------------------- */

static size_t rows_seen;

static tain_status rows(void *ctx, tain_batch *batch, tain_error *err)
{
    rows_seen += batch->rows;
    return TAIN_OK;
}

static tain_status copy(const char *bytes, size_t n, size_t piece, tain_error *err)
{
    tain_pg_shape *shape = shape_new(&types, 2, TAIN_PG_RANGE_NULL, false); /* int4, int2 */
    const tain_pg_codec *codecs[] = {shape->columns[0].codec, shape->columns[1].codec};
    tain_source_table table = {.schema = "s", .name = "t"};
    tain_rows_sink sink = {.rows = rows};
    tain_pg_copy c;
    tain_status st = TAIN_OK;
    rows_seen = 0;
    tain_pg_copy_init(&c, &table, shape->schema, codecs, &sink);
    for (size_t at = 0; at < n && st == TAIN_OK; at += piece) st = tain_pg_copy_feed(&c, bytes + at, n - at < piece ? n - at : piece, err);
    if (st == TAIN_OK) st = tain_pg_copy_finish(&c, err);
    tain_pg_copy_done(&c);
    tain_pg_shape_free(shape);
    return st;
}

#define HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\3ext"
#define ROW    "\0\2\0\0\0\4\0\0\0\7\0\0\0\2\0\1"
#define NULLS  "\0\2\377\377\377\377\377\377\377\377"
#define bytes(text) text, sizeof(text) - 1

static void copies_come_in_pieces(void **state)
{
    for (size_t piece = 1; piece < 70; piece++) {
        assert_int_equal(copy(bytes(HEADER ROW NULLS ROW "\377\377"), piece, NULL), TAIN_OK);
        assert_int_equal(rows_seen, 3);
    }
}

#define PLACED(block) "\0\3\0\0\0\6\0\0\0" block "\0\1\0\0\0\4\0\0\0\7\0\0\0\2\0\1"

/* Rows of each part, which ends in front of its stop; 0 ends the list. */
static tain_status copy_by_parts(const char *data, size_t n, size_t piece, const uint32_t *stops, size_t *seen, tain_error *err)
{
    tain_pg_shape *shape = shape_new(&types, 2, TAIN_PG_RANGE_NULL, false);
    const tain_pg_codec *codecs[] = {shape->columns[0].codec, shape->columns[1].codec};
    tain_source_table table = {.schema = "s", .name = "t"};
    tain_rows_sink sink = {.rows = rows};
    tain_pg_copy c;
    size_t at = 0;
    tain_status st = TAIN_OK;
    tain_pg_copy_init(&c, &table, shape->schema, codecs, &sink);
    tain_pg_copy_place(&c, stops[0]);
    for (size_t part = 0; stops[part] && st == TAIN_OK; part++) {
        rows_seen = 0;
        st = tain_pg_copy_go_on(&c, &sink, stops[part], err);
        for (; at < n && st == TAIN_OK && !c.stopped; at += piece) st = tain_pg_copy_feed(&c, data + at, n - at < piece ? n - at : piece, err);
        if (st == TAIN_OK) st = c.stopped ? tain_pg_copy_pause(&c, err) : tain_pg_copy_finish(&c, err);
        seen[part] = rows_seen;
    }
    tain_pg_copy_done(&c);
    tain_pg_shape_free(shape);
    return st;
}

static void copies_go_from_part_to_part(void **state)
{
    static const char five[] = HEADER PLACED("\0") PLACED("\0") PLACED("\1") PLACED("\5") PLACED("\7") "\377\377";
    size_t seen[4];
    tain_error e = {0};
    for (size_t piece = 1; piece < 170; piece++) {
        assert_int_equal(copy_by_parts(bytes(five), piece, (uint32_t[]){1, 2, 4, UINT32_MAX, 0}, seen, NULL), TAIN_OK);
        assert_int_equal(seen[0], 2);
        assert_int_equal(seen[1], 1);
        assert_int_equal(seen[2], 0);
        assert_int_equal(seen[3], 2);
    }
    assert_int_equal(copy_by_parts(bytes(HEADER PLACED("\2") PLACED("\1")), 1000, (uint32_t[]){9, 0}, seen, &e), TAIN_E_PROTOCOL);
    assert_non_null(strstr(e.message, "order of their places"));
}

static void copies_that_are_refused(void **state)
{
    static const struct { const char *bytes; size_t n; const char *message; } cases[] = {
        {bytes("PGCOPX\n"), "does not begin"},
        {bytes(HEADER ROW), "broke off"},
        {bytes(HEADER "\0\2\0\0\0\4\0\0"), "broke off"},
        {bytes(HEADER "\0\3"), "a row has 3 values, not 2"},
        {bytes(HEADER "\0\2\0\0\0\1\7"), "column id: a value is not of the form"},
        {bytes(HEADER ROW "\0\2\0\0\0\4\0\0\0\7\0\0\0\0"), "column i2: a value is not of the form"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tain_error e = {0};
        assert_int_equal(copy(cases[i].bytes, cases[i].n, 1000, &e), TAIN_E_PROTOCOL);
        assert_non_null(strstr(e.message, cases[i].message));
    }
}

/* --- pgoutput ------------------------------------------------------------------------------------------------------ */

static tain_status no_resolve(void *ctx, tain_pg_relation *r, tain_error *err) { return TAIN_OK; }
static tain_status commit(tain_sink *sink, const tain_position *position, tain_time time, tain_error *err) { return TAIN_OK; }

static void messages_out_of_place(void **state)
{
    static const struct { const char *bytes; size_t n; } cases[] = {
        {bytes("")}, {bytes("C\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3")}, {bytes("I\0\0\0\7N\0\0")}, {bytes("E")},
        {bytes("S\0\0\0\1")}, {bytes("S\0\0\0\1\0")}, {bytes("c\0\0\0\1\0")}, {bytes("A\0\0\0")}, {bytes("B\0\0")}, {bytes("\1")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tain_sink sink = {.commit = commit};
        tain_error e = {0};
        tain_pg_decoder d;
        tain_pg_decoder_init(&d);
        d.sink = &sink;
        d.resolve = no_resolve;
        assert_int_equal(tain_pg_decoder_message(&d, cases[i].bytes, cases[i].n, &e), TAIN_E_PROTOCOL);
        assert_true(e.message[0]);
        tain_pg_decoder_done(&d);
    }
}

/* A table of two columns, id and i2, that every relation is mapped to. */
typedef struct decoded {
    tain_sink       sink; /* first */
    tain_pg_table   table;
    tain_source_table pub;
    tain_pg_decoder decoder;
    tain_changes    changes;
    int             begun;
} decoded;

static tain_status to_table(void *ctx, tain_pg_relation *r, tain_error *err)
{
    tain_pg_relation_map(r, &((decoded *)ctx)->table);
    return TAIN_OK;
}

static void count_begin(tain_sink *sink, const tain_position *at) { ((decoded *)sink)->begun++; }
static tain_changes *give_changes(tain_sink *sink, tain_source_table *table) { return &((decoded *)sink)->changes; }

static void decoded_init(decoded *d)
{
    static uint16_t key[] = {0};
    *d = (decoded){.sink = {.begin = count_begin, .changes = give_changes, .commit = commit}};
    d->table.shape = shape_new(&types, 2, TAIN_PG_RANGE_NULL, false);
    d->table.pub = &d->pub;
    d->pub = (tain_source_table){.schema = "s", .name = "t", .columns = d->table.shape->schema, .key = key, .key_count = 1};
    tain_changes_init(&d->changes, d->pub.columns);
    tain_pg_decoder_init(&d->decoder);
    d->decoder.sink = &d->sink;
    d->decoder.resolve = to_table;
    d->decoder.ctx = d;
}

static void decoded_done(decoded *d)
{
    tain_pg_decoder_done(&d->decoder);
    tain_changes_done(&d->changes);
    tain_pg_shape_free(d->table.shape);
}

#define BEGIN    "B\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\7"
#define RELATION "R\0\0\0\7s\0t\0d\0\2\1id\0\0\0\0\27\377\377\377\377\0i2\0\0\0\0\25\377\377\377\377"
#define TWICE    "R\0\0\0\7s\0t\0d\0\2\1id\0\0\0\0\27\377\377\377\377\1id\0\0\0\0\27\377\377\377\377"

static tain_status feed(decoded *d, const char *p, size_t n) { return tain_pg_decoder_message(&d->decoder, p, n, NULL); }

static void a_truncate_of_who_knows_what(void **state)
{
    decoded d;
    decoded_init(&d);
    assert_int_equal(feed(&d, bytes(BEGIN)), TAIN_OK);
    assert_int_equal(feed(&d, bytes("T\0\0\0\1\0\0\0\0\10")), TAIN_E_PROTOCOL);
    decoded_done(&d);
}

static void a_relation_that_names_a_column_twice(void **state)
{
    decoded d;
    decoded_init(&d);
    assert_int_equal(feed(&d, bytes(BEGIN)), TAIN_OK);
    assert_int_equal(feed(&d, bytes(RELATION)), TAIN_OK);
    assert_int_equal(feed(&d, bytes("I\0\0\0\7N\0\2b\0\0\0\4\0\0\0\5b\0\0\0\2\0\6")), TAIN_OK);
    assert_int_equal(feed(&d, bytes(TWICE)), TAIN_OK);
    assert_int_equal(feed(&d, bytes("I\0\0\0\7N\0\2b\0\0\0\4\0\0\0\5b\0\0\0\4\0\0\0\6")), TAIN_OK);
    assert_int_equal(d.changes.batch.rows, 2);
    for (int i = 0; i < 2; i++) assert_int_equal(d.changes.batch.columns[i].length, 2);
    assert_true(tain_column_is_null(&d.changes.batch.columns[1], 1));
    decoded_done(&d);
}

/* A loop that catches exceptions makes a subtransaction a row. */
static void many_subtransactions(void **state)
{
    enum { MANY = 300000 };
    decoded d;
    uint8_t insert[] = "I\0\0\0\0\0\0\0\7N\0\2b\0\0\0\4\0\0\0\5n", abort[] = "A\0\0\0\7\0\0\0\0";
    clock_t began = clock();
    decoded_init(&d);
    assert_int_equal(feed(&d, bytes("S\0\0\0\7\1")), TAIN_OK);
    assert_int_equal(feed(&d, bytes("R\0\0\0\7" "\0\0\0\7s\0t\0d\0\2\1id\0\0\0\0\27\377\377\377\377\0i2\0\0\0\0\25\377\377\377\377")), TAIN_OK);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t xid = __builtin_bswap32(100 + i);
        memcpy(insert + 1, &xid, 4);
        assert_int_equal(feed(&d, (char *)insert, sizeof insert - 1), TAIN_OK);
        if (i % 3) continue; /* its parent, which wrote nothing before, goes on writing */
        xid = __builtin_bswap32(99);
        memcpy(insert + 1, &xid, 4);
        assert_int_equal(feed(&d, (char *)insert, sizeof insert - 1), TAIN_OK);
    }
    assert_int_equal(feed(&d, bytes("E")), TAIN_OK);
    for (uint32_t i = MANY / 2; i < MANY; i++) { /* as the server does it: the first one first */
        uint32_t xid = __builtin_bswap32(100 + i);
        memcpy(abort + 5, &xid, 4);
        assert_int_equal(feed(&d, (char *)abort, sizeof abort - 1), TAIN_OK);
    }
    assert_true(clock() - began < MOST_SECONDS * CLOCKS_PER_SEC); /* much longer, when each one looks at all the others */
    assert_int_equal(feed(&d, bytes("c\0\0\0\7\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0")), TAIN_OK);
    assert_int_equal(d.changes.batch.rows, MANY / 2 + MANY / 6);
    assert_int_equal(d.begun, 1);
    decoded_done(&d);
}

/* --- moments ------------------------------------------------------------------------------------------------------- */

static void moments_far_away(void **state)
{
    tain_pg_shape *shape = shape_new(&types, SHAPE_COLUMNS, TAIN_PG_RANGE_CLAMP, false);
    const tain_pg_codec *c = shape->columns[tain_schema_find(shape->schema, "tz")].codec;
    tain_column out;
    tain_column_init(&out, c->type);
    assert_int_equal(c->text(c, &out, (const uint8_t *)"294276-12-31 23:59:59+00", 24), TAIN_PG_RANGE);
    assert_int_equal(c->text(c, &out, (const uint8_t *)"4713-01-01 00:00:00+00 BC", 25), TAIN_PG_RANGE);
    assert_int_equal(c->text(c, &out, (const uint8_t *)"9999-12-31 23:59:59.999999+00", 29), TAIN_PG_FINE);
    tain_buffer text = {0};
    for (size_t i = 0; i < 3; i++) {
        tain_column_text(&out, i, &text);
        tain_buffer_append_u8(&text, '\n');
    }
    const char *expected = "9999-12-31T23:59:59.999999Z\n0001-01-01T00:00:00Z\n9999-12-31T23:59:59.999999Z\n";
    assert_string_equal(tain_buffer_cstr(&text), expected);
    tain_buffer_done(&text);
    tain_column_done(&out);
    tain_pg_shape_free(shape);
}

/* --- numbers ------------------------------------------------------------------------------------------------------- */

static __int128 decimal_of(const char *column, const char *p, size_t n, tain_pg_say expected)
{
    tain_pg_shape *shape = shape_new(&types, SHAPE_COLUMNS, TAIN_PG_RANGE_NULL, false);
    const tain_pg_codec *c = shape->columns[tain_schema_find(shape->schema, column)].codec;
    tain_column out;
    tain_column_init(&out, c->type);
    assert_int_equal(c->binary(c, &out, (const uint8_t *)p, n), expected);
    __int128 v = expected == TAIN_PG_FINE ? tain_column_decimal(&out, 0) : 0;
    tain_column_done(&out);
    tain_pg_shape_free(shape);
    return v;
}

static void numerics(void **state)
{
    assert_true(decimal_of("n9", bytes("\0\0\0\0\0\0\0\2"), TAIN_PG_FINE) == 0);
    assert_true(decimal_of("n9", bytes("\0\1\0\0\0\0\0\2\0\14"), TAIN_PG_FINE) == 1200);
    assert_true(decimal_of("n9", bytes("\0\1\377\377\100\0\0\2\0\144"), TAIN_PG_FINE) == -1);              /* -0.01 */
    assert_true(decimal_of("n9", bytes("\0\2\0\0\0\0\0\2\0\14\4\322"), TAIN_PG_RANGE) == 0);               /* 12.1234 */
    assert_true(decimal_of("n9", bytes("\0\1\0\1\0\0\0\2\3\347"), TAIN_PG_FINE) == 999000000);             /* 9990000 */
    assert_true(decimal_of("n9", bytes("\0\1\0\1\0\0\0\2\3\350"), TAIN_PG_RANGE) == 0);                    /* 10000000 */
    assert_true(decimal_of("n9", bytes("\0\3\0\0\0\0\0\2\0\14\11\304\0\0"), TAIN_PG_FINE) == 1225);        /* zeros behind */
    assert_true(decimal_of("n9", bytes("\0\0\0\0\300\0\0\0"), TAIN_PG_NAN) == 0);
    assert_true(decimal_of("n9", bytes("\0\1\0\0\0\0\0\0\47\20"), TAIN_PG_MALFORMED) == 0);                /* digit 10000 */
    assert_true(decimal_of("n9", bytes("\0\2\0\0\0\0\0\0\0\1"), TAIN_PG_MALFORMED) == 0);
    assert_true(decimal_of("n38", bytes("\0\1\0\6\0\0\0\0\47\17"), TAIN_PG_FINE) == (__int128)9999 * 1000000000000 * 1000000000000 * 10000000000);
    assert_true(decimal_of("n38", bytes("\0\1\0\7\0\0\0\0\0\1"), TAIN_PG_RANGE) == 0);
}

/* Text may grow while it is decoded: what no column holds is refused, and the row can be taken back. */
static void text_beyond_2_gib(void **state)
{
    enum { MUCH = 64 << 20 };
    tain_column out;
    uint8_t *p = tain_alloc(MUCH);
    tain_column_init(&out, tain_type_of(TAIN_STRING));
    tain_column_append_bytes(&out, "before", 6);
    tain_buffer_reserve(&out.bytes, (size_t)INT32_MAX + 2 * MUCH); /* address space that is never touched */
    out.bytes.size = INT32_MAX - MUCH;
    tain_pg_end_text(&out);
    assert_int_equal(tain_pg_say_if_fits(tain_pg_hex_binary(NULL, &out, p, 100), &out, 100), TAIN_PG_FINE);
    assert_int_equal(tain_pg_say_if_fits(tain_pg_hex_binary(NULL, &out, p, MUCH), &out, MUCH), TAIN_PG_TOO_LARGE);
    tain_column_truncate(&out, 3);
    assert_int_equal(out.bytes.size, INT32_MAX - MUCH + 200);
    assert_int_equal(tain_column_slice(&out, 2).size, 200);
    tain_column_done(&out);
    tain_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_come_in_pieces), cmocka_unit_test(copies_go_from_part_to_part), cmocka_unit_test(copies_that_are_refused), cmocka_unit_test(messages_out_of_place), cmocka_unit_test(numerics),
        cmocka_unit_test(a_truncate_of_who_knows_what), cmocka_unit_test(a_relation_that_names_a_column_twice), cmocka_unit_test(many_subtransactions),
        cmocka_unit_test(moments_far_away), cmocka_unit_test(text_beyond_2_gib),
    };
    return cmocka_run_group_tests(tests, make_types, free_types);
}
