/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/attach.h"
#include "cli/cli.h"

typedef enum format { TABLE, CSV, JSON } format;

/* --- output, a chunk at a time ------------------------------------------------------------------------------------- */

typedef struct output {
    format       format;
    tain_result *result;
    tain_grid    grid;
    int64_t      rows;
} output;

static void csv_cell(const char *text, size_t n, bool null)
{
    bool quote = memchr(text, ',', n) || memchr(text, '"', n) || memchr(text, '\n', n) || memchr(text, '\r', n) || (!null && n == 0);
    if (!quote) {
        fwrite(text, 1, n, stdout);
        return;
    }
    putchar('"');
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"') putchar('"');
        putchar(text[i]);
    }
    putchar('"');
}

static void csv_rows(output *o, const tain_batch *b)
{
    for (size_t r = 0; r < b->rows; r++) {
        for (size_t c = 0; c < b->schema->count; c++) {
            bool null = tain_column_is_null(&b->columns[c], r);
            tain_slice s = null ? (tain_slice){(const uint8_t *)"", 0} : tain_column_slice(&b->columns[c], r);
            if (c) putchar(',');
            csv_cell((const char *)s.data, s.size, null);
        }
        putchar('\n');
    }
}

static void json_rows(output *o, const tain_batch *b)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    for (size_t r = 0; r < b->rows; r++) {
        tain_json j = {.out = &out};
        tain_buffer_append_str(&out, o->rows + (int64_t)r ? ",\n " : "\n ");
        tain_json_object(&j);
        for (size_t c = 0; c < b->schema->count; c++) {
            tain_json_key(&j, tain_result_name(o->result, c));
            tain_result_put_json(o->result, c, b, r, &j);
        }
        tain_json_object_end(&j);
    }
    fwrite(out.data, 1, out.size, stdout);
}

static void table_rows(output *o, const tain_batch *b)
{
    for (size_t r = 0; r < b->rows; r++) {
        for (size_t c = 0; c < b->schema->count; c++) {
            tain_slice s = tain_column_is_null(&b->columns[c], r) ? (tain_slice){(const uint8_t *)"NULL", 4} : tain_column_slice(&b->columns[c], r);
            tain_grid_add(&o->grid, (const char *)s.data, s.size);
        }
    }
}

static void begin(output *o)
{
    size_t n = tain_result_columns(o->result);
    if (o->format == JSON) putchar('[');
    if (o->format == TABLE) {
        char *align = tain_alloc(n + 1);
        for (size_t c = 0; c < n; c++) align[c] = tain_result_is_number(o->result, c) ? 'r' : 'l';
        o->grid = (tain_grid){.columns = n, .align = align};
    }
    for (size_t c = 0; c < n; c++) {
        const char *name = tain_result_name(o->result, c);
        if (o->format == TABLE) tain_grid_add(&o->grid, name, strlen(name));
        if (o->format != CSV) continue;
        if (c) putchar(',');
        csv_cell(name, strlen(name), false);
    }
    if (o->format == CSV) putchar('\n');
}

static void end(output *o)
{
    if (o->format == JSON) puts(o->rows ? "\n]" : "]");
    if (o->format != TABLE) return;
    tain_grid_print(&o->grid, stdout, 0);
    printf("(%lld row%s)\n", (long long)o->rows, o->rows == 1 ? "" : "s");
    free((char *)o->grid.align);
    tain_grid_done(&o->grid);
}

static tain_status print_result(tain_result *result, format f, tain_error *err)
{
    output o = {.format = f, .result = result};
    tain_batch batch;
    size_t rows = 0;
    if (f == JSON) tain_result_keep_nesting(result);
    tain_batch_init(&batch, tain_result_text_schema(result));
    begin(&o);
    tain_status st;
    for (;;) {
        tain_batch_clear(&batch);
        st = tain_result_next_text(result, &batch, &rows, err);
        if (st != TAIN_OK || rows == 0) break;
        (f == CSV ? csv_rows : f == JSON ? json_rows : table_rows)(&o, &batch);
        o.rows += (int64_t)rows;
    }
    if (st == TAIN_OK) end(&o);
    tain_batch_done(&batch);
    return st;
}

/* --- the command --------------------------------------------------------------------------------------------------- */

static tain_status query(const char *lake, const char *sql, const char *as_of, format f, tain_error *err)
{
    TAIN_AUTO(tain_attached_free) tain_attached *attached = NULL;
    TAIN_TRY(tain_attach_lake(lake, as_of, &attached, err));
    TAIN_AUTO(tain_result_free) tain_result *result = NULL;
    TAIN_TRY(tain_scan_query(tain_attached_scan(attached), sql, &result, err));
    return print_result(result, f, err);
}

static int run(int argc, char **argv)
{
    const char *format_name = "table", *as_of = NULL;
    char **args;
    bool json = false;
    const tain_option options[] = {
        {"format", TAIN_OPTION_CHOICE, &format_name, "table|csv|json", "json: one array of row objects"},
        {"as-of", TAIN_OPTION_TEXT, &as_of, "WHEN", "all tables as they were at that epoch, or time (UTC)"},
        {"json", TAIN_OPTION_FLAG, &json, NULL, "the same as --format json"},
        {NULL},
    };
    int n, code = tain_cli_parse(&tain_command_query, options, argc, argv, &args, &n);
    if (code >= 0) return code;
    format f = json || strcmp(format_name, "json") == 0 ? JSON : strcmp(format_name, "csv") == 0 ? CSV : TABLE;
    tain_error e = {0};
    tain_status st = query(args[0], args[1], as_of, f, &e);
    free(args);
    return st == TAIN_OK ? TAIN_EXIT_OK : tain_cli_fail(&e);
}

const tain_command tain_command_query = {
    .name = "query", .arguments = "LAKE SQL", .summary = "SQL over the mirrored tables", .least = 2, .most = 2, .run = run,
    .example = "  tain query ./lake \"select status, count(*) from main.orders group by 1\"\n"
               "  tain query ./lake \"select * from main.orders\" --format csv > orders.csv\n"
               "  tain query ./lake \"select count(*) from orders\" --as-of 2026-11-21T18:00:00Z\n",
};
