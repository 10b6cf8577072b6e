/* SPDX-License-Identifier: MIT */
/* Tables whose columns, types and names change while a mirror follows, or while none does: what the lake shows is what the
 * source has, and nothing is loaded again. */
#include "mirror_run.h"

/* --- columns that the source knows under any name --------------------------------------------------------------------- */

static void (*change_shapes)(int round);
static void reshape_while_following(void)
{
    if (fake.confirmed < fake.count) return;
    if (rounds == 0) tain_worker_stop();
    if (rounds-- <= 0) return;
    change_shapes(rounds);
    some_changes();
}

/* Seen by a mirror that follows; nothing is loaded but at first. */
static void follow_shapes(void (*change)(int), int n)
{
    fake.tracks = true;
    two_tables(40);
    once();
    change_shapes = change;
    rounds = n;
    fake.on_head = reshape_while_following;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    check_epochs();
    assert_int_equal(fake.loads, 2);
    some_changes();
    once();
    check_all();
    assert_int_equal(fake.loads, 2);
}

static void rename_columns(int round)
{
    if (round == 4) fake_rename_column(a, 2, "title of it");
    if (round == 3) fake_rename_column(b, 1, "value");
    if (round == 2) { /* each takes the other's name */
        fake_shape *s = fake_next_shape(a);
        s->columns[1].name = "title of it";
        s->columns[2].name = "v";
        fake_reshape(a, false);
    }
    if (round == 1) fake_rename_column(a, 0, "id");
}

static void renamed_columns_keep_their_values(void **state)
{
    follow_shapes(rename_columns, 6);
}

static void drop_and_add_columns(int round)
{
    if (round == 4) fake_drop_column(a, 2, false);
    if (round == 3) fake_add_column(a, "s", TAIN_STRING, 3); /* another one of that name */
    if (round == 2) fake_drop_column(b, 1, false);
    if (round == 1) { /* in one epoch: what is written between is not seen again */
        fake_add_column(b, "x", TAIN_INT64, 4);
        fake_row row = fake_make(900, 1, 1);
        row.v[4] = 42;
        fake_insert_row(b, row);
        fake_drop_column(b, 2, false);
        fake_add_column(b, "x", TAIN_INT64, 5);
    }
}

static void dropped_columns_do_not_come_back(void **state)
{
    follow_shapes(drop_and_add_columns, 6);
}

static void rename_and_lose_the_stream(int round)
{
    if (round == 3) {
        fake_rename_column(a, 1, "w");
        fake_update(a, 3, 77);
        fake_do(FAKE_LOST, a);
        fake_drop_column(a, 2, false);
    }
    if (round == 2) fake_do(FAKE_LOST, b);
}

static void names_survive_a_lost_stream(void **state)
{
    follow_shapes(rename_and_lose_the_stream, 5);
}

/* While nothing was running: the source recalls what it had told, and the stream tells the rest. */
static void columns_renamed_unseen_are_not_loaded(void **state)
{
    fake.tracks = true;
    two_tables(40);
    once();
    some_changes();
    fake_rename_column(a, 1, "w");
    some_changes();
    fake_drop_column(a, 2, false);
    fake_add_column(a, "v", TAIN_INT64, 3);
    fake_set(a, 3, 3, 17, 0);
    fake_commit();
    fake_rename_column(b, 0, "kk");
    some_changes();
    once();
    check_all();
    check_epochs();
    assert_int_equal(fake.loads, 2);
}

static void check_memo(int t, const char *memo)
{
    tain_store *s = open_lake();
    char *path = tain_lake_table_folder(fake.tables[t].schema, fake.tables[t].name);
    tain_store *folder = tain_store_sub(s, path);
    tain_delta *d;
    assert_ok(tain_delta_open(folder, &d, err));
    const char *have = tain_json_get_str(tain_delta_meta(d)->configuration, "tain.source", "none");
    assert_string_equal(have, memo);
    for (size_t i = 0; i < tain_delta_meta(d)->schema->count; i++) assert_true(tain_delta_meta(d)->schema->fields[i].source_id > 0);
    tain_delta_close(d);
    tain_store_close(folder);
    tain_store_close(s);
    free(path);
}

