/* SPDX-License-Identifier: MIT */
#include "delta/internal.h"

#include <ctype.h>
#include <stdlib.h>

static tain_status required_text(const json_t *o, const char *key, const char **ret, tain_error *err)
{
    const char *text = tain_json_get_str(o, key, NULL);
    if (!text || !*text) return tain_fail(err, TAIN_E_CORRUPT, "action without %s", key);
    *ret = text;
    return TAIN_OK;
}

/* Some writers made a struct of nulls, or of empty values, where there is no vector. */
static bool says_nothing(const json_t *dv)
{
    return !*tain_json_get_str(dv, "storageType", "") && !*tain_json_get_str(dv, "pathOrInlineDv", "");
}

static tain_status optional_dv(const json_t *o, tain_dv *ret, tain_error *err)
{
    const json_t *dv = json_object_get(o, "deletionVector");
    *ret = (tain_dv){0};
    if (!dv || json_is_null(dv)) return TAIN_OK;
    if (!json_is_object(dv)) return tain_fail(err, TAIN_E_CORRUPT, "deletionVector is no object");
    if (says_nothing(dv)) return TAIN_OK;
    return tain_dv_from_json(dv, ret, err);
}

/* Object as text: NULL when absent or null. Caller frees unless it is the shared "{}". */
static char *object_text(const json_t *o, const char *key)
{
    json_t *value = json_object_get(o, key);
    if (!json_is_object(value)) return NULL;
    return json_object_size(value) ? json_dumps(value, JSON_COMPACT) : tain_delta_no_partition;
}

static char *own(char *text)
{
    return text == tain_delta_no_partition ? tain_strdup(text) : text;
}

static tain_time from_ms(int64_t ms)
{
    tain_time t;
    return __builtin_mul_overflow(ms, TAIN_MILLISECOND, &t) ? (ms < 0 ? INT64_MIN : INT64_MAX) : t;
}

static tain_status read_add(const json_t *o, tain_delta_file **ret, tain_error *err)
{
    const char *path = NULL;
    tain_dv     dv;
    TAIN_TRY(required_text(o, "path", &path, err));
    int64_t size = tain_json_get_int(o, "size", -1);
    if (size < 0) return tain_fail(err, TAIN_E_CORRUPT, "add without size: %s", path);
    TAIN_TRY(optional_dv(o, &dv, err));
    tain_delta_file *f = tain_alloc(sizeof *f);
    f->path = tain_strdup(path);
    f->size = size;
    f->modified = from_ms(tain_json_get_int(o, "modificationTime", 0));
    f->stats = tain_strdup(tain_json_get_str(o, "stats", NULL));
    f->rows = tain_stats_rows(f->stats);
    f->partition_values = object_text(o, "partitionValues");
    if (!f->partition_values) f->partition_values = tain_delta_no_partition;
    f->tags = own(object_text(o, "tags"));
    f->dv = dv;
    if (f->rows >= 0 && dv.cardinality > f->rows) {
        tain_status st = tain_fail(err, TAIN_E_CORRUPT, "%s: more deleted rows than rows", path);
        tain_delta_file_free(f);
        return st;
    }
    *ret = f;
    return TAIN_OK;
}

static tain_status parse_add(tain_delta *t, const json_t *o, tain_error *err)
{
    tain_delta_file *f;
    TAIN_TRY(read_add(o, &f, err));
    return tain_state_add(t, f, err);
}

tain_status tain_delta_file_from_json(const json_t *action, tain_delta_file **ret, tain_error *err)
{
    TAIN_TRY(read_add(json_object_get(action, "add"), ret, err));
    (*ret)->ordinal = tain_delta_new_ordinal();
    return TAIN_OK;
}

static tain_status parse_remove(tain_delta *t, const json_t *o, tain_error *err)
{
    const char *path = NULL;
    tain_dv     dv;
    TAIN_TRY(required_text(o, "path", &path, err));
    TAIN_TRY(optional_dv(o, &dv, err));
    char *partition = object_text(o, "partitionValues");
    tain_state_remove(t, path, &dv);
    tain_state_add_tombstone(t, path, &dv, tain_json_get_int(o, "deletionTimestamp", 0), tain_json_get_int(o, "size", -1),
                             tain_json_get_bool(o, "extendedFileMetadata", false), partition);
    if (partition != tain_delta_no_partition) tain_free(partition);
    tain_dv_done(&dv);
    return TAIN_OK;
}

static tain_status parse_txn(tain_delta *t, const json_t *o, tain_error *err)
{
    const char *app = NULL;
    json_t     *version = json_object_get(o, "version");
    TAIN_TRY(required_text(o, "appId", &app, err));
    if (!json_is_integer(version)) return tain_fail(err, TAIN_E_CORRUPT, "txn without version");
    tain_state_set_txn(t, app, json_integer_value(version), tain_json_get_int(o, "lastUpdated", -1), t->version + 1);
    return TAIN_OK;
}

/* Which of two would hold is anybody's guess. */
static tain_status only_one(tain_delta *t, int64_t *io_at, const char *what, tain_error *err)
{
    if (*io_at == t->version + 1) return tain_fail(err, TAIN_E_CORRUPT, "a second %s in one commit", what);
    *io_at = t->version + 1;
    return TAIN_OK;
}

static tain_status parse_protocol(tain_delta *t, const json_t *o, tain_error *err)
{
    tain_protocol p;
    TAIN_TRY(only_one(t, &t->protocol_at, "protocol", err));
    TAIN_TRY(tain_protocol_from_json(o, &p, err));
    tain_protocol_done(&t->protocol);
    t->protocol = p;
    t->meta_since = t->version + 1;
    return TAIN_OK;
}

