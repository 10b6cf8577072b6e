/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/wish.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/text.h"
#include "control/text.h"
#include "lake/definition.h"

/* --- definition ---------------------------------------------------------------------------------------------------- */

static json_t *member(const json_t *o, const char *a, const char *b)
{
    json_t *inner = json_object_get(o, a);
    return b ? json_object_get(inner, b) : inner;
}

static tain_status wrong_type(const char *where, const char *what, tain_error *err)
{
    tain_status st = tain_fail(err, TAIN_E_CONFIG, "mirroring.json: %s is not %s", where, what);
    tain_error_remedy(err, "correct the definition of the mirrored database");
    return st;
}

static tain_status take_text(const json_t *o, const char *name, const char **ret, tain_error *err)
{
    const json_t *v = json_object_get(o, name);
    if (!v || json_is_null(v)) return TAIN_OK;
    if (!json_is_string(v)) return wrong_type(name, "text", err);
    if (*json_string_value(v)) *ret = json_string_value(v);
    return TAIN_OK;
}

static tain_status read_wish(tain_wish *w, tain_error *err)
{
    json_t *properties = json_object_get(w->root, "properties"), *source = json_object_get(properties, "source");
    json_t *of_type = json_object_get(source, "typeProperties");
    w->type = "";
    if (!json_is_object(properties)) return wrong_type("properties", "an object", err);
    w->unrecorded = json_is_false(json_object_get(json_object_get(properties, "tain"), "records"));
    TAIN_TRY(take_text(source, "type", &w->type, err));
    TAIN_TRY(take_text(of_type, "connection", &w->connection, err));
    return take_text(of_type, "database", &w->database, err);
}

tain_status tain_wish_read(tain_slice definition, tain_wish *ret, tain_error *err)
{
    tain_wish w = {0};
    TAIN_TRY(tain_json_parse(definition.data, definition.size, "mirroring.json", &w.root, err));
    tain_status st = read_wish(&w, err);
    if (st == TAIN_OK) *ret = w;
    else tain_wish_done(&w);
    return st;
}

void tain_wish_done(tain_wish *w)
{
    json_decref(w->root);
    *w = (tain_wish){0};
}

tain_status tain_wish_check(const tain_wish *w, tain_error *err)
{
    if (w->connection) return TAIN_OK;
    if (strcmp(w->type, "GenericMirror") == 0) {
        tain_status st = tain_fail(err, TAIN_E_UNSUPPORTED, "open mirroring is not built yet");
        tain_error_remedy(err, "name a connection to a database in the definition: properties.source.typeProperties.connection");
        return st;
    }
    tain_status st = tain_fail(err, TAIN_E_CONFIG, "the definition names no connection");
    tain_error_remedy(err, "name one in properties.source.typeProperties.connection");
    return st;
}

/* --- address ------------------------------------------------------------------------------------------------------- */

static void append_authority(tain_buffer *out, const char *begin, size_t n, bool has_secret)
{
    const char *at = memrchr(begin, '@', n);
    size_t      user = at ? (size_t)(at - begin) : 0;
    tain_buffer_append(out, begin, user);
    if (has_secret) tain_buffer_append_str(out, ":env%3A" TAIN_SOURCE_SECRET);
    if (has_secret && !at) tain_buffer_append_u8(out, '@');
    tain_buffer_append(out, begin + user, n - user);
}

/* The query goes over the path: what it says of the database must not stand in the way of another. */
static void append_query(tain_buffer *out, const char *query, bool without_database)
{
    char sign = '?';
    for (const char *p = *query ? query + 1 : query; *p; p += *p == '&') {
        size_t n = strcspn(p, "&");
        if (n && !(without_database && strncmp(p, "dbname=", 7) == 0)) {
            tain_buffer_append_u8(out, (uint8_t)sign);
            tain_buffer_append(out, p, n);
            sign = '&';
        }
        p += n;
    }
}

char *tain_wish_source(const char *url, const char *database, bool has_secret)
{
    if (!tain_source_is_server(url)) return tain_strdup(url);
    tain_buffer out = {0};
    const char *authority = strstr(url, "://") + 3, *path = authority + strcspn(authority, "/?"), *query = strchrnul(path, '?');
    tain_buffer_append(&out, url, (size_t)(authority - url));
    append_authority(&out, authority, (size_t)(path - authority), has_secret);
    if (database) {
        tain_buffer_append_u8(&out, '/');
        tain_url_append_encoded(&out, database, "");
    } else {
        tain_buffer_append(&out, path, (size_t)(query - path));
    }
    append_query(&out, query, database != NULL);
    return tain_buffer_cstr(&out);
}

/* --- words --------------------------------------------------------------------------------------------------------- */