static void memo_is_kept_with_the_shape(void **state)
{
    fake.tracks = true;
    two_tables(40);
    once();
    check_memo(a, "0");
    fake_rename_column(a, 1, "w");
    some_changes();
    once();
    check_memo(a, "1");
    check_memo(b, "0");
}

/* --- columns that are dropped and stay -------------------------------------------------------------------------------- */

static tain_delta *open_table(int t)
{
    tain_store *s = open_lake();
    char *path = tain_lake_table_folder(fake.tables[t].schema, fake.tables[t].name);
    tain_store *folder = tain_store_sub(s, path);
    tain_delta *d;
    assert_ok(tain_delta_open(folder, &d, err));
    tain_store_close(folder);
    tain_store_close(s);
    free(path);
    return d;
}

/* The names that table shows, in order. */
static void check_columns(int t, const char *want)
{
    tain_delta *d = open_table(t);
    tain_buffer have = {0};
    const tain_schema *s = tain_delta_meta(d)->schema;
    for (size_t i = 0; i < s->count; i++) tain_buffer_printf(&have, s->fields[i].kept ? "%s%s(%s)" : "%s%s", i ? " " : "", s->fields[i].name, s->fields[i].kept);
    assert_string_equal(tain_buffer_cstr(&have), want);
    tain_buffer_done(&have);
    tain_delta_close(d);
}

static void keep_columns(int round)
{
    if (round == 5) fake_drop_column(a, 2, false);
    if (round == 4) fake_add_column(a, "S", TAIN_STRING, 3); /* another one of that name but for case */
    if (round == 3) {
        fake_set(a, 3, 3, 33, 0);
        fake_drop_column(a, 2, false);
        fake_drop_column(b, 2, false);
    }
    if (round == 2) { /* in one epoch */
        fake_add_column(a, "s", TAIN_INT64, 4);
        fake_row row = fake_make(900, 1, 1);
        row.v[4] = 42;
        fake_insert_row(a, row);
        fake_drop_column(a, 2, false);
        fake_add_column(a, "s_dropped", TAIN_INT64, 5);
        fake_set(a, 900, 5, 43, 0);
    }
    if (round == 1) {
        fake_retype_column(a, 1, TAIN_INT64);
        fake_fill_column(a, "f", TAIN_INT64, 6, 7);
    }
}

static void dropped_columns_are_kept(void **state)
{
    fake.keeps = true;
    follow_shapes(keep_columns, 7);
    check_columns(a, "k v s_dropped f s_dropped_3(s) S_dropped_2(S) s(s)");
    check_columns(b, "k v s(s)");
}

static void keep_one_column(int round)
{
    if (round == 30) fake_drop_column(a, 2, false);
}

/* Small files are merged meanwhile. */
static void kept_columns_need_no_mapping_and_survive_merging(void **state)
{
    fake.keeps = true;
    follow_shapes(keep_one_column, 32);
    tain_delta *d = open_table(a);
    assert_null(json_object_get(tain_delta_meta(d)->configuration, "delta.columnMapping.mode"));
    assert_in_range(tain_delta_file_count(d), 1, 20);
    tain_delta_close(d);
}

static void keep_and_lose_the_stream(int round)
{
    if (round == 3) {
        fake_drop_column(a, 2, false);
        fake_update(a, 3, 77);
        fake_do(FAKE_LOST, a);
        fake_add_column(a, "s", TAIN_STRING, 3);
    }
    if (round == 2) fake_do(FAKE_LOST, b);
    if (round == 1) fake_do(FAKE_TRUNCATE, b);
}

static void kept_columns_survive_a_lost_stream(void **state)
{
    fake.keeps = true;
    follow_shapes(keep_and_lose_the_stream, 5);
}

static void columns_dropped_unseen_are_kept(void **state)
{
    fake.tracks = fake.keeps = true;
    two_tables(40);
    once();
    some_changes();
    once();
    fake_drop_column(a, 2, false);
    some_changes();
    once();
    fake_add_column(a, "s", TAIN_STRING, 3);
    some_changes();
    once();
    check_all();
    check_epochs();
    assert_int_equal(fake.loads, 2);
    fake_add_column(a, "x", TAIN_STRING, 4);
    fake_set(a, 3, 4, 5, 0);
    some_changes();
    once();
    check_all();
    fake_drop_column(a, 3, true); /* the table is read again */
    some_changes();
    once();
    check_all();
    check_columns(a, "k v s s_dropped(s) x(x)");
    assert_int_equal(fake.loads, 3);
}

