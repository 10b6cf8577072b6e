/* SPDX-License-Identifier: MIT */
/* Column mapping: only where names need it, and then for life. */
#include "mirror_fake.h"

#include "lake/kept.h"
#include "lake/naming.h"

static tain_schema *columns(const char *first, ...)
{
    tain_schema *s = tain_schema_new();
    va_list args;
    va_start(args, first);
    for (const char *name = first; name; name = va_arg(args, const char *)) tain_schema_add(s, name, tain_type_of(TAIN_INT64));
    va_end(args);
    return s;
}

static const tain_field *field(const tain_schema *s, const char *name)
{
    int at = tain_schema_find(s, name);
    assert_true(at >= 0);
    return &s->fields[at];
}

/* Every column has an id and a physical name of its own, whatever the case. */
static void check_mapped(const tain_schema *s)
{
    for (size_t i = 0; i < s->count; i++) {
        assert_true(s->fields[i].id > 0);
        assert_int_equal(strcspn(s->fields[i].physical, " ,;{}()=\n\t"), strlen(s->fields[i].physical));
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(s->fields[i].id, s->fields[k].id);
            if (strcasecmp(s->fields[i].physical, s->fields[k].physical) == 0) fail_msg("%s twice", s->fields[i].physical);
        }
    }
}

static void plain_names_need_no_mapping(void **state)
{
    tain_schema *s = columns("id", "Größe", "a.b", "x-y", "col_1", "_x", "100%", NULL);
    tain_naming_adopt(s, NULL);
    for (size_t i = 0; i < s->count; i++) {
        assert_int_equal(s->fields[i].id, 0);
        assert_string_equal(s->fields[i].physical, s->fields[i].name);
    }
    tain_schema_free(s);
}

static void odd_names_are_mapped(void **state)
{
    static const char *const odd[] = {"a b", "a,b", "a;b", "a{b", "a}b", "a(b", "a)b", "a=b", "a\nb", "a\tb", " ", ""};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        tain_schema *s = columns("id", odd[i], "z", NULL);
        tain_naming_adopt(s, NULL);
        check_mapped(s);
        assert_string_equal(field(s, "id")->physical, "id");
        assert_string_equal(field(s, "z")->physical, "z");
        tain_schema_free(s);
    }
}

static void names_equal_but_for_case_are_mapped(void **state)
{
    tain_schema *s = columns("Id", "id", "ID", NULL);
    tain_naming_adopt(s, NULL);
    check_mapped(s);
    assert_string_equal(field(s, "Id")->physical, "Id");
    tain_schema_free(s);
}

/* A plain column may be called what a mapped one would be called in the files. */
static void given_names_do_not_meet_made_ones(void **state)
{
    tain_schema *s = columns("col_2", "a b", "COL_3", "c d", NULL);
    tain_naming_adopt(s, NULL);
    check_mapped(s);
    tain_schema_free(s);
    s = columns("a b", "col_1", NULL);
    tain_naming_adopt(s, NULL);
    check_mapped(s);
    tain_schema_free(s);
}

static void columns_keep_what_they_have(void **state)
{
    tain_schema *old = columns("id", "a b", "c", NULL), *now = columns("new one", "c", "a b", "id", "plain", NULL);
    tain_naming_adopt(old, NULL);
    tain_naming_adopt(now, old);
    check_mapped(now);
    for (size_t i = 0; i < old->count; i++) {
        assert_int_equal(field(now, old->fields[i].name)->id, old->fields[i].id);
        assert_string_equal(field(now, old->fields[i].name)->physical, old->fields[i].physical);
    }
    assert_true(field(now, "new one")->id > 3);
    tain_schema_free(old);
    tain_schema_free(now);
}

static void mapping_stays_when_the_odd_name_goes(void **state)
{
    tain_schema *old = columns("id", "a b", NULL), *now = columns("id", NULL);
    tain_naming_adopt(old, NULL);
    tain_naming_adopt(now, old);
    assert_int_equal(field(now, "id")->id, 1);
    tain_schema_free(old);
    tain_schema_free(now);
}