static json_t *copy_or_empty(const json_t *o, const char *key, json_t *empty)
{
    json_t *value = json_object_get(o, key);
    if (!value || json_typeof(value) != json_typeof(empty)) return empty;
    json_decref(empty);
    return json_incref(value);
}

static tain_status parse_metadata(tain_delta *t, const json_t *o, tain_error *err)
{
    const char  *id = NULL, *schema_text = NULL;
    tain_schema *schema;
    const char  *provider = tain_json_get_str(json_object_get(o, "format"), "provider", "parquet");
    if (strcmp(provider, "parquet") != 0)
        return tain_fail(err, TAIN_E_UNSUPPORTED, "the table's files are %s, not parquet", provider);
    TAIN_TRY(only_one(t, &t->meta_at, "metaData", err));
    TAIN_TRY(required_text(o, "id", &id, err));
    TAIN_TRY(required_text(o, "schemaString", &schema_text, err));
    TAIN_TRY_IN(err, tain_schema_from_json(schema_text, strlen(schema_text), &schema, err), "schemaString");
    tain_delta_metadata m = {.id = tain_strdup(id),
                             .name = tain_strdup(tain_json_get_str(o, "name", NULL)),
                             .description = tain_strdup(tain_json_get_str(o, "description", NULL)),
                             .schema = schema,
                             .configuration = copy_or_empty(o, "configuration", json_object()),
                             .partition_columns = copy_or_empty(o, "partitionColumns", json_array()),
                             .created_ms = tain_json_get_int(o, "createdTime", -1)};
    tain_state_set_meta(t, m, tain_strdup(schema_text));
    t->meta_since = t->version + 1;
    return TAIN_OK;
}

static tain_status parse_domain(tain_delta *t, const json_t *o, tain_error *err)
{
    const char *domain = NULL;
    TAIN_TRY(required_text(o, "domain", &domain, err));
    bool removed = tain_json_get_bool(o, "removed", false);
    tain_state_set_domain(t, domain, removed ? NULL : tain_json_get_str(o, "configuration", ""));
    return TAIN_OK;
}

tain_status tain_parse_action(tain_delta *t, const char *name, const json_t *o, tain_error *err)
{
    static const struct {
        const char *name;
        tain_status (*parse)(tain_delta *t, const json_t *o, tain_error *err);
    } actions[] = {{"add", parse_add},           {"remove", parse_remove},     {"txn", parse_txn},
                   {"metaData", parse_metadata}, {"protocol", parse_protocol}, {"domainMetadata", parse_domain}};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, name) != 0) continue;
        if (json_is_null(o)) return TAIN_OK; /* some writers spell out what is absent */
        if (!json_is_object(o)) return tain_fail(err, TAIN_E_CORRUPT, "%s is no object", name);
        return actions[i].parse(t, o, err);
    }
    return TAIN_OK;
}

/* --- lines --------------------------------------------------------------------------------------------------------- */

static json_t *load_line(const char *line, size_t n, json_error_t *e)
{
    json_t *o = json_loadb(line, n, 0, e);
    /* commitInfo is free form: numbers in it may be larger than ours, and texts may hold anything */
    if (!o && n > 14 && memcmp(line, "{\"commitInfo\"", 13) == 0)
        o = json_loadb(line, n, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, e);
    return o;
}

typedef enum pass { PASS_OTHERS, PASS_ADDS } pass;

static tain_status parse_line(tain_delta *t, const char *line, size_t n, pass which, tain_error *err)
{
    json_error_t e;
    json_t      *o = load_line(line, n, &e), *value;
    const char  *name;
    tain_status  st = TAIN_OK;
    if (!json_is_object(o)) {
        st = tain_fail(err, TAIN_E_CORRUPT, "not a JSON object%s%s", o ? "" : ": ", o ? "" : e.text);
        json_decref(o);
        return st;
    }
    json_object_foreach(o, name, value) {
        if ((strcmp(name, "add") == 0) != (which == PASS_ADDS)) continue;
        if ((st = tain_parse_action(t, name, value, err)) != TAIN_OK) break;
    }
    json_decref(o);
    return st;
}

static bool blank(const char *line, size_t n)
{
    while (n && isspace((unsigned char)line[n - 1])) n--;
    return n == 0;
}

/* Adds refer to removes of the same commit, wherever they stand: so those come first. A line that begins as every writer
 * begins them has one action; any other is looked at in both passes. */
static bool in_pass(const char *line, size_t n, pass which)
{
    if (blank(line, n)) return false;
    size_t name = 2;
    if (n > 2 && memcmp(line, "{\"", 2) == 0)
        while (name < n && isalpha((unsigned char)line[name])) name++;
    if (name + 3 > n || memcmp(line + name, "\":{", 3) != 0) return true;
    return (name == 5 && memcmp(line + 2, "add", 3) == 0) == (which == PASS_ADDS);
}

static tain_status each_line(tain_delta *t, const char *key, tain_slice text, pass which, tain_error *err)
{
    const char *p = (const char *)text.data, *end = p + text.size;
    for (int number = 1; p < end; number++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t      n = (size_t)((newline ? newline : end) - p);
        if (in_pass(p, n, which)) TAIN_TRY_IN(err, parse_line(t, p, n, which, err), "%s line %d", key, number);
        p += n + 1;
    }
    return TAIN_OK;
}

tain_status tain_parse_commit(tain_delta *t, int64_t version, const char *key, tain_slice text, tain_error *err)
{
    if (blank((const char *)text.data, text.size)) return tain_fail(err, TAIN_E_CORRUPT, "%s is empty", key);
    TAIN_TRY(each_line(t, key, text, PASS_OTHERS, err));
    TAIN_TRY(each_line(t, key, text, PASS_ADDS, err));
    tain_state_end_commit(t, version);
    return TAIN_OK;
}