void tain_words_add(tain_words *w, char *word)
{
    w->list = tain_realloc(w->list, (w->count + 2) * sizeof *w->list);
    w->list[w->count++] = word;
    w->list[w->count] = NULL;
}

void tain_words_done(tain_words *w)
{
    for (size_t i = 0; i < w->count; i++) tain_free(w->list[i]);
    tain_free(w->list);
    *w = (tain_words){0};
}

/* As the lists of a command line are read (cli/options.c): a comma parts, a backslash takes it as it is, and is kept before
 * anything else. */
static void append_glob(tain_buffer *out, const char *glob)
{
    for (; *glob; glob++) {
        if (*glob == ',') tain_buffer_append_u8(out, '\\');
        tain_buffer_append_u8(out, (uint8_t)*glob);
        if (*glob == '\\' && glob[1]) tain_buffer_append_u8(out, (uint8_t)*++glob);
    }
}

/* A name as a glob that matches it alone. */
static void append_name(tain_buffer *out, const char *name, const char *special)
{
    for (; *name; name++) {
        if (strchr(special, *name)) tain_buffer_append_u8(out, '\\');
        tain_buffer_append_u8(out, (uint8_t)*name);
    }
}

static void begin_list(tain_buffer *out, const char *option)
{
    if (out->size) tain_buffer_append_u8(out, ',');
    else tain_buffer_printf(out, "--%s=", option);
}

/* --- options ------------------------------------------------------------------------------------------------------- */

typedef enum kind { TEXT, ADDRESS, SIZE, TIME, NUMBER, CHOICE, SWITCH, OBJECT, GLOBS, NAMES } kind;

typedef struct option {
    const char *member, *option;
    kind        kind;
    const char *otherwise; /* given where the definition says nothing; NULL: then nothing is given */
    const char *choices;   /* of a CHOICE: "keep|delete" */
} option;

static const option options[] = {
    {"exclude", "exclude", GLOBS, ""},
    {"freshness", "freshness", TIME, NULL},
    {"memory", "memory", SIZE, NULL},
    {"jobs", "jobs", NUMBER, NULL},
    {"rateLimit", "rate-limit", TEXT, NULL},
    {"retainedLog", "retained-log", TEXT, ""},
    {"snapshotFrom", "snapshot-from", ADDRESS, ""},
    {"capture", "capture", CHOICE, "log", "log|poll"},
    {"partitions", "partitions", CHOICE, NULL, "root|leaf"}, /* what a lake began with it stays with */
    {"changeDataFeed", "cdf", SWITCH, NULL},
    {"history", "history", SWITCH, "no"},
    {"historyRetention", "history-retention", TIME, ""},
    {"retention", "retention", TIME, NULL},
    {"profile", "profile", CHOICE, "default", "default|compat"},
    {"policies", "policies", OBJECT, "{}"},
    {"onDrop", "on-drop", CHOICE, NULL, "keep|delete"},
    {"name", "name", TEXT, NULL}, /* the lake makes one of its own */
    {"paused", "pause", NAMES, ""},
};

static tain_status wrong(const option *o, const char *what, tain_error *err)
{
    TAIN_AUTO(tain_free) char *where = tain_format("properties.tain.%s", o->member);
    return wrong_type(where, what, err);
}

static tain_status add_text(tain_words *w, const option *o, const json_t *v, tain_error *err)
{
    if (!json_is_string(v)) return wrong(o, "text", err);
    TAIN_AUTO(tain_free) char *shown = tain_url_redacted(json_string_value(v));
    if (strcmp(shown, json_string_value(v)) != 0) return wrong(o, "without a password", err);
    tain_words_add(w, tain_format("--%s=%s", o->option, json_string_value(v)));
    return TAIN_OK;
}

static bool is_one_of(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *word = choices; word; word = strchr(word, '|'), word = word ? word + 1 : NULL)
        if (strcspn(word, "|") == n && strncmp(word, text, n) == 0) return true;
    return false;
}

/* An empty one is none. */
static tain_status add_time(tain_words *w, const option *o, const json_t *v, tain_error *err)
{
    int64_t     ignored;
    const char *text = json_string_value(v);
    if (!text || !*text || tain_parse_duration(text, &ignored, err) == TAIN_OK) return add_text(w, o, v, err);
    tain_error_context(err, "mirroring.json: properties.tain.%s", o->member);
    return err->code = TAIN_E_CONFIG;
}

static tain_status add_choice(tain_words *w, const option *o, const json_t *v, tain_error *err)
{
    const char *text = json_string_value(v);
    TAIN_AUTO(tain_free) char *what = tain_format("one of %s", o->choices);
    return text && is_one_of(o->choices, text) ? add_text(w, o, v, err) : wrong(o, what, err);
}