/* The files still hold the dropped column's values under its id and physical name. */
static void what_a_dropped_column_had_is_not_given_again(void **state)
{
    tain_schema *first = columns("id", "a b", NULL), *without = columns("id", NULL), *again = columns("id", "c d", "a b", "e", NULL);
    tain_naming_adopt(first, NULL);
    int32_t used = tain_naming_highest(first);
    tain_naming_continue(without, first, used);
    tain_naming_continue(again, without, used);
    check_mapped(again);
    for (size_t i = 1; i < again->count; i++) {
        assert_true(again->fields[i].id > used);
        assert_string_not_equal(again->fields[i].physical, field(first, "a b")->physical);
    }
    tain_schema_free(first);
    tain_schema_free(without);
    tain_schema_free(again);
}

static void dropped_plain_name_does_not_come_back(void **state)
{
    tain_schema *first = columns("id", "a b", "c", NULL), *without = columns("id", "a b", NULL), *again = columns("id", "a b", "c", NULL);
    tain_naming_adopt(first, NULL);
    int32_t used = tain_naming_highest(first);
    tain_naming_continue(without, first, used);
    tain_naming_continue(again, without, used);
    assert_string_not_equal(field(again, "c")->physical, field(first, "c")->physical);
    assert_int_not_equal(field(again, "c")->id, field(first, "c")->id);
    tain_schema_free(first);
    tain_schema_free(without);
    tain_schema_free(again);
}

static void table_becomes_mapped_by_a_new_column(void **state)
{
    tain_schema *old = columns("id", "v", NULL), *now = columns("id", "v", "V", NULL);
    tain_naming_adopt(old, NULL);
    tain_naming_adopt(now, old);
    check_mapped(now);
    assert_string_equal(field(now, "id")->physical, "id"); /* as the files have it */
    assert_string_equal(field(now, "v")->physical, "v");
    tain_schema_free(old);
    tain_schema_free(now);
}

/* The new column stands before the old one of its name but for case. */
static void old_columns_stay_readable(void **state)
{
    tain_schema *old = columns("id", "v", NULL), *now = columns("id", "V", "v", NULL);
    tain_naming_adopt(old, NULL);
    tain_naming_adopt(now, old);
    check_mapped(now);
    assert_string_equal(field(now, "v")->physical, "v");
    tain_schema_free(old);
    tain_schema_free(now);
}

static void adopting_twice_changes_nothing(void **state)
{
    tain_schema *s = columns("id", "a b", NULL);
    tain_naming_adopt(s, NULL);
    char *physical = tain_strdup(field(s, "a b")->physical);
    tain_naming_adopt(s, s);
    assert_string_equal(field(s, "a b")->physical, physical);
    assert_int_equal(field(s, "id")->id, 1);
    free(physical);
    tain_schema_free(s);
}

/* --- columns that are what they are under any name */

static tain_schema *numbered(tain_schema *s, const int *ids)
{
    for (size_t i = 0; i < s->count; i++) s->fields[i].source_id = ids[i];
    return s;
}

static void renamed_column_is_found_by_its_number(void **state)
{
    tain_schema *old = numbered(columns("id", "v", "w", NULL), (int[]){1, 2, 3});
    tain_schema *now = numbered(columns("id", "w", "v", NULL), (int[]){1, 2, 3}); /* each has the other's name */
    tain_naming_evolve(now, old, 0);
    check_mapped(now);
    assert_string_equal(field(now, "w")->physical, "v");
    assert_string_equal(field(now, "v")->physical, "w");
    assert_string_equal(field(now, "id")->physical, "id");
    tain_schema_free(old);
    tain_schema_free(now);
}

static void another_column_of_a_name_is_another(void **state)
{
    tain_schema *old = numbered(columns("id", "v", NULL), (int[]){1, 2}), *now = numbered(columns("id", "v", NULL), (int[]){1, 3});
    assert_int_equal(tain_naming_match(old, &now->fields[1]), -1);
    assert_false(tain_naming_alike(old, now));
    tain_naming_evolve(now, old, 0);
    check_mapped(now);
    assert_string_not_equal(field(now, "v")->physical, "v");
    tain_schema_free(old);
    tain_schema_free(now);
}

