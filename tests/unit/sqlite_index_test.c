/* SPDX-License-Identifier: MIT */
/* The text of CREATE INDEX, taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/memory.h"
#include "source/sqlite/index_text.h"

static void assert_parts(const char *sql, const char *first, const char *second, const char *where)
{
    char *terms[2] = {0}, *condition = NULL;
    size_t n = second ? 2 : 1;
    if (!tain_sqlite_index_text(sql, terms, n, &condition)) fail_msg("not understood: %s", sql);
    assert_string_equal(terms[0], first);
    if (second) assert_string_equal(terms[1], second);
    if (where) assert_string_equal(condition, where);
    else assert_null(condition);
    free(terms[0]);
    free(terms[1]);
    free(condition);
}

static void test_parts(void **state)
{
    assert_parts("CREATE UNIQUE INDEX i ON t(a)", "a", NULL, NULL);
    assert_parts("create unique index if not exists \"on\" on [a (b] ( a desc , lower(b) ) where a > 0", "a", "lower(b)", "a > 0");
    assert_parts("CREATE UNIQUE INDEX i ON t(coalesce(a, 'x,)('), b || '--' COLLATE NOCASE ASC)", "coalesce(a, 'x,)(')", "b || '--' COLLATE NOCASE", NULL);
    assert_parts("CREATE UNIQUE INDEX i ON t -- one (\n(a /* , */ , \"b\"\"),\") WHERE c IN (1, 2) AND d", "a", "\"b\"\"),\"", "c IN (1, 2) AND d");
    assert_parts("CREATE UNIQUE INDEX i ON t(CASE WHEN a THEN b ELSE `c` END, (d))", "CASE WHEN a THEN b ELSE `c` END", "(d)", NULL);
}

static void test_not_understood(void **state)
{
    static const char *const texts[] = {"", "CREATE", "CREATE INDEX i ON t", "CREATE INDEX i ON t(", "CREATE INDEX i ON t(a", "CREATE INDEX i ON t(a, b, c)",
                                        "CREATE INDEX i ON t(a)", "CREATE INDEX i ON t('a", "CREATE INDEX i ON t(a /* b"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *terms[2] = {0}, *condition = NULL;
        assert_false(tain_sqlite_index_text(texts[i], terms, 2, &condition));
        assert_null(condition);
    }
}

static void test_mentions(void **state)
{
    assert_true(tain_sqlite_mentions("lower(A) + 1", "a"));
    assert_true(tain_sqlite_mentions("\"the mail\" || [b]", "the mail"));
    assert_true(tain_sqlite_mentions("\"the mail\" || [b]", "B"));
    assert_false(tain_sqlite_mentions("aa + a_b + lower(ba)", "a"));
    assert_true(tain_sqlite_mentions("\"a\"\"b\"", "a\"b"));
    assert_false(tain_sqlite_mentions("x /* a */ -- a\n", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_not_understood), cmocka_unit_test(test_mentions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