static void set_policy(const char *value)
{
    tain_store *s = open_lake();
    json_t *root = fake_epoch(s, "mirroring.json"), *tain = json_object_get(json_object_get(root, "properties"), "tain");
    json_object_set_new(tain, "policies", value ? json_pack("{s:s}", "dropped_column", value) : json_object());
    char *text = json_dumps(root, 0);
    assert_ok(tain_store_put(s, "mirroring.json", (tain_slice){(const uint8_t *)text, strlen(text)}, 0, err));
    free(text);
    json_decref(root);
    tain_store_close(s);
}

static void a_kept_column_goes_when_the_policy_says_so(void **state)
{
    fake.tracks = fake.keeps = true;
    two_tables(40);
    once();
    fake_drop_column(a, 2, false);
    some_changes();
    once();
    check_all();
    set_policy(NULL); /* nothing said: what is kept stays, what is dropped now goes */
    fake_drop_column(a, 1, false);
    fake_insert(a, 2000, 1, 1);
    fake_commit();
    once();
    check_columns(a, "k s(s)");
    set_policy("drop");
    fake_insert(a, 2001, 1, 1);
    fake_commit();
    once();
    check_columns(a, "k");
    fake_insert(a, 2002, 1, 1);
    fake_commit();
    once();
    assert_int_equal(fake.loads, 2);
}

/* --- values that older rows have -------------------------------------------------------------------------------------- */

static void add_filled_columns(int round)
{
    if (round == 5) fake_fill_column(a, "d", TAIN_INT64, 3, 7);
    if (round == 4) fake_fill_column(b, "d", TAIN_STRING, 3, 9);
    if (round == 3) { /* twice in one epoch, with rows in between */
        fake_fill_column(a, "e", TAIN_INT32, 4, 8);
        fake_row row = fake_make(9000, 1, 1);
        row.v[3] = 1;
        row.v[4] = 2;
        fake_insert_row(a, row);
        fake_set(a, 4, 4, 99, 1u << 3);
        fake_fill_column(a, "f", TAIN_STRING, 5, 10);
        fake_set(a, 9000, 5, 11, 1u << 3 | 1u << 4);
    }
    if (round == 1) fake_delete(a, 9000);
}

static void older_rows_have_the_default(void **state)
{
    follow_shapes(add_filled_columns, 7);
}

static void widen_columns(int round)
{
    if (round == 5) fake_retype_column(a, 1, TAIN_INT64);
    if (round == 4) fake_retype_column(b, 1, TAIN_DECIMAL);
    if (round == 3) fake_retype_column(a, 0, TAIN_DECIMAL); /* the key */
    if (round == 2) { /* and more of it at once */
        fake_rename_column(a, 1, "w");
        fake_fill_column(a, "d", TAIN_INT64, 3, 7);
        fake_retype_column(a, 1, TAIN_STRING);
        fake_drop_column(b, 2, false);
    }
}

static void widened_columns_keep_their_values(void **state)
{
    follow_shapes(widen_columns, 7);
}

static void fill_and_lose_the_stream(int round)
{
    if (round == 3) {
        fake_update(a, 3, 77);
        fake_fill_column(a, "d", TAIN_INT64, 3, 7);
        fake_update(a, 4, 77);
        fake_do(FAKE_LOST, a);
        fake_retype_column(a, 1, TAIN_INT64);
        fake_update(a, 5, 77);
    }
    if (round == 2) fake_do(FAKE_LOST, b);
}

static void defaults_survive_a_lost_stream(void **state)
{
    follow_shapes(fill_and_lose_the_stream, 5);
}

/* No row tells of it afterwards. */
static void reshape_alone_and_lose_the_stream(void)
{
    if (fake.confirmed < fake.count) return;
    if (rounds-- == 0) tain_worker_stop();
    if (rounds < 0) return;
    fake_drop_column(a, 2, false);
    fake_do(FAKE_LOST, a);
    fake_commit();
}