static tain_status add_address(tain_words *w, const option *o, const json_t *v, tain_error *err)
{
    TAIN_TRY(add_text(w, o, v, err));
    if (!json_string_length(v) || tain_control_check_address(json_string_value(v), err) == TAIN_OK) return TAIN_OK;
    tain_error_context(err, "mirroring.json: properties.tain.%s", o->member);
    return err->code = TAIN_E_CONFIG;
}

static tain_status add_number(tain_words *w, const option *o, const json_t *v, tain_error *err)
{
    if (json_is_string(v)) return add_text(w, o, v, err);
    if (!json_is_integer(v) || json_integer_value(v) < 1) return wrong(o, "a number from 1 on", err);
    tain_words_add(w, tain_format("--%s=%lld", o->option, (long long)json_integer_value(v)));
    return TAIN_OK;
}

static tain_status add_switch(tain_words *w, const option *o, const json_t *v, tain_error *err)
{
    if (!json_is_boolean(v)) return wrong(o, "true or false", err);
    tain_words_add(w, tain_format("--%s%s", json_is_true(v) ? "" : "no-", o->option));
    return TAIN_OK;
}

static tain_status add_object(tain_words *w, const option *o, const json_t *v, tain_error *err)
{
    if (!json_is_object(v)) return wrong(o, "an object", err);
    char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
    tain_words_add(w, tain_format("--%s=%s", o->option, text));
    free(text);
    return TAIN_OK;
}

static tain_status append_all(tain_buffer *list, const option *o, const json_t *v, tain_error *err)
{
    size_t        i;
    const json_t *one;
    if (!json_is_array(v)) return wrong(o, "a list", err);
    json_array_foreach(v, i, one)
    {
        if (!json_is_string(one)) return wrong(o, "a list of texts", err);
        if (!json_string_length(one)) continue;
        begin_list(list, o->option);
        if (o->kind == NAMES) append_name(list, json_string_value(one), ",\\");
        else append_glob(list, json_string_value(one));
    }
    return TAIN_OK;
}

static tain_status add_list(tain_words *w, const option *o, const json_t *v, tain_error *err)
{
    tain_buffer list = {0};
    tain_status st = append_all(&list, o, v, err);
    if (st == TAIN_OK) tain_words_add(w, list.size ? tain_strdup(tain_buffer_cstr(&list)) : tain_format("--%s=", o->option));
    tain_buffer_done(&list);
    return st;
}

static void add_otherwise(tain_words *w, const option *o)
{
    if (!o->otherwise) return;
    if (o->kind == SWITCH) tain_words_add(w, tain_format("--no-%s", o->option));
    else tain_words_add(w, tain_format("--%s=%s", o->option, o->otherwise));
}

static tain_status add_option(tain_words *w, const option *o, const json_t *v, tain_error *err)
{
    if (!v || json_is_null(v)) return add_otherwise(w, o), TAIN_OK;
    switch (o->kind) {
    case TEXT: return add_text(w, o, v, err);
    case ADDRESS: return add_address(w, o, v, err);
    case TIME: return add_time(w, o, v, err);
    case CHOICE: return add_choice(w, o, v, err);
    case SIZE:
    case NUMBER: return add_number(w, o, v, err);
    case SWITCH: return add_switch(w, o, v, err);
    case OBJECT: return add_object(w, o, v, err);
    default: return add_list(w, o, v, err);
    }
}

/* --- what Fabric has other words for ------------------------------------------------------------------------------- */

static tain_status append_mounted(tain_buffer *list, const json_t *table, tain_error *err)
{
    const char   *schema = NULL, *name = NULL;
    const json_t *properties = member(table, "source", "typeProperties");
    TAIN_TRY_IN(err, take_text(properties, "schemaName", &schema, err), "properties.mountedTables");
    TAIN_TRY_IN(err, take_text(properties, "tableName", &name, err), "properties.mountedTables");
    if (!name) return wrong_type("properties.mountedTables", "a list of tables with tableName", err);
    begin_list(list, "tables");
    TAIN_AUTO(tain_free) char *full = schema ? tain_source_full_name(schema, name) : NULL;
    if (!schema && strchr(name, '.')) tain_buffer_append_str(list, "*.");
    append_name(list, schema ? full : name, ",\\*?");
    return TAIN_OK;
}

/* Tables by name and by globs are one list; an empty one is all of them. */
static tain_status append_tables(tain_buffer *list, const json_t *properties, tain_error *err)
{
    static const option globs = {"tables", "tables", GLOBS, ""};
    const json_t       *mounted = json_object_get(properties, "mountedTables"), *more = member(properties, "tain", "tables"), *one;
    size_t              i;
    if (mounted && !json_is_null(mounted) && !json_is_array(mounted)) return wrong_type("properties.mountedTables", "a list", err);
    json_array_foreach(mounted, i, one) TAIN_TRY(append_mounted(list, one, err));
    return more && !json_is_null(more) ? append_all(list, &globs, more, err) : TAIN_OK;
}

