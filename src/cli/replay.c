/* SPDX-License-Identifier: MIT */
#include "cli/replay.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "lake/naming.h"

enum { FILE_BYTES = 128 << 20 };

typedef struct replayed { const tain_past *table; int64_t rows; } replayed;

/* --- writing one table --------------------------------------------------------------------------------------------- */

typedef struct output {
    tain_store        *folder;
    const tain_schema *schema;
    tain_delta_writer *writer;
    tain_delta_file  **files;
    size_t             count;
    int64_t            rows;
} output;

static tain_status end_file(output *o, tain_error *err)
{
    tain_delta_writer *w = o->writer;
    if (!w) return TAIN_OK;
    o->writer = NULL;
    o->files = tain_realloc(o->files, (o->count + 1) * sizeof(tain_delta_file *));
    TAIN_TRY(tain_delta_writer_finish(w, &o->files[o->count], err));
    o->count++;
    return TAIN_OK;
}

static tain_status put(output *o, const tain_batch *b, tain_error *err)
{
    if (!o->writer) TAIN_TRY(tain_delta_writer_new(o->folder, o->schema, NULL, &o->writer, err));
    TAIN_TRY(tain_parquet_append(tain_delta_writer_parquet(o->writer), b, NULL, 0, b->rows, err));
    o->rows += (int64_t)b->rows;
    return tain_parquet_size(tain_delta_writer_parquet(o->writer)) < FILE_BYTES ? TAIN_OK : end_file(o, err);
}

static tain_status put_all(output *o, tain_result *result, tain_error *err)
{
    tain_batch b;
    size_t rows;
    tain_status st;
    tain_batch_init(&b, o->schema);
    for (;;) {
        tain_batch_clear(&b);
        st = tain_result_next(result, &b, &rows, err);
        b.rows = st == TAIN_OK ? rows : 0;
        if (st != TAIN_OK || rows == 0) break;
        st = put(o, &b, err);
        if (st != TAIN_OK) break;
    }
    tain_batch_done(&b);
    return st == TAIN_OK ? end_file(o, err) : st;
}

static tain_status create(output *o, const tain_past *t, const tain_position *at, tain_error *err)
{
    TAIN_AUTO(tain_delta_close) tain_delta *made = NULL;
    json_t *info = json_pack("{s:{s:s}}", "tain", "asOf", at->text);
    tain_delta_commit c = {.operation = "CREATE TABLE", .info = info, .name = t->name, .schema = o->schema, .adds = o->files, .add_count = o->count, .data_change = true};
    tain_status st = tain_delta_create(o->folder, &c, &made, err);
    json_decref(info);
    if (st == TAIN_OK) o->count = 0; /* the table's now */
    return st;
}

static tain_status write_rows(tain_pasts *p, const tain_past *t, const tain_position *at, output *o, tain_error *err)
{
    TAIN_AUTO(tain_result_free) tain_result *result = NULL;
    TAIN_TRY(tain_past_rows(p, t, at, &result, err));
    TAIN_TRY(put_all(o, result, err));
    return create(o, t, at, err);
}

static tain_status write_table(tain_pasts *p, const tain_past *t, const tain_position *at, tain_store *lake, tain_schema *schema, int64_t *ret_rows, tain_error *err)
{
    TAIN_AUTO(tain_free) char *folder = tain_lake_table_folder(t->schema, t->table);
    tain_naming_adopt(schema, NULL);
    output o = {.folder = tain_store_sub(lake, folder), .schema = schema};
    tain_status st = write_rows(p, t, at, &o, err);
    if (st != TAIN_OK) tain_error_context(err, "table %s", t->name);
    *ret_rows = o.rows;
    tain_delta_writer_abort(o.writer);
    for (size_t i = 0; i < o.count; i++) tain_delta_file_free(o.files[i]);
    free(o.files);
    tain_store_close(o.folder);
    return st;
}

/* --- all tables ---------------------------------------------------------------------------------------------------- */

static tain_status write_tables(tain_pasts *p, const tain_position *at, tain_store *lake, replayed *list, size_t *ret_count, tain_error *err)
{
    *ret_count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const tain_past *t = &p->list[i];
        TAIN_AUTO(tain_schema_free) tain_schema *schema = tain_past_columns(t, at);
        if (!schema) {
            fprintf(stderr, "tain: %s is left out: its history begins later\n", t->name);
            continue;
        }
        list[*ret_count].table = t;
        TAIN_TRY(write_table(p, t, at, lake, schema, &list[*ret_count].rows, err));
        ++*ret_count;
    }
    return TAIN_OK;
}

