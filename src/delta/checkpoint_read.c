/* SPDX-License-Identifier: MIT */
/* Checkpoints of any engine: DuckDB turns every action into JSON, which is then read as a line of the log would be. */
#include <sys/mman.h>
#include <unistd.h>

#include "delta/internal.h"
#include "scan/scan.h"

/* --- files for DuckDB -------------------------------------------------------------------------------------------------- */

typedef struct local_file {
    char *path;
    int   fd; /* of a nameless copy, -1: the file itself */
} local_file;

static tain_status copy_out(tain_store *store, const char *key, local_file *ret, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer bytes = {0};
    TAIN_TRY(tain_store_get(store, key, 0, -1, &bytes, err));
    int fd = memfd_create("tain-checkpoint", MFD_CLOEXEC);
    if (fd < 0) return tain_fail_errno(err, "memory for a checkpoint");
    *ret = (local_file){tain_format("/proc/self/fd/%d", fd), fd};
    for (size_t done = 0; done < bytes.size;) {
        ssize_t n = write(fd, bytes.data + done, bytes.size - done);
        if (n < 0) return tain_fail_errno(err, "memory for a checkpoint");
        done += (size_t)n;
    }
    return TAIN_OK;
}

/* In place when there is a path and DuckDB would not take it for a pattern. */
static tain_status make_local(tain_store *store, const char *key, local_file *ret, tain_error *err)
{
    const char *root = tain_store_path(store);
    if (!root || strpbrk(root, "*?[]{}")) return copy_out(store, key, ret, err);
    *ret = (local_file){tain_format("%s/%s", root, key), -1};
    return TAIN_OK;
}

static void local_files_done(local_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (files[i].path && files[i].fd >= 0) close(files[i].fd);
        tain_free(files[i].path);
    }
    tain_free(files);
}

/* "read_parquet(['a','b'])" */
static char *source_text(const local_file *files, size_t n)
{
    tain_buffer b = {0};
    tain_buffer_append_str(&b, "read_parquet([");
    for (size_t i = 0; i < n; i++) {
        tain_buffer_append_str(&b, i ? ",'" : "'");
        for (const char *p = files[i].path; *p; p++) tain_buffer_append(&b, *p == '\'' ? "''" : p, *p == '\'' ? 2 : 1);
        tain_buffer_append_str(&b, "'");
    }
    tain_buffer_append_str(&b, "])");
    return tain_buffer_cstr(&b);
}

/* --- queries ------------------------------------------------------------------------------------------------------------- */

typedef tain_status (*on_row)(void *ctx, const tain_batch *b, size_t row, tain_error *err);

static tain_status each_row(tain_result *r, on_row each, void *ctx, tain_error *err)
{
    tain_batch b;
    size_t     n = 1;
    tain_status st = TAIN_OK;
    tain_batch_init(&b, tain_result_text_schema(r));
    while (st == TAIN_OK && n) {
        tain_batch_clear(&b);
        st = tain_result_next_text(r, &b, &n, err);
        for (size_t i = 0; st == TAIN_OK && i < n; i++) st = each(ctx, &b, i, err);
    }
    tain_batch_done(&b);
    return st;
}

static tain_status run(tain_scan *s, const char *sql, on_row each, void *ctx, tain_error *err)
{
    TAIN_AUTO(tain_result_free) tain_result *r = NULL;
    TAIN_TRY(tain_scan_query(s, sql, &r, err));
    return each_row(r, each, ctx, err);
}

/* What DuckDB finds wrong with a statement of ours is wrong with the file. */
static tain_status query(tain_scan *s, const char *sql, on_row each, void *ctx, tain_error *err)
{
    tain_error  own;
    tain_status st = run(s, sql, each, ctx, &own);
    if (st == TAIN_E_INVALID) return tain_fail(err, TAIN_E_CORRUPT, "not a checkpoint: %s", own.message);
    if (st != TAIN_OK && err) *err = own;
    return st;
}

static tain_status note_name(void *ctx, const tain_batch *b, size_t row, tain_error *err)
{
    tain_slice name = tain_column_slice(&b->columns[0], row);
    char      *key = tain_strndup((const char *)name.data, name.size);
    tain_map_put(ctx, key, ctx);
    tain_free(key);
    return TAIN_OK;
}

/* Names of the columns of a relation, or of the members of a struct. */
static tain_status names_of(tain_scan *s, const char *what, const char *source, tain_map *io, tain_error *err)
{
    char       *sql = tain_format("SELECT column_name FROM (DESCRIBE SELECT %s FROM %s)", what, source);
    tain_status st = query(s, sql, note_name, io, err);
    tain_free(sql);
    return st;
}