static tain_status add_tables(tain_words *w, const json_t *properties, tain_error *err)
{
    tain_buffer list = {0};
    tain_status st = append_tables(&list, properties, err);
    if (st == TAIN_OK) tain_words_add(w, list.size ? tain_strdup(tain_buffer_cstr(&list)) : tain_strdup("--tables="));
    tain_buffer_done(&list);
    return st;
}

static tain_status add_retention(tain_words *w, const json_t *properties, tain_error *err)
{
    const json_t *own = member(properties, "tain", "retention"), *target = member(properties, "target", "typeProperties");
    const json_t *days = json_object_get(target, "retentionInDays");
    if (own && !json_is_null(own)) return TAIN_OK; /* given already */
    if (!days || json_is_null(days)) return tain_words_add(w, tain_strdup("--retention=")), TAIN_OK;
    if (!json_is_integer(days) || json_integer_value(days) < 1) return wrong_type("properties.target.typeProperties.retentionInDays", "a number of days", err);
    tain_words_add(w, tain_format("--retention=%lldd", (long long)json_integer_value(days)));
    return TAIN_OK;
}

static tain_status add_feed(tain_words *w, const json_t *properties, tain_error *err)
{
    static const option feed = {"changeDataFeed", "cdf", SWITCH, "no"};
    const json_t       *own = member(properties, "tain", "changeDataFeed"), *target = member(properties, "target", "typeProperties");
    if (own && !json_is_null(own)) return TAIN_OK;
    const json_t *asked = json_object_get(target, "enableDeltaChangeDataFeed");
    if (asked && !json_is_null(asked) && !json_is_boolean(asked))
        return wrong_type("properties.target.typeProperties.enableDeltaChangeDataFeed", "true or false", err);
    return add_option(w, &feed, asked, err);
}

/* --- what nobody knows ---------------------------------------------------------------------------------------------- */

static bool is_known(const char *member)
{
    static const char *const others[] = {"tables", "memoryLimit", "state", "lake", "records"}; /* read elsewhere */
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(options[i].member, member) == 0) return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i], member) == 0) return true;
    return false;
}

/* What Fabric adds elsewhere is its own; here a word of ours that is misspelt would mirror what was to be left out. */
static tain_status check_members(const json_t *tain, tain_error *err)
{
    const char *name;
    json_t     *v;
    json_object_foreach((json_t *)tain, name, v)
    {
        if (is_known(name)) continue;
        tain_status st = tain_fail(err, TAIN_E_CONFIG, "mirroring.json: properties.tain.%s is nothing that is known here", name);
        tain_error_remedy(err, "correct its name, or take it out; service.md has those there are");
        return st;
    }
    return TAIN_OK;
}

tain_status tain_wish_options(const tain_wish *w, tain_words *io, tain_error *err)
{
    const json_t *properties = json_object_get(w->root, "properties"), *tain = json_object_get(properties, "tain");
    if (tain && !json_is_null(tain) && !json_is_object(tain)) return wrong_type("properties.tain", "an object", err);
    TAIN_TRY(check_members(tain, err));
    TAIN_TRY(add_tables(io, properties, err));
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        TAIN_TRY(add_option(io, &options[i], json_object_get(tain, options[i].member), err));
    TAIN_TRY(add_retention(io, properties, err));
    return add_feed(io, properties, err);
}

/* --- memory -------------------------------------------------------------------------------------------------------- */

static tain_status size_of(const json_t *tain, const char *name, int64_t otherwise, int64_t *ret, tain_error *err)
{
    const json_t *v = json_object_get(tain, name);
    *ret = json_is_integer(v) ? json_integer_value(v) : otherwise;
    if (v && !json_is_null(v) && !json_is_integer(v) && !json_is_string(v)) return wrong_type(name, "a size", err);
    if (json_is_string(v)) TAIN_TRY_IN(err, tain_parse_size(json_string_value(v), ret, err), "mirroring.json: properties.tain.%s", name);
    return TAIN_OK;
}

tain_status tain_wish_memory(const tain_wish *w, int64_t *ret, tain_error *err)
{
    const json_t *tain = member(w->root, "properties", "tain");
    int64_t       budget;
    TAIN_TRY(size_of(tain, "memory", TAIN_DEFAULT_MEMORY, &budget, err));
    return size_of(tain, "memoryLimit", 4 * budget + ((int64_t)256 << 20), ret, err);
}

char *tain_wish_reload(const char *const *tables)
{
    tain_buffer list = {0};
    if (!tables) return tain_strdup("--resync");
    for (; *tables; tables++) {
        begin_list(&list, "resync");
        append_name(&list, *tables, ",\\");
    }
    return tain_buffer_cstr(&list);
}
