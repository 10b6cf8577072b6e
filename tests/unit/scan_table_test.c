/* SPDX-License-Identifier: MIT */
#include <roaring/roaring.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "scan_fixture.h"

enum { MAX_FILES = 8 };

typedef struct table {
    tain_schema      *schema;
    tain_scan_file    files[MAX_FILES];
    roaring_bitmap_t *deleted[MAX_FILES];
    char             *paths[MAX_FILES];
    size_t            count;
} table;

static void table_init(table *t)
{
    *t = (table){.schema = tain_schema_new()};
}

static void table_done(table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        tain_free(t->paths[i]);
        if (t->deleted[i]) roaring_bitmap_free(t->deleted[i]);
    }
    tain_schema_free(t->schema);
}

/* A file holding a query's rows. */
static void table_file(table *t, fixture *f, const char *name, const char *query, roaring_bitmap_t *deleted)
{
    size_t i = t->count++;
    t->paths[i] = tain_format("%s/%s", f->folder, name);
    t->deleted[i] = deleted;
    t->files[i] = (tain_scan_file){.path = t->paths[i], .deleted = deleted};
    char *quoted = tain_alloc(2 * strlen(t->paths[i]) + 1);
    for (char *p = t->paths[i], *q = quoted; *p; p++) {
        *q++ = *p;
        if (*p == '\'') *q++ = '\'';
    }
    run(f->scan, "copy (%s) to '%s' (format parquet, row_group_size 2048)", query, quoted);
    tain_free(quoted);
}

static void add(table *t, tain_scan *s, const char *catalog, const char *schema, const char *name)
{
    require(tain_scan_add_table(s, catalog, schema, name, t->schema, t->files, t->count, &error));
}

static roaring_bitmap_t *range(uint64_t first, uint64_t end, uint32_t step)
{
    return roaring_bitmap_from_range(first, end, step);
}

/* --- deleted rows -------------------------------------------------------------------------------------------------- */

static void deleted_rows_are_gone(void **state)
{
    fixture *f = *state;
    table    t;
    table_init(&t);
    tain_schema_add(t.schema, "id", tain_type_of(TAIN_INT64));
    table_file(&t, f, "1.parquet", "select x as id from range(10000) t(x)", range(0, 10000, 2));
    table_file(&t, f, "2.parquet", "select x + 10000 as id from range(10000) t(x)", NULL);
    table_file(&t, f, "3.parquet", "select x + 20000 as id from range(10000) t(x)", range(9999, 10000, 1));
    table_file(&t, f, "4.parquet", "select x + 30000 as id from range(10) t(x)", range(0, 10, 1));
    add(&t, f->scan, NULL, "public", "t");
    assert_string_equal(text_of(f->scan, "select count(*), count(id), min(id), max(id) from public.t"), "24999|24999|1|29998\n");
    assert_string_equal(text_of(f->scan, "select id from public.t where id in (2, 3, 10002, 29999, 30003) order by id"), "3\n10002\n");
    /* Row numbers count from the file's beginning even where row groups are skipped. */
    assert_string_equal(text_of(f->scan, "select count(*), min(id) from public.t where id between 5000 and 9999"), "2500|5001\n");
    assert_string_equal(text_of(f->scan, "select count(*) from public.t where id >= 29998"), "1\n");
    assert_string_equal(text_of(f->scan, "select sum(id) from (select id from public.t order by id desc limit 3)"), "89991\n");
    table_done(&t);
}

static void filters_reach_the_reader(void **state)
{
    fixture *f = *state;
    table    t;
    table_init(&t);
    tain_schema_add(t.schema, "id", tain_type_of(TAIN_INT64));
    tain_schema_add(t.schema, "other", tain_type_of(TAIN_STRING));
    table_file(&t, f, "a.parquet", "select x as id, 'v' || x as other from range(10000) t(x)", range(0, 100, 1));
    table_file(&t, f, "b.parquet", "select x::int as id, 'v' || x as other from range(10000) t(x)", NULL);
    add(&t, f->scan, NULL, "main", "pushed");
    /* Both scans give 999 rows, not 10,000, to what is above them, and do not read the other column. */
    const char *plan = text_of(f->scan, "explain analyze select id from main.pushed where id > 9000");
    assert_null(strstr(plan, "10,000 rows"));
    assert_non_null(strstr(plan, "tain_row_lives"));
    assert_null(strstr(plan, "other"));
    assert_string_equal(text_of(f->scan, "select count(*) from main.pushed where id > 9000"), "1998\n");
    /* Without deletions there is no filter to pay for. */
    t.files[0].deleted = NULL;
    add(&t, f->scan, NULL, "main", "pushed");
    assert_null(strstr(text_of(f->scan, "explain select id from main.pushed"), "tain_row_lives"));
    assert_string_equal(text_of(f->scan, "select count(*) from main.pushed"), "20000\n");
    table_done(&t);
}

/* --- columns ------------------------------------------------------------------------------------------------------- */

