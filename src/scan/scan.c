/* SPDX-License-Identifier: MIT */
#include "scan/internal.h"

#include <unistd.h>

enum { DEFAULT_MEMORY_MIB = 512 };

static int core_count(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

static tain_status set(duckdb_config config, const char *name, const char *value, tain_error *err)
{
    if (duckdb_set_config(config, name, value) == DuckDBSuccess) return TAIN_OK;
    return tain_fail(err, TAIN_E_INVALID, "DuckDB refuses %s = '%s'", name, value);
}

static tain_status set_limits(duckdb_config config, const tain_scan_options *o, tain_error *err)
{
    char memory[32], threads[16];
    int64_t bytes = o && o->memory > 0 ? o->memory : (int64_t)DEFAULT_MEMORY_MIB << 20;
    snprintf(memory, sizeof memory, "%lldB", (long long)bytes);
    snprintf(threads, sizeof threads, "%d", o && o->threads > 0 ? o->threads : core_count());
    TAIN_TRY(set(config, "memory_limit", memory, err));
    TAIN_TRY(set(config, "threads", threads, err));
    /* The default would be a folder .tmp wherever the process happens to be. */
    return set(config, "temp_directory", o && o->temp_dir ? o->temp_dir : "", err);
}

static tain_status configure(duckdb_config config, const tain_scan_options *o, tain_error *err)
{
    TAIN_TRY(set_limits(config, o, err));
    TAIN_TRY(set(config, "autoinstall_known_extensions", "false", err));
    TAIN_TRY(set(config, "autoload_known_extensions", "false", err));
    return set(config, "allow_community_extensions", "false", err);
}

static tain_status open_database(tain_scan *s, const tain_scan_options *o, tain_error *err)
{
    duckdb_config config;
    if (duckdb_create_config(&config) != DuckDBSuccess) return tain_fail(err, TAIN_E_INTERNAL, "DuckDB makes no configuration");
    tain_status status = configure(config, o, err);
    char *message = NULL;
    if (status == TAIN_OK && duckdb_open_ext(NULL, &s->db, config, &message) != DuckDBSuccess)
        status = tain_fail(err, TAIN_E_INTERNAL, "DuckDB does not open: %s", message ? message : "no reason given");
    duckdb_free(message);
    duckdb_destroy_config(&config);
    return status;
}

static tain_status open_connection(tain_scan *s, const tain_scan_options *o, tain_error *err)
{
    TAIN_TRY(open_database(s, o, err));
    if (duckdb_connect(s->db, &s->connection) != DuckDBSuccess)
        return tain_fail(err, TAIN_E_INTERNAL, "DuckDB does not connect");
    /* Text of timestamps must not depend on the machine. */
    TAIN_TRY(tain_scan_run(s, "SET GLOBAL TimeZone = 'UTC'", err));
    return tain_scan_register_filter(s, err);
}

tain_status tain_scan_open(const tain_scan_options *options, tain_scan **ret, tain_error *err)
{
    tain_scan *s = tain_alloc(sizeof *s);
    if (options && options->temp_dir) s->temp_dir = tain_strdup(options->temp_dir);
    tain_status status = open_connection(s, options, err);
    if (status == TAIN_OK) *ret = s;
    else tain_scan_close(s);
    return status;
}

void tain_scan_close(tain_scan *s)
{
    if (!s) return;
    if (s->connection) duckdb_disconnect(&s->connection);
    if (s->db) duckdb_close(&s->db);
    tain_scan_slots_free(s);
    tain_free(s->temp_dir);
    tain_free(s);
}

tain_status tain_scan_confine(tain_scan *s, const char *const *folders, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer sql = {0};
    /* It may read the folder it spills to as well: that must be one of its own. */
    TAIN_AUTO(tain_free) char *spill = tain_format("%s/tain-query-%d", s->temp_dir ? s->temp_dir : "", (int)getpid());
    tain_buffer_append_str(&sql, "SET temp_directory = ");
    tain_sql_string(&sql, s->temp_dir ? spill : "", s->temp_dir ? strlen(spill) : 0);
    tain_buffer_append_str(&sql, "; SET allowed_directories = [");
    for (size_t i = 0; folders[i]; i++) {
        if (i) tain_buffer_append_u8(&sql, ',');
        tain_sql_string(&sql, folders[i], strlen(folders[i]));
    }
    tain_buffer_append_str(&sql, "]; SET enable_external_access = false; SET lock_configuration = true");
    TAIN_TRY(tain_scan_run(s, tain_buffer_cstr(&sql), err));
    s->confined = true;
    return TAIN_OK;
}

void tain_scan_halt(tain_scan *s)
{
    duckdb_interrupt(s->connection);
}

tain_status tain_scan_run(tain_scan *s, const char *sql, tain_error *err)
{
    duckdb_result result;
    tain_status status = TAIN_OK;
    if (duckdb_query(s->connection, sql, &result) != DuckDBSuccess)
        status = tain_scan_fail(err, duckdb_result_error_type(&result), duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return status;
}

static tain_status code_of(duckdb_error_type type)
{
    switch (type) {
    case DUCKDB_ERROR_IO: return TAIN_E_IO;
    case DUCKDB_ERROR_INTERRUPT: return TAIN_E_CANCELLED;
    case DUCKDB_ERROR_PERMISSION: return TAIN_E_PERMISSION;
    case DUCKDB_ERROR_NOT_IMPLEMENTED: return TAIN_E_UNSUPPORTED;
    case DUCKDB_ERROR_OUT_OF_MEMORY: return TAIN_E_FULL;
    case DUCKDB_ERROR_FATAL:
    case DUCKDB_ERROR_INTERNAL: return TAIN_E_INTERNAL;
    default: return TAIN_E_INVALID;
    }
}

/* The lines behind the first say where in the statement, with a caret that means nothing on one line. */
static void one_line(const char *message, char *out, size_t size)
{
    const char *where = strstr(message, "\n\nLINE ");
    size_t n = where ? (size_t)(where - message) : strlen(message);
    if (n >= size) n = size - 1;
    for (size_t i = 0; i < n; i++) out[i] = message[i] == '\n' ? ' ' : message[i];
    while (n && (out[n - 1] == ' ' || out[n - 1] == '.')) n--;
    out[n] = 0;
}

tain_status tain_scan_fail(tain_error *err, duckdb_error_type type, const char *message)
{
    char line[sizeof err->message];
    one_line(message ? message : "DuckDB failed without a reason", line, sizeof line);
    tain_status status = tain_fail(err, code_of(type), "%s", line);
    if (status == TAIN_E_FULL) tain_error_remedy(err, "allow more memory, or give a folder for temporary files");
    if (status == TAIN_E_INVALID) tain_error_remedy(err, "correct the statement");
    return status;
}
