/* SPDX-License-Identifier: MIT */
#include "source/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/text.h"

static const tain_source_ops *const drivers[] = {&tain_source_sqlite, &tain_source_postgres};
enum { DRIVER_COUNT = sizeof drivers / sizeof drivers[0] };
static const tain_source_ops *registered; /* tried first */

/* --- finding the driver -------------------------------------------------------------------------------------------- */

static bool has_scheme(const tain_source_ops *ops, const char *scheme, size_t n)
{
    for (const char *const *s = ops->schemes; *s; s++)
        if (strlen(*s) == n && strncasecmp(*s, scheme, n) == 0) return true;
    return false;
}

void tain_source_register(const tain_source_ops *ops)
{
    registered = ops;
}

static size_t scheme_length(const char *url)
{
    size_t n = strcspn(url, ":/\\?#");
    return url[n] == ':' ? n : 0;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static tain_status no_driver(const char *url, tain_error *err)
{
    char       *shown = tain_url_redacted(url);
    tain_status st = scheme_length(url) ? tain_fail(err, TAIN_E_INVALID, "no source driver for '%s'", shown)
                                        : tain_fail(err, TAIN_E_NOT_FOUND, "'%s' is neither a URL nor an existing SQLite file", shown);
    tain_error_remedy(err, "name the source as postgresql://user@host/database, sqlite:///path/file.db or the path of an SQLite file");
    free(shown);
    return st;
}

static const tain_source_ops *driver_of_scheme(const char *url)
{
    size_t n = scheme_length(url);
    if (registered && n && has_scheme(registered, url, n)) return registered;
    for (size_t i = 0; i < DRIVER_COUNT && n; i++)
        if (has_scheme(drivers[i], url, n)) return drivers[i];
    return NULL;
}

/* An existing file needs no scheme. Whether it is an SQLite file only SQLite may look: a descriptor of our own on it, once
 * closed, would take away the locks this process has on the file. */
static const tain_source_ops *driver_of(const char *url)
{
    const tain_source_ops *ops = driver_of_scheme(url);
    return ops ? ops : is_file(url) ? &tain_source_sqlite : NULL;
}

tain_status tain_source_check_scheme(const char *url, tain_error *err)
{
    return !scheme_length(url) || driver_of_scheme(url) ? TAIN_OK : no_driver(url, err);
}

char *tain_source_host(const char *url)
{
    const tain_source_ops *ops = driver_of_scheme(url);
    return ops && ops->host ? ops->host(url) : NULL;
}

bool tain_source_is_frugal(const char *url)
{
    const tain_source_ops *ops = driver_of_scheme(url);
    return ops && ops->is_frugal && ops->is_frugal(url);
}

bool tain_source_is_server(const char *url)
{
    const tain_source_ops *ops = driver_of_scheme(url);
    return ops && ops->host && strstr(url, "://");
}

tain_status tain_source_open(const tain_source_options *options, tain_source **ret, tain_error *err)
{
    const tain_source_ops *ops = driver_of(options->url);
    if (!ops) return no_driver(options->url, err);
    if (options->snapshot_from && *options->snapshot_from && !ops->replicas)
        return tain_fail(err, TAIN_E_UNSUPPORTED, "a source of %s has no replica that could be named with --snapshot-from", ops->name);
    return ops->open(options, ret, err);
}

void tain_source_close(tain_source *s)
{
    if (s) s->ops->close(s);
}

void tain_source_cancel(tain_source *s)
{
    if (s) s->ops->cancel(s);
}

/* --- policies ------------------------------------------------------------------------------------------------------ */

const json_t *tain_policies_of_column(const json_t *policies, const char *table, const char *column)
{
    TAIN_AUTO(tain_free) char *name = tain_format("%s.%s", table, column);
    return json_object_get(json_object_get(policies, "columns"), name);
}

tain_status tain_policies_check(const json_t *policies, tain_status (*check)(const json_t *, tain_error *), tain_error *err)
{
    const char *column;
    json_t *own;
    TAIN_TRY(check(policies, err));
    json_object_foreach(json_object_get((json_t *)policies, "columns"), column, own)
        TAIN_TRY_IN(err, check(own, err), "column %s", column);
    return TAIN_OK;
}

/* --- selection and positions --------------------------------------------------------------------------------------- */

/* A glob without a point means the table in any schema. */
static bool matches(const char *glob, const char *full, const char *table)
{
    return tain_glob_match(glob, strchr(glob, '.') ? full : table) || tain_glob_match(glob, full);
}

static bool matches_any(const char **globs, const char *full, const char *called, const char *table, uint64_t *used)
{
    bool any = false;
    for (size_t i = 0; globs && globs[i]; i++) {
        if (!matches(globs[i], full, table) && !tain_glob_match(globs[i], called)) continue;
        if (used && i < 64) *used |= (uint64_t)1 << i;
        any = true;
    }
    return any;
}

bool tain_source_selects(const tain_source_options *options, const char *schema, const char *table)
{
    char *full = tain_format("%s.%s", schema, table), *called = tain_source_full_name(schema, table);
    tain_globs_used *used = options->used;
    bool all = !options->tables || !options->tables[0];
    bool included = matches_any(options->tables, full, called, table, used ? &used->tables : NULL);
    bool excluded = matches_any(options->exclude, full, called, table, used ? &used->exclude : NULL);
    free(full);
    free(called);
    return (all || included) && !excluded;
}

static void list_unmatched(tain_buffer *out, const char *option, const char **globs, uint64_t used)
{
    bool first = true;
    for (size_t i = 0; globs && globs[i] && i < 64; i++) {
        if (used >> i & 1) continue;
        TAIN_AUTO(tain_free) char *word = tain_shell_word(globs[i]);
        tain_buffer_printf(out, "%s%s%s%s", out->size ? ", " : "", first ? option : "", first ? " " : "", word);
        first = false;
    }
}

char *tain_source_unmatched(const tain_source_options *options)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer list = {0};
    list_unmatched(&list, "--tables", options->tables, options->used->tables);
    list_unmatched(&list, "--exclude", options->exclude, options->used->exclude);
    return list.size ? tain_format("no table of the source matches %s", tain_buffer_cstr(&list)) : NULL;
}

