/* SPDX-License-Identifier: MIT */
/* sqlite_fixture.h -- a real SQLite file, a second connection that writes to it, and a mirror in memory that follows. */
#ifndef TAIN_TESTS_SQLITE_FIXTURE_H
#define TAIN_TESTS_SQLITE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "recording_sink.h"

typedef struct fixture {
    char         folder[64], path[96], spool[96];
    sqlite3     *writer;
    tain_source *source;
    recording   *mirror;
    bool         compare; /* --capture=poll */
} fixture;

static tain_error err;
#define OK(expr)                                                                                   \
    do {                                                                                           \
        err = (tain_error){0};                                                                     \
        tain_status ok_ = (expr);                                                                  \
        if (ok_ != TAIN_OK) fail_msg("%s: %s %s", #expr, tain_status_name(ok_), err.message);      \
    } while (0)
#define IS(code, expr)                                                                             \
    do {                                                                                           \
        err = (tain_error){0};                                                                     \
        assert_string_equal(tain_status_name(code), tain_status_name(expr));                       \
    } while (0)

static inline void sql_on(sqlite3 *db, const char *text)
{
    char *message = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", text, message);
}

static inline void sql(fixture *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = sqlite3_vmprintf(format, args);
    va_end(args);
    sql_on(f->writer, text);
    sqlite3_free(text);
}

static inline int64_t number(fixture *f, const char *text)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(f->writer, text, -1, &stmt, NULL) != SQLITE_OK) fail_msg("%s: %s", text, sqlite3_errmsg(f->writer));
    int64_t v = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    return v;
}

static inline void open_writer(fixture *f)
{
    assert_int_equal(sqlite3_open(f->path, &f->writer), SQLITE_OK);
    sqlite3_busy_timeout(f->writer, 5000);
    sqlite3_exec(f->writer, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
}

static inline fixture *fixture_new(const char *journal_mode)
{
    fixture *f = tain_alloc(sizeof *f);
    strcpy(f->folder, "/tmp/tain-sqlite-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/shop.db", f->folder);
    snprintf(f->spool, sizeof f->spool, "%s", f->folder);
    open_writer(f);
    sql(f, "PRAGMA journal_mode = %s", journal_mode);
    return f;
}

static inline void open_source_with(fixture *f, const char **tables, const char **exclude)
{
    tain_source_options o = {.url = f->path, .mirror_name = "m", .tables = tables, .exclude = exclude, .jobs = 2, .memory = 64 << 20,
                             .spool_dir = f->spool, .poll_capture = f->compare};
    OK(tain_source_open(&o, &f->source, &err));
}

static inline void close_source(fixture *f)
{
    tain_source_close(f->source);
    f->source = NULL;
}

static inline void begin(fixture *f)
{
    if (!f->source) open_source_with(f, NULL, NULL);
    f->mirror = recording_new();
    OK(recording_begin(f->mirror, f->source, &err));
}

static inline void catch_up(fixture *f)
{
    OK(recording_catch_up(f->mirror, f->source, &err));
    assert_string_equal(recording_violations(f->mirror), "");
}

static inline void assert_content(fixture *f, const char *table, const char *expected)
{
    char *got = recording_content(f->mirror, table);
    assert_string_equal(got, expected);
    free(got);
}

static inline void assert_columns(fixture *f, const char *table, const char *expected)
{
    char *got = recording_columns(f->mirror, table);
    assert_string_equal(got, expected);
    free(got);
}

static inline int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Integers, text and NULL only. */
static inline char *source_content(fixture *f, const char *table)
{
    tain_buffer sorted = {0};
    char *text = sqlite3_mprintf("SELECT * FROM \"%w\"", table);
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(f->writer, text, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_free(text);
    char **lines = NULL;
    size_t n = 0;
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        tain_buffer line = {0};
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *value = (const char *)sqlite3_column_text(stmt, i);
            const char *quote = sqlite3_column_type(stmt, i) == SQLITE_TEXT ? "'" : "";
            tain_buffer_printf(&line, "%s%s%s%s", i ? "," : "", quote, value ? value : "NULL", quote);
        }
        tain_buffer_append_str(&line, "\n");
        lines = tain_realloc(lines, (n + 1) * sizeof *lines);
        lines[n++] = tain_buffer_cstr(&line);
    }
    sqlite3_finalize(stmt);
    if (n) qsort(lines, n, sizeof *lines, by_text);
    for (size_t i = 0; i < n; i++) {
        tain_buffer_append_str(&sorted, lines[i]);
        free(lines[i]);
    }
    free(lines);
    return tain_buffer_cstr(&sorted);
}

static inline void assert_same(fixture *f, const char *table)
{
    char *expected = source_content(f, table);
    assert_content(f, table, expected);
    free(expected);
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void fixture_free(fixture *f)
{
    tain_source_close(f->source);
    recording_free(f->mirror);
    sqlite3_close(f->writer);
    nftw(f->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
}

static inline int setup_wal(void **state)
{
    *state = fixture_new("wal");
    return 0;
}

static inline int setup_rollback(void **state)
{
    *state = fixture_new("delete");
    return 0;
}

static inline int setup_compare(void **state)
{
    fixture *f = fixture_new("wal");
    f->compare = true;
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

#endif
