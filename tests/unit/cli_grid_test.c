/* SPDX-License-Identifier: MIT */
/* Rows of text in columns: widths, alignment, what happens when there is no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static tain_grid g;
static char     *text;

static int forget(void **state)
{
    tain_grid_done(&g);
    free(text);
    text = NULL;
    return 0;
}

static void fill(size_t columns, const char *align, const char *const *cells)
{
    g = (tain_grid){.columns = columns, .align = align};
    for (; *cells; cells++) tain_grid_add(&g, *cells, strlen(*cells));
}

static const char *print(size_t width)
{
    size_t n;
    free(text);
    FILE *f = open_memstream(&text, &n);
    tain_grid_print(&g, f, width);
    fclose(f);
    return text;
}

static size_t width_of(const char *line, size_t n)
{
    size_t w = 0;
    for (size_t i = 0; i < n; i++) w += ((unsigned char)line[i] & 0xc0) != 0x80;
    return w;
}

static size_t widest(const char *lines)
{
    size_t most = 0;
    for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
        size_t w = width_of(lines, (size_t)(end - lines));
        if (w > most) most = w;
    }
    return most;
}

static void columns_stand_under_their_heads(void **state)
{
    fill(3, "lrl", (const char *[]){"name", "rows", "note", "a", "12345", "x", "bbbbbb", "1", "", NULL});
    assert_string_equal(print(0), "name     rows  note\n"
                                  "------  -----  ----\n"
                                  "a       12345  x\n"
                                  "bbbbbb      1  \n");
}

static void without_alignment_all_is_left(void **state)
{
    fill(2, NULL, (const char *[]){"a", "b", "1", "2", NULL});
    assert_string_equal(print(0), "a  b\n-  -\n1  2\n");
}

static void last_column_can_be_right_aligned(void **state)
{
    fill(2, "lr", (const char *[]){"a", "count", "x", "7", NULL});
    assert_string_equal(print(0), "a  count\n-  -----\nx      7\n");
}

static void characters_count_not_bytes(void **state)
{
    fill(2, "ll", (const char *[]){"größe", "x", "a", "y", NULL});
    assert_string_equal(print(0), "größe  x\n-----  -\na      y\n");
}

static void a_cell_is_one_line(void **state)
{
    fill(2, "ll", (const char *[]){"a", "b", "one\ntwo\t\r\x1b[31m", "y", NULL});
    assert_null(strchr(strchr(strchr(print(0), '\n') + 1, '\n') + 1, '\t'));
    assert_null(strchr(text, '\x1b'));
    size_t lines = 0;
    for (const char *p = text; *p; p++) lines += *p == '\n';
    assert_int_equal(lines, 3);
}

static void wide_rows_are_cut_to_fit(void **state)
{
    char big[300];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    fill(3, "llr", (const char *[]){"name", "value", "n", big, big, "12", "short", "short", "1", NULL});
    for (size_t width = 30; width <= 200; width += 17) {
        print(width);
        assert_true(widest(text) <= width);
        assert_non_null(strstr(text, "…"));
        assert_non_null(strstr(text, "12\n"));    /* narrow columns stay whole */
        assert_non_null(strstr(text, "short"));
    }
    assert_true(widest(print(0)) > 600);
}

static void cut_text_stays_utf8(void **state)
{
    fill(2, "ll", (const char *[]){"a", "b", "äöüßäöüßäöüßäöüßäöüß", "日本語日本語日本語日本語日本語日本語", NULL});
    print(24);
    assert_true(widest(text) <= 24);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        size_t follow = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
        assert_int_not_equal(*p & 0xc0, 0x80);
        for (; follow; follow--) assert_int_equal(*++p & 0xc0, 0x80);
    }
}

/* Columns never become so narrow that nothing can be read. */
static void too_little_room_is_not_used_up(void **state)
{
    fill(4, "llll", (const char *[]){"aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc", "dddddddddddd", "1", "2", "3", "4", NULL});
    assert_int_equal(widest(print(5)), 4 * 8 + 3 * 2);
}

static void a_head_alone_and_nothing_at_all(void **state)
{
    fill(2, "ll", (const char *[]){"a", "b", NULL});
    assert_string_equal(print(80), "a  b\n-  -\n");
    forget(NULL);
    g = (tain_grid){0};
    assert_string_equal(print(80), "");
}

static void given_length_counts(void **state)
{
    g = (tain_grid){.columns = 1, .align = "l"};
    tain_grid_add(&g, "headache", 4);
    tain_grid_add(&g, "abcdef", 3);
    assert_string_equal(print(0), "head\n----\nabc\n");
}

static const char *wrap(const char *indent, const char *words)
{
    size_t n;
    free(text);
    FILE *f = open_memstream(&text, &n);
    tain_cli_print_wrapped(f, indent, words);
    fclose(f);
    return text;
}

static void text_is_wrapped(void **state)
{
    char words[600] = "", want[600] = "";
    for (int i = 0; i < 40; i++) {
        strcat(words, i ? " abcé567" : "abcé567"); /* ten to a line: 10 * 7 + 9 = 79 */
        strcat(want, i == 0 ? "abcé567" : i % 10 ? " abcé567" : "\nabcé567");
    }
    strcat(want, "\n");
    assert_string_equal(wrap("", words), want);
    assert_string_equal(wrap("  ", "a  b\nc"), "  a b c\n");
    assert_string_equal(wrap("", ""), "\n");
    memset(words, 'x', 100);
    strcpy(words + 100, " y");
    snprintf(want, sizeof want, "%.100s\ny\n", words);
    assert_string_equal(wrap("", words), want);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, forget)
    const struct CMUnitTest tests[] = {
        CASE(columns_stand_under_their_heads),
        CASE(without_alignment_all_is_left),
        CASE(last_column_can_be_right_aligned),
        CASE(characters_count_not_bytes),
        CASE(a_cell_is_one_line),
        CASE(wide_rows_are_cut_to_fit),
        CASE(cut_text_stays_utf8),
        CASE(too_little_room_is_not_used_up),
        CASE(text_is_wrapped),
        CASE(a_head_alone_and_nothing_at_all),
        CASE(given_length_counts),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