/* Tables from before columns had numbers. */
static void column_without_number_is_found_by_name(void **state)
{
    tain_schema *old = columns("id", "v", NULL), *now = numbered(columns("id", "v", NULL), (int[]){1, 2});
    tain_naming_evolve(now, old, 0);
    assert_int_equal(now->fields[1].id, 0);
    assert_true(tain_naming_alike(old, now));
    assert_false(tain_naming_same(old, now));
    tain_schema_free(old);
    tain_schema_free(now);
}

static void column_of_another_type_is_another_in_files(void **state)
{
    tain_schema *old = columns("id", "v", NULL), *now = columns("id", "v", NULL);
    now->fields[1].type = tain_type_of(TAIN_STRING);
    tain_naming_evolve(now, old, 0);
    check_mapped(now);
    assert_string_not_equal(field(now, "v")->physical, "v");
    tain_schema_free(old);
    tain_schema_free(now);
}

/* From the drop on the table is mapped, so that the name is free for another column. */
static void dropped_column_leaves_a_mapping(void **state)
{
    tain_schema *old = columns("id", "v", NULL), *without = columns("id", NULL), *again = columns("id", "v", NULL);
    tain_naming_evolve(without, old, 0);
    check_mapped(without);
    tain_naming_evolve(again, without, tain_naming_highest(without));
    check_mapped(again);
    assert_string_not_equal(field(again, "v")->physical, "v");
    tain_schema_free(old);
    tain_schema_free(without);
    tain_schema_free(again);
}

static void added_column_needs_no_mapping(void **state)
{
    tain_schema *old = columns("id", NULL), *now = columns("v", "id", NULL);
    tain_naming_evolve(now, old, 0);
    for (size_t i = 0; i < now->count; i++) assert_int_equal(now->fields[i].id, 0);
    tain_schema_free(old);
    tain_schema_free(now);
}

/* Behind the others, without a mapping; from the first column of its name on it is called otherwise, and still is that in files. */
static void kept_column_is_in_files_what_it_was(void **state)
{
    json_t *keep = json_pack("{s:s}", "dropped_column", "keep");
    tain_schema *old = columns("id", "v", "w", NULL), *without = columns("id", "w", NULL), *again = columns("id", "w", "V", "v_DROPPED", NULL), *back;
    tain_schema *kept = tain_kept_show(without, old, keep, "main.t");
    tain_naming_evolve(kept, old, 0);
    assert_int_equal(kept->count, 3);
    assert_int_equal(kept->fields[2].id, 0);
    assert_string_equal(kept->fields[2].kept, "v");
    assert_false(tain_naming_alike(old, kept));
    tain_schema *now = tain_kept_show(again, kept, NULL, "main.t");
    tain_naming_evolve(now, kept, 0);
    check_mapped(now);
    assert_string_equal(field(now, "v_dropped_2")->physical, "v");
    assert_string_not_equal(field(now, "V")->physical, "V");
    tain_buffer text = {0};
    tain_schema_to_json(now, &text);
    assert_ok(tain_schema_from_json((const char *)text.data, text.size, &back, err));
    assert_true(tain_naming_same(now, back));
    assert_string_equal(field(back, "v_dropped_2")->kept, "v");
    assert_null(field(back, "v_dropped_2")->metadata);
    tain_schema *loaded = tain_kept_show(again, kept, NULL, "main.t"); /* with other files, too */
    tain_naming_continue(loaded, kept, 0);
    check_mapped(loaded);
    tain_schema *all[] = {old, without, again, kept, now, back, loaded};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) tain_schema_free(all[i]);
    tain_buffer_done(&text);
    json_decref(keep);
}

