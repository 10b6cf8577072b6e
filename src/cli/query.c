/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/attach.h"
#include "cli/cli.h"

typedef enum format { TABLE, CSV, JSON, ROWS } format;

/* --- output, a chunk at a time ------------------------------------------------------------------------------------- */

typedef struct output {
    format       format;
    tain_result *result;
    tain_grid    grid;
    int64_t      rows, most; /* most 0: all */
    bool         truncated;
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

/* Arrays, one a row: of rows as objects nobody sees the columns where there are none. */
static void array_rows(output *o, const tain_batch *b)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    for (size_t r = 0; r < b->rows; r++) {
        tain_json j = {.out = &out};
        tain_buffer_append_str(&out, o->rows + (int64_t)r ? ",\n " : "\n ");
        tain_json_array(&j);
        for (size_t c = 0; c < b->schema->count; c++) tain_result_put_json(o->result, c, b, r, &j);
        tain_json_array_end(&j);
    }
    fwrite(out.data, 1, out.size, stdout);
}

static void array_head(const output *o)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    tain_json j = {.out = &out};
    tain_json_array(&j);
    for (size_t c = 0; c < tain_result_columns(o->result); c++) tain_json_str(&j, tain_result_name(o->result, c));
    tain_json_array_end(&j);
    printf("{\"columns\":%s,\n\"rows\":[", tain_buffer_cstr(&out));
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
    if (o->format == ROWS) array_head(o);
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
    if (o->format == ROWS) printf("%s],\n\"truncated\":%s}\n", o->rows ? "\n" : "", o->truncated ? "true" : "false");
    if (o->format != TABLE) return;
    tain_grid_print(&o->grid, stdout, 0);
    printf("(%lld row%s%s)\n", (long long)o->rows, tain_plural(o->rows), o->truncated ? "; there are more" : "");
    free((char *)o->grid.align);
    tain_grid_done(&o->grid);
}

/* Cuts the batch where enough has been shown. True: that was it. */
static bool is_enough(output *o, tain_batch *batch, size_t *io_rows)
{
    if (!o->most || o->rows + (int64_t)*io_rows <= o->most) return false;
    *io_rows = (size_t)(o->most - o->rows);
    batch->rows = *io_rows;
    return o->truncated = true;
}

static void (*printer_of(format f))(output *, const tain_batch *)
{
    static void (*const all[])(output *, const tain_batch *) = {[TABLE] = table_rows, [CSV] = csv_rows, [JSON] = json_rows, [ROWS] = array_rows};
    return all[f];
}

static tain_status print_result(tain_result *result, format f, int64_t most, tain_error *err)
{
    output o = {.format = f, .result = result, .most = most};
    tain_batch batch;
    size_t rows = 0;
    if (f == JSON || f == ROWS) tain_result_keep_nesting(result);
    tain_batch_init(&batch, tain_result_text_schema(result));
    begin(&o);
    tain_status st;
    for (;;) {
        tain_batch_clear(&batch);
        st = tain_result_next_text(result, &batch, &rows, err);
        if (st != TAIN_OK || rows == 0) break;
        bool enough = is_enough(&o, &batch, &rows);
        printer_of(f)(&o, &batch);
        o.rows += (int64_t)rows;
        if (enough) break;
    }
    if (st == TAIN_OK) end(&o);
    tain_batch_done(&batch);
    return st;
}

/* --- the command --------------------------------------------------------------------------------------------------- */

typedef struct settings {
    format      format;
    const char *as_of;
    bool        confined;
    int64_t     most;
} settings;

/* Its SQL reads the lake alone. */
static tain_status confine(tain_attached *a, const char *lake, tain_error *err)
{
    TAIN_AUTO(tain_free) char *path = realpath(lake, NULL), *folder = path ? tain_format("%s/", path) : NULL;
    if (!folder) return tain_fail_errno(err, "cannot open %s", lake);
    return tain_scan_confine(tain_attached_scan(a), (const char *const[]){folder, NULL}, err);
}

static tain_status query(const char *lake, const char *sql, const settings *s, tain_error *err)
{
    TAIN_AUTO(tain_attached_free) tain_attached *attached = NULL;
    TAIN_TRY(tain_attach_lake(lake, s->as_of, &attached, err));
    if (s->confined) TAIN_TRY(confine(attached, lake, err));
    TAIN_AUTO(tain_result_free) tain_result *result = NULL;
    TAIN_TRY(tain_scan_query(tain_attached_scan(attached), sql, &result, err));
    return print_result(result, s->format, s->most, err);
}

static int run(int argc, char **argv)
{
    const char *format_name = "table";
    char **args;
    bool json = false;
    settings s = {0};
    int limit = 0;
    const tain_option options[] = {
        {"format", TAIN_OPTION_CHOICE, &format_name, "table|csv|json|rows", "json: row objects; rows: columns, then arrays"},
        {"limit", TAIN_OPTION_INT, &limit, "N", "no more rows than that are shown"},
        {"confined", TAIN_OPTION_FLAG, &s.confined, NULL, "the SQL reads this lake alone, and writes nothing"},
        {"as-of", TAIN_OPTION_TEXT, &s.as_of, "WHEN", "all tables as they were at that epoch, or time (UTC)"},
        {"json", TAIN_OPTION_FLAG, &json, NULL, "the same as --format json"},
        {NULL},
    };
    int n, code = tain_cli_parse(&tain_command_query, options, argc, argv, &args, &n);
    if (code >= 0) return code;
    s.format = json || strcmp(format_name, "json") == 0 ? JSON : strcmp(format_name, "csv") == 0 ? CSV : strcmp(format_name, "rows") == 0 ? ROWS : TABLE;
    s.most = limit;
    tain_error e = {0};
    tain_status st = query(args[0], args[1], &s, &e);
    free(args);
    return st == TAIN_OK ? TAIN_EXIT_OK : tain_cli_fail(&e);
}

const tain_command tain_command_query = {
    .name = "query", .arguments = "LAKE SQL", .summary = "SQL over the mirrored tables", .least = 2, .most = 2, .run = run,
    .example = "  tain query ./lake \"select status, count(*) from main.orders group by 1\"\n"
               "  tain query ./lake \"select * from main.orders\" --format csv > orders.csv\n"
               "  tain query ./lake \"select count(*) from orders\" --as-of 2026-11-21T18:00:00Z\n",
};