/* --- the actions of a row --------------------------------------------------------------------------------------------------- */

static const char *const actions[] = {"protocol", "metaData", "txn", "domainMetadata", "remove", "add"};
enum { ACTIONS = sizeof actions / sizeof *actions };

/* What we use of the members there are: typed statistics can hold values that JSON cannot. */
static void pack_add(tain_buffer *out, const tain_map *members)
{
    static const char *const used[] = {"path", "partitionValues", "size", "modificationTime", "tags", "deletionVector", "stats"};
    tain_buffer_append_str(out, "CASE WHEN \"add\".path IS NOT NULL THEN to_json(struct_pack(");
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        if (tain_map_get(members, used[i])) tain_buffer_printf(out, "%s%s := \"add\".%s", i ? ", " : "", used[i], used[i]);
    if (!tain_map_get(members, "stats") && tain_map_get(members, "stats_parsed"))
        tain_buffer_append_str(out, ", stats := '{\"numRecords\":' || \"add\".stats_parsed.numRecords || '}'");
    tain_buffer_append_str(out, ")) END");
}

static char *row_query(const tain_map *columns, const tain_map *members, const char *source)
{
    tain_buffer b = {0};
    tain_buffer_append_str(&b, "SELECT ");
    for (size_t i = 0; i < ACTIONS; i++) {
        if (i) tain_buffer_append_str(&b, ", ");
        if (!tain_map_get(columns, actions[i])) tain_buffer_append_str(&b, "NULL::VARCHAR");
        else if (strcmp(actions[i], "add") == 0) pack_add(&b, members);
        else tain_buffer_printf(&b, "to_json(\"%s\")", actions[i]);
    }
    tain_buffer_printf(&b, " FROM %s", source);
    return tain_buffer_cstr(&b);
}

static tain_status apply_row(void *ctx, const tain_batch *b, size_t row, tain_error *err)
{
    for (size_t i = 0; i < ACTIONS; i++) {
        if (tain_column_is_null(&b->columns[i], row)) continue;
        tain_slice  text = tain_column_slice(&b->columns[i], row);
        json_t     *o;
        TAIN_TRY(tain_json_parse(text.data, text.size, actions[i], &o, err));
        tain_status st = tain_parse_action(ctx, actions[i], o, err);
        json_decref(o);
        TAIN_TRY(st);
    }
    return TAIN_OK;
}

static tain_status count_row(void *ctx, const tain_batch *b, size_t row, tain_error *err)
{
    tain_slice text = tain_column_slice(&b->columns[0], row);
    *(bool *)ctx = !(text.size == 1 && text.data[0] == '0');
    return TAIN_OK;
}

static tain_status check_classic(tain_scan *s, const tain_map *columns, const char *source, tain_error *err)
{
    bool any = false;
    if (!tain_map_get(columns, "sidecar")) return TAIN_OK;
    char       *sql = tain_format("SELECT count(*) FROM %s WHERE sidecar IS NOT NULL", source);
    tain_status st = query(s, sql, count_row, &any, err);
    tain_free(sql);
    TAIN_TRY(st);
    return any ? tain_fail(err, TAIN_E_UNSUPPORTED, "a checkpoint of version 2, with sidecars") : TAIN_OK;
}

static tain_status read_source(tain_delta *t, tain_scan *s, const char *source, tain_error *err)
{
    tain_map    columns = {0}, members = {0};
    tain_status st = names_of(s, "*", source, &columns, err);
    if (st == TAIN_OK) st = check_classic(s, &columns, source, err);
    if (st == TAIN_OK && tain_map_get(&columns, "add")) st = names_of(s, "unnest(\"add\")", source, &members, err);
    if (st == TAIN_OK) {
        char *sql = row_query(&columns, &members, source);
        st = query(s, sql, apply_row, t, err);
        tain_free(sql);
    }
    tain_map_done(&columns);
    tain_map_done(&members);
    return st;
}

tain_status tain_checkpoint_read(tain_delta *t, char *const *keys, size_t n, tain_error *err)
{
    TAIN_AUTO(tain_scan_close) tain_scan *s = NULL;
    local_file *files = tain_alloc(n * sizeof *files);
    tain_status st = tain_scan_open(&(tain_scan_options){.memory = 256 << 20, .threads = 1}, &s, err);
    for (size_t i = 0; i < n && st == TAIN_OK; i++) st = make_local(t->store, keys[i], &files[i], err);
    if (st == TAIN_OK) {
        char *source = source_text(files, n);
        st = read_source(t, s, source, err);
        tain_free(source);
    }
    local_files_done(files, n);
    return st;
}