static size_t shown_by(const char *policies)
{
    json_t *p;
    assert_ok(tain_json_parse(policies, strlen(policies), "policies", &p, err));
    tain_schema *old = columns("id", "v", NULL), *without = columns("id", NULL), *shown = tain_kept_show(without, old, p, "main.t");
    size_t n = shown->count;
    tain_schema_free(old);
    tain_schema_free(without);
    tain_schema_free(shown);
    json_decref(p);
    return n;
}

static void policy_of_a_column_is_before_that_of_all(void **state)
{
    assert_int_equal(shown_by("{}"), 1);
    assert_int_equal(shown_by("{\"dropped_column\":\"keep\"}"), 2);
    assert_int_equal(shown_by("{\"dropped_column\":\"keep\",\"columns\":{\"main.t.v\":{\"dropped_column\":\"drop\"}}}"), 1);
    assert_int_equal(shown_by("{\"columns\":{\"main.t.v\":{\"dropped_column\":\"keep\"}}}"), 2);
    assert_int_equal(shown_by("{\"columns\":{\"main.u.v\":{\"dropped_column\":\"keep\"}}}"), 1);
}

/* What they are in the source is told by the lake's own text. */
static void numbers_survive_the_log(void **state)
{
    tain_schema *s = numbered(columns("id", "v", NULL), (int[]){7, 1600}), *back;
    tain_buffer text = {0};
    tain_schema_to_json(s, &text);
    assert_ok(tain_schema_from_json((const char *)text.data, text.size, &back, err));
    assert_true(tain_naming_same(s, back));
    assert_int_equal(back->fields[1].source_id, 1600);
    assert_null(back->fields[1].metadata);
    tain_buffer_done(&text);
    tain_schema_free(s);
    tain_schema_free(back);
}

/* A column that others added, with an id in it. */
static void ids_within_structs_are_not_given_again(void **state)
{
    static const char text[] = "{\"type\":\"struct\",\"fields\":[{\"name\":\"s\",\"type\":{\"type\":\"struct\",\"fields\":[{\"name\":\"a\","
                               "\"type\":\"long\",\"nullable\":true,\"metadata\":{\"delta.columnMapping.id\":7,\"delta.columnMapping.physicalName\":\"a\"}}]},"
                               "\"nullable\":true,\"metadata\":{\"delta.columnMapping.id\":2,\"delta.columnMapping.physicalName\":\"s\"}}]}";
    tain_schema *existing = NULL, *s = columns("x", NULL);
    assert_ok(tain_schema_from_json(text, strlen(text), &existing, err));
    assert_int_equal(tain_naming_highest(existing), 7);
    tain_naming_evolve(s, existing, 0);
    assert_int_equal(s->fields[0].id, 8);
    tain_schema_free(existing);
    tain_schema_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names_need_no_mapping),
        cmocka_unit_test(odd_names_are_mapped),
        cmocka_unit_test(names_equal_but_for_case_are_mapped),
        cmocka_unit_test(given_names_do_not_meet_made_ones),
        cmocka_unit_test(columns_keep_what_they_have),
        cmocka_unit_test(ids_within_structs_are_not_given_again),
        cmocka_unit_test(mapping_stays_when_the_odd_name_goes),
        cmocka_unit_test(what_a_dropped_column_had_is_not_given_again),
        cmocka_unit_test(dropped_plain_name_does_not_come_back),
        cmocka_unit_test(table_becomes_mapped_by_a_new_column),
        cmocka_unit_test(old_columns_stay_readable),
        cmocka_unit_test(adopting_twice_changes_nothing),
        cmocka_unit_test(renamed_column_is_found_by_its_number),
        cmocka_unit_test(another_column_of_a_name_is_another),
        cmocka_unit_test(column_without_number_is_found_by_name),
        cmocka_unit_test(column_of_another_type_is_another_in_files),
        cmocka_unit_test(dropped_column_leaves_a_mapping),
        cmocka_unit_test(added_column_needs_no_mapping),
        cmocka_unit_test(numbers_survive_the_log),
        cmocka_unit_test(kept_column_is_in_files_what_it_was),
        cmocka_unit_test(policy_of_a_column_is_before_that_of_all),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