static void columns_are_as_the_schema_says(void **state)
{
    fixture *f = *state;
    table    t;
    table_init(&t);
    tain_schema_add(t.schema, "New Name", tain_type_of(TAIN_INT64))->physical = "col-1";
    tain_schema_add(t.schema, "amount", tain_type_decimal(20, 2));
    tain_schema_add(t.schema, "tags", tain_type_list(t.schema, tain_type_of(TAIN_STRING)));
    tain_schema_add(t.schema, "at", tain_type_of(TAIN_TIMESTAMP));
    table_file(&t, f, "old.parquet", "select 1::int as \"col-1\", 'gone' as dropped", NULL);
    table_file(&t, f, "new.parquet", "select 2.50::decimal(10,2) as amount, ['a', null] as tags, 2::bigint as \"col-1\", timestamptz '2026-01-01 00:00:00+00' as at", NULL);
    add(&t, f->scan, NULL, "s", "t");
    assert_string_equal(text_of(f->scan, "from s.t order by 1"), "1|~|~|~\n2|2.50|[a, NULL]|2026-01-01 00:00:00+00\n");
    assert_string_equal(text_of(f->scan, "select column_name, column_type from (describe s.t)"),
                        "New Name|BIGINT\namount|DECIMAL(20,2)\ntags|VARCHAR[]\nat|TIMESTAMP WITH TIME ZONE\n");
    assert_string_equal(text_of(f->scan, "select count(*) from s.t where amount is null"), "1\n");
    assert_string_equal(text_of(f->scan, "select count(*) from s.t where amount = 2.5"), "1\n");
    table_done(&t);
}

static void every_type_has_a_name(void **state)
{
    fixture   *f = *state;
    table      t;
    tain_field members[] = {{.name = "x y", .physical = "x y", .type = tain_type_of(TAIN_DATE), .nullable = true}};
    tain_field entry[] = {{.name = "key", .physical = "key", .type = tain_type_of(TAIN_STRING)},
                          {.name = "value", .physical = "value", .type = tain_type_of(TAIN_BINARY), .nullable = true}};
    table_init(&t);
    for (int kind = TAIN_BOOL; kind <= TAIN_TIMESTAMP_NTZ; kind++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", kind);
        tain_schema_add(t.schema, name, kind == TAIN_DECIMAL ? tain_type_decimal(38, 10) : tain_type_of((tain_kind)kind));
    }
    tain_schema_add(t.schema, "r", (tain_type){.kind = TAIN_STRUCT, .child_count = 1, .children = members});
    tain_schema_add(t.schema, "m", (tain_type){.kind = TAIN_MAP, .child_count = 2, .children = entry});
    add(&t, f->scan, NULL, "empty", "t");
    const char *types = "BOOLEAN\nTINYINT\nSMALLINT\nINTEGER\nBIGINT\nFLOAT\nDOUBLE\nDECIMAL(38,10)\nVARCHAR\nBLOB\nDATE\n"
                        "TIMESTAMP WITH TIME ZONE\nTIMESTAMP\nSTRUCT(\"x y\" DATE)\nMAP(VARCHAR, BLOB)\n";
    assert_string_equal(text_of(f->scan, "select column_type from (describe empty.t)"), types);
    assert_string_equal(text_of(f->scan, "select count(*) from empty.t"), "0\n");
    /* And the same through a file that has none of them. */
    table_file(&t, f, "none.parquet", "select 1 as something", range(5, 6, 1));
    add(&t, f->scan, NULL, "empty", "t");
    assert_string_equal(text_of(f->scan, "select column_type from (describe empty.t)"), types);
    assert_string_equal(text_of(f->scan, "select count(*), count(c0), count(m) from empty.t"), "1|0|0\n");
    table_done(&t);
}

/* --- names --------------------------------------------------------------------------------------------------------- */