/* Under another name until it is complete. */
static tain_status write_lake(tain_pasts *p, const tain_position *at, const char *folder, replayed *list, size_t *ret_count, tain_error *err)
{
    TAIN_AUTO(tain_free) char *partial = tain_format("%s.incomplete", folder);
    tain_store *lake;
    TAIN_TRY(tain_store_open(partial, true, &lake, err));
    tain_status st = tain_store_remove_all(lake, "", err); /* of one that was killed */
    tain_store_close(lake);
    if (st == TAIN_OK) st = tain_store_open(partial, true, &lake, err);
    TAIN_TRY(st);
    st = write_tables(p, at, lake, list, ret_count, err);
    if (st != TAIN_OK) (void)!tain_store_remove_all(lake, "", NULL);
    tain_store_close(lake);
    if (st != TAIN_OK) (void)rmdir(partial);
    if (st == TAIN_OK && rename(partial, folder) != 0) st = tain_fail_errno(err, "cannot rename %s to %s", partial, folder);
    return st;
}

/* --- the command --------------------------------------------------------------------------------------------------- */

/* LAKE.as-of-2026-11-21T18-00-00Z */
static char *default_folder(const char *lake, const char *when)
{
    size_t n = strlen(lake);
    while (n > 1 && lake[n - 1] == '/') n--;
    char *folder = tain_format("%.*s.as-of-%s", (int)n, lake, when);
    for (char *c = folder + n; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '.') *c = '-';
    return folder;
}

static tain_status check_free(const char *folder, tain_error *err)
{
    if (access(folder, F_OK) != 0 && errno == ENOENT) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_EXISTS, "%s is there already", folder);
    tain_error_remedy(err, "name another folder with --to");
    return st;
}

static void print_json(const char *folder, const tain_position *at, const replayed *list, size_t n)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer out = {0};
    tain_json j = {.out = &out};
    tain_json_object(&j);
    tain_json_kstr(&j, "folder", folder);
    tain_json_kstr(&j, "position", at->text);
    tain_json_key(&j, "tables");
    tain_json_array(&j);
    for (size_t i = 0; i < n; i++) {
        tain_json_object(&j);
        tain_json_kstr(&j, "name", list[i].table->name);
        tain_json_kint(&j, "rows", list[i].rows);
        tain_json_object_end(&j);
    }
    tain_json_array_end(&j);
    tain_json_object_end(&j);
    puts(tain_buffer_cstr(&out));
}

static void print_text(const char *folder, const tain_position *at, const replayed *list, size_t n)
{
    for (size_t i = 0; i < n; i++) printf("  %s, %lld row%s\n", list[i].table->name, (long long)list[i].rows, tain_plural(list[i].rows));
    printf("%zu table%s as of position %s: %s\n", n, tain_plural((int64_t)n), at->text, folder);
}

static tain_status replay(tain_pasts *p, const char *when, const char *folder, bool json, tain_error *err)
{
    tain_position at;
    size_t n = 0;
    TAIN_TRY(check_free(folder, err));
    TAIN_TRY(tain_pasts_position(p, when, &at, err));
    TAIN_AUTO(tain_free) replayed *list = tain_alloc((p->count + 1) * sizeof *list);
    TAIN_TRY(write_lake(p, &at, folder, list, &n, err));
    (json ? print_json : print_text)(folder, &at, list, n);
    return TAIN_OK;
}

static int run(int argc, char **argv)
{
    const char *when = NULL, *to = NULL;
    char **args;
    bool json = false;
    const tain_option options[] = {
        {"as-of", TAIN_OPTION_TEXT, &when, "WHEN", "time (UTC), position of the source, or epoch"},
        {"to", TAIN_OPTION_TEXT, &to, "FOLDER", "where to (LAKE.as-of-WHEN)"},
        {"json", TAIN_OPTION_FLAG, &json, NULL, "for machines"},
        {NULL},
    };
    int n, code = tain_cli_parse(&tain_command_replay, options, argc, argv, &args, &n);
    if (code >= 0) return code;
    if (!when) return tain_cli_usage(&tain_command_replay, "--as-of must say when");
    TAIN_AUTO(tain_free) char *folder = to ? tain_strdup(to) : default_folder(args[0], when);
    tain_pasts p;
    tain_error e = {0};
    tain_status st = tain_pasts_open(args[0], &p, &e);
    if (st == TAIN_OK) st = replay(&p, when, folder, json, &e);
    tain_pasts_done(&p);
    free(args);
    return st == TAIN_OK ? TAIN_EXIT_OK : tain_cli_fail(&e);
}

const tain_command tain_command_replay = {
    .name = "replay", .arguments = "LAKE --as-of WHEN", .summary = "tables of any moment, from their history", .least = 1, .most = 1, .run = run,
    .example = "  tain replay ./lake --as-of 2026-11-21T18:00:00Z\n"
               "  tain replay ./lake --as-of 0/1A2B3C4D --to ./then\n",
};
