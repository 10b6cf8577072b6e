/* SPDX-License-Identifier: MIT */
/* scan_fixture.h -- an open scan, a folder of its own, and results as one string. */
#ifndef SCAN_FIXTURE_H
#define SCAN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scan/scan.h"

typedef struct fixture {
    tain_scan *scan;
    char       folder[64];
} fixture;

static tain_error error;

static void require(tain_status status)
{
    if (status != TAIN_OK) fail_msg("%s: %s", tain_status_name(status), error.message);
}

static int fixture_open(void **state)
{
    fixture *f = tain_alloc(sizeof *f);
    strcpy(f->folder, "/tmp/tain-scan-XXXXXX");
    if (!mkdtemp(f->folder)) return 1;
    require(tain_scan_open(&(tain_scan_options){.memory = 256 << 20, .threads = 2}, &f->scan, &error));
    *state = f;
    return 0;
}

static int fixture_close(void **state)
{
    fixture *f = *state;
    tain_scan_close(f->scan);
    char *command = tain_format("rm -rf '%s'", f->folder);
    int   code = system(command);
    tain_free(command);
    tain_free(f);
    return code;
}

/* Every row of a result: "1|x\n2|~\n", nulls as ~. Valid until the next call. */
static const char *text_of(tain_scan *s, const char *sql)
{
    static tain_buffer out;
    tain_buffer_clear(&out);
    tain_result *r = NULL;
    require(tain_scan_query(s, sql, &r, &error));
    tain_batch b;
    size_t     n = 1;
    tain_batch_init(&b, tain_result_text_schema(r));
    while (n) {
        tain_batch_clear(&b);
        require(tain_result_next_text(r, &b, &n, &error));
        assert_int_equal(n, b.rows);
        for (size_t i = 0; i < n; i++)
            for (size_t c = 0; c < b.schema->count; c++) {
                tain_slice t = tain_column_slice(&b.columns[c], i);
                if (tain_column_is_null(&b.columns[c], i)) tain_buffer_append_u8(&out, '~');
                tain_buffer_append(&out, t.data, t.size);
                tain_buffer_append_u8(&out, c + 1 < b.schema->count ? '|' : '\n');
            }
    }
    tain_batch_done(&b);
    tain_result_free(r);
    return tain_buffer_cstr(&out);
}

/* Runs a printf'd statement for its effect. */
__attribute__((format(printf, 2, 3), unused)) static void run(tain_scan *s, const char *format, ...)
{
    char    sql[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    text_of(s, sql);
}

#endif