static void shape_alone_survives_a_lost_stream(void **state)
{
    fake.tracks = true;
    two_tables(40);
    once();
    rounds = 1;
    fake.on_head = reshape_alone_and_lose_the_stream;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    check_epochs();
    assert_int_equal(fake.loads, 2);
}

/* As those of a partition do. */
static void clear_some_rows(int round)
{
    if (round == 4) {
        fake_insert(a, 1005, 1, 2);
        fake_clear(a, 1000, 1010);
        fake_clear(a, 5, 15);
        fake_insert(a, 7, 70, 700);
        fake_clear(b, 3, 5);
        fake_insert(b, 4, 70, 700);
    }
    if (round == 3) { /* told by columns that no row has told of */
        fake_add_column(a, "x", TAIN_INT64, 4);
        fake_clear(a, 20, 30);
        fake_do(FAKE_LOST, a);
    }
    if (round == 2) fake_clear(a, 5000, 6000); /* nothing */
    if (round == 1) {
        fake_fill_column(a, "d", TAIN_INT64, 3, 7); /* files that others will stand for */
        fake_clear(a, 7, 8);
        fake_do(FAKE_TRUNCATE, b);
        fake_clear(b, 0, 5);
        fake_insert(b, 1, 2, 3);
    }
}

static void rows_that_go_at_once_leave_the_others(void **state)
{
    follow_shapes(clear_some_rows, 6);
}

/* Nothing is left of the rows that were there before. */
static void fill_after_truncate(int round)
{
    if (round != 3) return;
    fake_do(FAKE_TRUNCATE, b);
    fake_insert(b, 1, 2, 3);
    fake_fill_column(b, "d", TAIN_INT64, 3, 7);
    fake_insert(b, 4, 5, 6);
    for (int i = 0; i < 5; i++) fake_insert(b, 10 + i, 5, 6);
}

static void truncated_table_gets_a_default(void **state)
{
    follow_shapes(fill_after_truncate, 5);
}

static void defaults_given_unseen_are_shown(void **state)
{
    fake.tracks = true;
    two_tables(40);
    once();
    some_changes();
    fake_fill_column(a, "d", TAIN_INT64, 3, 7);
    some_changes();
    fake_retype_column(a, 1, TAIN_INT64);
    fake_set(a, 3, 3, 17, 0);
    fake_commit();
    once();
    check_all();
    check_epochs();
    assert_int_equal(fake.loads, 2);
}

static void make_a_misfit(int round)
{
    if (round == 3) fake_retype_column(a, 2, TAIN_INT64);
}

/* Text does not become a number here: the table is loaded again, the others go on. */
static void what_cannot_be_converted_is_loaded(void **state)
{
    fake.tracks = true;
    two_tables(40);
    once();
    change_shapes = make_a_misfit;
    rounds = 5;
    fake.on_head = reshape_while_following;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    check_epochs();
    assert_non_null(strstr(said, "type of column s"));
    assert_int_equal(fake.loads, 3);
    fake_retype_column(a, 2, TAIN_STRING);
    some_changes();
    once(); /* nothing comes behind it that would bring the news */
    check_all();
    some_changes();
    once();
    check_all();
}

/* --- tables that are renamed ------------------------------------------------------------------------------------------ */

static bool is_folder(const char *name)
{
    struct stat st;
    char *path = tain_format("%s/Tables/main/%s", lake, name);
    bool is = stat(path, &st) == 0;
    free(path);
    return is;
}

static void check_metadata_name(int t)
{
    tain_store *s = open_lake();
    char *path = tain_lake_table_folder(fake.tables[t].schema, fake.tables[t].name);
    char *full = tain_format("%s.%s", fake.tables[t].schema, fake.tables[t].name);
    tain_store *folder = tain_store_sub(s, path);
    tain_delta *d;
    assert_ok(tain_delta_open(folder, &d, err));
    assert_string_equal(tain_delta_meta(d)->name, full);
    tain_delta_close(d);
    tain_store_close(folder);
    tain_store_close(s);
    free(full);
    free(path);
}