int tain_position_compare(const tain_position *a, const tain_position *b)
{
    return strcmp(a->text, b->text);
}

/* --- tables and findings ------------------------------------------------------------------------------------------- */

char *tain_source_full_name(const char *schema, const char *table)
{
    if (*schema != '"' && !strchr(schema, '.')) return tain_format("%s.%s", schema, table);
    tain_buffer out = {0};
    tain_buffer_append_u8(&out, '"');
    for (const char *p = schema; *p; p++) {
        if (*p == '"') tain_buffer_append_u8(&out, '"');
        tain_buffer_append_u8(&out, (uint8_t)*p);
    }
    tain_buffer_printf(&out, "\".%s", table);
    return tain_buffer_cstr(&out);
}

void tain_source_split_name(const char *full, char **ret_schema, char **ret_table)
{
    bool quoted = *full == '"';
    const char *p = full + quoted;
    tain_buffer schema = {0};
    for (; *p && (quoted || *p != '.'); p++) {
        if (quoted && *p == '"' && *++p != '"') break;
        tain_buffer_append_u8(&schema, (uint8_t)*p);
    }
    *ret_schema = tain_buffer_cstr(&schema);
    *ret_table = tain_strdup(*p == '.' ? p + 1 : p);
}

/* Taken as a name, not as a glob or a list. */
char *tain_source_option(const char *option, const char *full)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer name = {0};
    for (; *full; full++) {
        if (strchr(",*?\\", *full)) tain_buffer_append_u8(&name, '\\');
        tain_buffer_append_u8(&name, (uint8_t)*full);
    }
    TAIN_AUTO(tain_free) char *word = tain_shell_word(tain_buffer_cstr(&name));
    return tain_format("%s%s%s", option, *tain_buffer_cstr(&name) == '-' ? "=" : " ", word);
}

char *tain_source_resync(const tain_source_table *t)
{
    TAIN_AUTO(tain_free) char *full = tain_source_full_name(t->schema, t->name);
    return tain_source_option("--resync", full);
}

tain_source_table *tain_source_table_new(const char *schema, const char *name, const char *identity)
{
    tain_source_table *t = tain_alloc(sizeof *t);
    t->schema = tain_strdup(schema);
    t->name = tain_strdup(name);
    t->identity = tain_strdup(identity);
    t->rows_estimate = t->bytes_estimate = -1;
    return t;
}

void tain_source_table_free(tain_source_table *t)
{
    if (!t) return;
    tain_source_table_clear_findings(t);
    tain_schema_free(t->columns);
    free(t->key);
    free(t->schema);
    free(t->name);
    free(t->identity);
    free(t);
}

void tain_source_table_find(tain_source_table *t, tain_verdict level, const char *code, const char *column, const char *remedy,
                            const char *format, ...)
{
    char   *message = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&message, format, args);
    va_end(args);
    if (n < 0) abort();
    t->findings = tain_realloc(t->findings, (t->finding_count + 1) * sizeof *t->findings);
    t->findings[t->finding_count++] = (tain_finding){.level = level, .code = tain_strdup(code), .column = tain_strdup(column),
                                                     .message = message, .remedy = tain_strdup(remedy)};
    if (level > t->verdict) t->verdict = level;
}

static void finding_done(tain_finding *f)
{
    free(f->code);
    free(f->column);
    free(f->message);
    free(f->remedy);
}

void tain_source_table_clear_findings(tain_source_table *t)
{
    tain_findings_free(t->findings, t->finding_count);
    t->findings = NULL;
    t->finding_count = 0;
    t->verdict = TAIN_VERDICT_OK;
}

void tain_findings_free(tain_finding *f, size_t n)
{
    for (size_t i = 0; i < n; i++) finding_done(&f[i]);
    free(f);
}

/* One that is waited for goes from state to state, which is in the reason; how far it has come is in the remedy. */
char *tain_waiting_take(tain_waiting *io, const tain_waiting *now)
{
    bool other = strcmp(io->reason, now->reason) != 0 && (!io->reason[0] || strcmp(io->remedy, now->remedy) != 0);
    *io = *now;
    return other && now->reason[0] ? tain_format("tables wait to be read: %s (%s)", now->reason, now->remedy) : NULL;
}
