/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <unistd.h>

#include "scan/internal.h"

enum { DEFAULT_MEMORY = 512 << 20 };

static void set(duckdb_config config, const char *name, const char *value)
{
    /* Only names that this version knows are used; a failure would show as the default being in force. */
    if (duckdb_set_config(config, name, value) != DuckDBSuccess) abort();
}

static duckdb_config make_config(const tain_scan_options *o)
{
    char text[32];
    duckdb_config config;
    if (duckdb_create_config(&config) != DuckDBSuccess) abort();
    int64_t memory = o && o->memory ? o->memory : DEFAULT_MEMORY;
    snprintf(text, sizeof text, "%lldMiB", (long long)(memory >> 20 ? memory >> 20 : 1));
    set(config, "memory_limit", text);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(text, sizeof text, "%d", o && o->threads ? o->threads : (int)(cores > 0 ? cores : 1));
    set(config, "threads", text);
    set(config, "autoinstall_known_extensions", "false");
    set(config, "autoload_known_extensions", "false");
    set(config, "temp_directory", o && o->temp_dir ? o->temp_dir : "");
    return config;
}

tain_status tain_scan_open(const tain_scan_options *options, tain_scan **ret, tain_error *err)
{
    duckdb_config config = make_config(options);
    char *message = NULL;
    tain_scan *s = tain_alloc(sizeof *s);
    bool ok = duckdb_open_ext(NULL, &s->database, config, &message) == DuckDBSuccess;
    duckdb_destroy_config(&config);
    tain_status st = ok ? TAIN_OK : tain_fail(err, TAIN_E_INTERNAL, "cannot open DuckDB: %s", message ? message : "");
    if (message) duckdb_free(message);
    if (st == TAIN_OK && duckdb_connect(s->database, &s->connection) != DuckDBSuccess)
        st = tain_fail(err, TAIN_E_INTERNAL, "cannot connect to DuckDB");
    if (st == TAIN_OK) st = tain_scan_register_live(s, err);
    if (st != TAIN_OK) {
        tain_scan_close(s);
        return st;
    }
    *ret = s;
    return TAIN_OK;
}

void tain_scan_close(tain_scan *s)
{
    if (!s) return;
    duckdb_disconnect(&s->connection);
    duckdb_close(&s->database);
    tain_free(s->deleted);
    tain_free(s);
}

tain_status tain_scan_exec(tain_scan *s, const char *sql, tain_error *err)
{
    duckdb_result result;
    tain_status st = TAIN_OK;
    if (duckdb_query(s->connection, sql, &result) != DuckDBSuccess) st = tain_fail(err, TAIN_E_INVALID, "%s", duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return st;
}

void tain_scan_quote(tain_buffer *sql, const char *name, char quote)
{
    tain_buffer_append_u8(sql, (uint8_t)quote);
    for (; *name; name++) {
        if (*name == quote) tain_buffer_append_u8(sql, (uint8_t)quote);
        tain_buffer_append_u8(sql, (uint8_t)*name);
    }
    tain_buffer_append_u8(sql, (uint8_t)quote);
}