static void odd_names(void **state)
{
    fixture *f = *state;
    table    t;
    table_init(&t);
    tain_schema_add(t.schema, "it's \"x\"", tain_type_of(TAIN_INT32));
    tain_schema_add(t.schema, "file_row_number", tain_type_of(TAIN_STRING));
    tain_schema_add(t.schema, "Filename", tain_type_of(TAIN_STRING));
    char path[128];
    snprintf(path, sizeof path, "%s/p=1 [a]*?'", f->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    table_file(&t, f, "p=1 [a]*?'/d.parquet", "select 7 as \"it's \"\"x\"\"\", 'mine' as file_row_number, 'too' as \"Filename\" from range(2)", range(0, 1, 1));
    add(&t, f->scan, "my \"lake\"", "select", "from; --");
    assert_string_equal(text_of(f->scan, "from \"my \"\"lake\"\"\".\"select\".\"from; --\""), "7|mine|too\n");
    table_done(&t);
}

static void names_equal_but_for_case(void **state)
{
    fixture *f = *state;
    table    t;
    table_init(&t);
    tain_schema_add(t.schema, "id", tain_type_of(TAIN_INT32));
    tain_schema_add(t.schema, "ID", tain_type_of(TAIN_INT32))->physical = "col-2";
    table_file(&t, f, "case.parquet", "select 1 as id, 2 as \"col-2\"", NULL);
    add(&t, f->scan, NULL, "main", "cases");
    assert_string_equal(text_of(f->scan, "select column_name from (describe main.cases)"), "id\nID_1\n");
    assert_string_equal(text_of(f->scan, "from main.cases"), "1|2\n");
    t.schema->fields[1].physical = "Id";
    assert_int_equal(tain_scan_add_table(f->scan, NULL, "main", "cases", t.schema, t.files, t.count, &error), TAIN_E_UNSUPPORTED);
    table_done(&t);
}

static void catalogs_are_apart(void **state)
{
    fixture *f = *state;
    table    t;
    table_init(&t);
    tain_schema_add(t.schema, "id", tain_type_of(TAIN_INT64));
    table_file(&t, f, "c1.parquet", "select 1 as id", NULL);
    add(&t, f->scan, "sales", "sales", "t");
    add(&t, f->scan, "sales", "other", "t");
    table_file(&t, f, "c2.parquet", "select 2 as id", range(9, 10, 1));
    add(&t, f->scan, NULL, "sales", "t");
    assert_string_equal(text_of(f->scan, "select count(*) from sales.sales.t"), "1\n");
    assert_string_equal(text_of(f->scan, "select count(*) from memory.sales.t"), "2\n");
    assert_string_equal(text_of(f->scan, "select count(*) from sales.other.t"), "1\n");
    table_done(&t);
}

static void a_missing_file_is_named(void **state)
{
    fixture    *f = *state;
    table       t;
    tain_result *r = NULL;
    table_init(&t);
    tain_schema_add(t.schema, "id", tain_type_of(TAIN_INT64));
    t.files[0] = (tain_scan_file){.path = "/nowhere/at-all.parquet"};
    tain_status status = tain_scan_add_table(f->scan, NULL, "main", "missing", t.schema, t.files, 1, &error);
    if (status == TAIN_OK) status = tain_scan_query(f->scan, "from main.missing", &r, &error);
    assert_int_not_equal(status, TAIN_OK);
    assert_non_null(strstr(error.message, "/nowhere/at-all.parquet"));
    table_done(&t);
}

/* --- a model ------------------------------------------------------------------------------------------------------- */

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

static roaring_bitmap_t *random_rows(uint32_t rows)
{
    roaring_bitmap_t *b = roaring_bitmap_create();
    uint32_t          share = 1 + random_below(10);
    for (uint32_t i = 0; i < rows; i++)
        if (random_below(share) == 0) roaring_bitmap_add(b, i);
    return b;
}

static void some_files_against_a_model(fixture *f, uint32_t round)
{
    table   t;
    int64_t count = 0, sum = 0, low = random_below(30000), high = low + random_below(30000), first = 0;
    table_init(&t);
    tain_schema_add(t.schema, "id", tain_type_of(TAIN_INT64));
    for (uint32_t i = 0, n = 1 + random_below(MAX_FILES); i < n; i++) {
        char     name[32], query[128];
        uint32_t rows = random_below(9000);
        roaring_bitmap_t *deleted = random_below(2) ? random_rows(rows) : NULL;
        snprintf(name, sizeof name, "m%u-%u.parquet", round, i);
        snprintf(query, sizeof query, "select %lld + x as id from range(%u) t(x)", (long long)first, rows);
        table_file(&t, f, name, query, deleted);
        for (uint32_t r = 0; r < rows; r++) {
            int64_t id = first + r;
            if (id < low || id >= high || (deleted && roaring_bitmap_contains(deleted, r))) continue;
            count++;
            sum += id;
        }
        first += rows;
    }
    add(&t, f->scan, NULL, "main", "model");
    char sql[128], expected[64];
    snprintf(sql, sizeof sql, "select count(*), coalesce(sum(id), 0) from main.model where id >= %lld and id < %lld", (long long)low, (long long)high);
    snprintf(expected, sizeof expected, "%lld|%lld\n", (long long)count, (long long)sum);
    assert_string_equal(text_of(f->scan, sql), expected);
    table_done(&t);
}

static void any_deletions_and_filters(void **state)
{
    uint64_t seed;
    tain_random(&seed, sizeof seed);
    random_state = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (uint32_t round = 0; round < 20; round++) some_files_against_a_model(*state, round);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deleted_rows_are_gone),      cmocka_unit_test(filters_reach_the_reader), cmocka_unit_test(columns_are_as_the_schema_says),
        cmocka_unit_test(every_type_has_a_name),      cmocka_unit_test(odd_names),                cmocka_unit_test(names_equal_but_for_case),
        cmocka_unit_test(catalogs_are_apart),         cmocka_unit_test(a_missing_file_is_named),  cmocka_unit_test(any_deletions_and_filters),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