static void rename_tables(int round)
{
    if (round == 4) fake_rename(a, "z");
    if (round == 3) fake_rename(a, "odd/name %");
    if (round == 2) { /* they change places */
        fake_rename(a, "x");
        fake_rename(b, "z");
        fake_rename(a, "b");
    }
}

static void folders_move_with_their_tables(void **state)
{
    follow_shapes(rename_tables, 6);
    check_metadata_name(a);
    check_metadata_name(b);
    assert_false(is_folder("a"));
    check_status("main.b", "Replicating", NULL);
    check_status("main.z", "Replicating", NULL);
}

/* The one that gives up its place is told of later. */
static void take_a_place_early(int round)
{
    if (round == 4) {
        fake_rename(b, "a");
        fake_insert(b, 5, 5, FAKE_NULL);
        fake_commit();
    }
    if (round == 2) fake_rename(a, "b");
}

static void a_table_that_is_in_the_way_waits_aside(void **state)
{
    fake.tracks = true;
    two_tables(40);
    once();
    change_shapes = take_a_place_early;
    rounds = 6;
    fake.on_head = reshape_while_following;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    assert_int_equal(fake.loads, 2);
    check_metadata_name(a);
    check_metadata_name(b);
}

static void tables_renamed_unseen_are_found(void **state)
{
    two_tables(40);
    once();
    some_changes();
    fake_rename(a, "x");
    fake_rename(b, "a");
    fake_rename(a, "b");
    some_changes();
    once();
    check_all();
    assert_int_equal(fake.loads, 2);
    check_metadata_name(a);
    check_metadata_name(b);
    fake_rename(a, "c");
    some_changes();
    once();
    check_all();
    assert_int_equal(fake.loads, 2);
    assert_false(is_folder("b"));
}

/* As tools for changing a schema online do it: a new table takes the place of the old one, which goes. */
static void replace_a_table(void)
{
    if (fake.confirmed < fake.count) return;
    if (rounds == 4) {
        int t = fake_create("main", "a_new", true);
        for (int i = 0; i < 5; i++) fake_insert(t, 1000 + i, 2, 3);
        fake_commit();
    } else if (rounds == 2) {
        fake_do(FAKE_DROP, a);
        fake_rename(fake.table_count - 1, "a");
        fake_insert(fake.table_count - 1, 2000, 2, 3);
        fake_commit();
    } else if (rounds > 0) {
        fake_insert(b, 4, 4, FAKE_NULL);
        fake_commit();
    } else {
        tain_worker_stop();
    }
    rounds--;
}

static void renamed_table_takes_the_place_of_one_that_is_gone(void **state)
{
    two_tables(40);
    once();
    rounds = 5;
    fake.on_head = replace_a_table;
    assert_ok(run_mirror((run){.follow = true}, err));
    fake.on_head = NULL;
    check_all();
    assert_int_equal(fake.loads, 3);
    check_status("main.a", "Replicating", NULL);
    assert_false(is_folder("a_new"));
    fake_insert(fake.table_count - 1, 2001, 2, 3);
    fake_commit();
    once();
    check_all();
    assert_int_equal(fake.loads, 3);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(renamed_columns_keep_their_values),
        CASE(dropped_columns_do_not_come_back),
        CASE(names_survive_a_lost_stream),
        CASE(dropped_columns_are_kept),
        CASE(kept_columns_need_no_mapping_and_survive_merging),
        CASE(kept_columns_survive_a_lost_stream),
        CASE(columns_dropped_unseen_are_kept),
        CASE(a_kept_column_goes_when_the_policy_says_so),
        CASE(columns_renamed_unseen_are_not_loaded),
        CASE(memo_is_kept_with_the_shape),
        CASE(what_cannot_be_converted_is_loaded),
        CASE(older_rows_have_the_default),
        CASE(widened_columns_keep_their_values),
        CASE(defaults_survive_a_lost_stream),
        CASE(shape_alone_survives_a_lost_stream),
        CASE(rows_that_go_at_once_leave_the_others),
        CASE(truncated_table_gets_a_default),
        CASE(defaults_given_unseen_are_shown),
        CASE(folders_move_with_their_tables),
        CASE(a_table_that_is_in_the_way_waits_aside),
        CASE(tables_renamed_unseen_are_found),
        CASE(renamed_table_takes_the_place_of_one_that_is_gone),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
