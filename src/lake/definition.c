/* SPDX-License-Identifier: MIT */
#include "lake/definition.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/json.h"
#include "base/text.h"
#include "lake/kept.h"
#include "lake/retained.h"

#define FILE_NAME "mirroring.json"

static void list_free(char **list)
{
    for (char **p = list; p && *p; p++) free(*p);
    free(list);
}

void tain_definition_done(tain_definition *d)
{
    free(d->id);
    free(d->name);
    free(d->old_name);
    free(d->retained_log);
    free(d->retention);
    free(d->history_retention);
    free(d->snapshot_from);
    free(d->given_up);
    free(d->source_url);
    free(d->lake_url);
    list_free(d->tables);
    list_free(d->exclude);
    list_free(d->paused);
    json_decref(d->policies);
    *d = (tain_definition){0};
}

char *tain_definition_make_name(const char *lake_url)
{
    char here[PATH_MAX] = "";
    bool relative = !strstr(lake_url, "://") && lake_url[0] != '/';
    char *url = relative && getcwd(here, sizeof here) ? tain_format("%s/%s", here, lake_url) : tain_strdup(lake_url);
    size_t end = strlen(url);
    while (end && url[end - 1] == '/') end--;
    size_t begin = end;
    while (begin && url[begin - 1] != '/') begin--;
    char base[24];
    size_t n = 0;
    for (size_t i = begin; i < end && n < sizeof base - 1; i++)
        base[n++] = isalnum((unsigned char)url[i]) ? (char)tolower((unsigned char)url[i]) : '_';
    base[n] = 0;
    char *name = tain_format("%s_%06llx", base, (unsigned long long)(XXH3_64bits(url, end) & 0xffffff));
    free(url);
    return name;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static char **list_from_json(const json_t *array)
{
    if (!json_is_array(array) || json_array_size(array) == 0) return NULL;
    char **list = tain_alloc((json_array_size(array) + 1) * sizeof *list);
    size_t i, n = 0;
    json_t *v;
    json_array_foreach((json_t *)array, i, v)
    {
        if (json_is_string(v)) list[n++] = tain_strdup(json_string_value(v));
    }
    return list;
}

/* The same text for every name of a file, there or not. */
static char *file_identity(const char *path)
{
    char here[PATH_MAX] = "", *real = realpath(path, NULL);
    if (real || path[0] == '/' || !getcwd(here, sizeof here)) return real ? real : tain_strdup(path);
    while (strncmp(path, "./", 2) == 0) path += 2;
    return tain_format("%s/%s", here, path);
}

/* A parameter of a URL's query, else what the URL itself says. Caller frees. */
static char *parameter(const char *query, const char *name, const char *otherwise)
{
    size_t n = strlen(name);
    for (const char *p = query; p && *p; p += strcspn(p, "&"), p += *p == '&')
        if (strncmp(p, name, n) == 0 && p[n] == '=') return tain_strndup(p + n + 1, strcspn(p + n + 1, "&"));
    return tain_strdup(otherwise ? otherwise : "");
}

static char *server_identity(const tain_url *u)
{
    bool postgres = strncmp(u->scheme, "postgres", 8) == 0;
    char *host = parameter(u->query, "host", u->host), *port = parameter(u->query, "port", u->port ? u->port : postgres ? "5432" : "");
    char *database = parameter(u->query, "dbname", u->path && u->path[0] == '/' ? u->path + 1 : u->path);
    char *id = tain_format("%s://%s:%s/%s", postgres ? "postgresql" : u->scheme, host, port, database);
    free(host);
    free(port);
    free(database);
    return id;
}

/* Where a source is, without who asks and how: what must stay the same for a lake. */
static char *source_identity(const char *url)
{
    tain_url u;
    if (tain_url_parse(url, &u, NULL) != TAIN_OK) return file_identity(url);
    bool file = !u.scheme || strcmp(u.scheme, "sqlite") == 0 || strcmp(u.scheme, "file") == 0;
    char *id = !file ? server_identity(&u) : file_identity(u.scheme && u.path ? u.path : url);
    tain_url_done(&u);
    return id;
}

static tain_status check_same_source(const tain_definition *d, const char *stored, tain_error *err)
{
    char *have = source_identity(stored), *want = source_identity(d->source_url);
    bool same = strcmp(have, want) == 0;
    free(have);
    free(want);
    if (same) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_INVALID, "lake %s mirrors another source: %s", d->lake_url, stored);
    tain_error_remedy(err, "name another lake folder, or edit \"source\" in its mirroring.json if the same database has moved");
    return st;
}

static bool stored_leaves(const json_t *tain) { return strcmp(tain_json_get_str(tain, "partitions", "root"), "leaf") == 0; }

static tain_status check_same_partitions(const tain_definition *d, bool leaves, tain_error *err)
{
    if (!d->leaves.given || d->leaves.on == leaves) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_INVALID, "lake %s mirrors partitioned tables %s", d->lake_url, leaves ? "by partition" : "as one table each");
    tain_error_remedy(err, "name another lake folder for --partitions %s", d->leaves.on ? "leaf" : "root");
    return st;
}

static bool same_list(char **a, char **b)
{
    for (; a && *a && b && *b; a++, b++)
        if (strcmp(*a, *b) != 0) return false;
    return !(a && *a) && !(b && *b);
}

static void take_list(tain_definition *d, char ***list, const json_t *stored)
{
    char **was = list_from_json(stored);
    if (!*list) {
        *list = was;
        return;
    }
    d->changed |= !same_list(*list, was);
    list_free(was);
}

static void take_name(tain_definition *d, const char *stored)
{
    if (!d->name) d->name = tain_strdup(stored);
    else if (stored && strcmp(d->name, stored) != 0) d->old_name = tain_strdup(stored);
    d->changed |= d->old_name != NULL;
}

static void take_text(tain_definition *d, char **text, const char *stored)
{
    if (!*text) *text = tain_strdup(stored);
    else d->changed |= strcmp(*text, stored ? stored : "") != 0;
}

static void take_switch(tain_definition *d, tain_switch *s, bool stored)
{
    if (!s->given) s->on = stored;
    d->changed |= s->on != stored;
}

static bool is_none(const json_t *policies)
{
    return !policies || (json_is_object(policies) && json_object_size(policies) == 0);
}

static bool same_policies(const json_t *a, const json_t *b)
{
    return json_equal(a, b) || (is_none(a) && is_none(b));
}

static void take_policies(tain_definition *d, json_t *stored)
{
    if (!d->policies) d->policies = json_incref(stored);
    else d->changed |= !same_policies(d->policies, stored);
}

/* The password is not stored: without one it is the source's. */
static void take_replica(tain_definition *d, const char *stored)
{
    if (!d->snapshot_from) {
        d->snapshot_from = tain_strdup(stored);
        return;
    }
    TAIN_AUTO(tain_free) char *shown = tain_url_redacted(d->snapshot_from);
    d->changed |= strcmp(shown, stored ? stored : "") != 0;
}

static tain_status check_retained(const tain_definition *d, tain_error *err)
{
    tain_retained_limits limits;
    TAIN_TRY_IN(err, tain_retained_parse(d->retained_log, &limits, err), FILE_NAME ": properties.tain.retainedLog");
    return TAIN_OK;
}

static tain_status check_duration(const char *text, const char *name, tain_error *err)
{
    tain_time ignored;
    if (!text || !*text) return TAIN_OK;
    TAIN_TRY_IN(err, tain_parse_duration(text, &ignored, err), FILE_NAME ": properties.tain.%s", name);
    return TAIN_OK;
}

tain_status tain_definition_check_policies(const json_t *policies, tain_error *err)
{
    if (policies && !json_is_object(policies)) return tain_fail(err, TAIN_E_CONFIG, "not an object");
    return tain_kept_check(policies, err);
}

static tain_status check_policies(const tain_definition *d, tain_error *err)
{
    TAIN_TRY_IN(err, tain_definition_check_policies(d->policies, err), FILE_NAME ": properties.tain.policies");
    return TAIN_OK;
}

static void take(const json_t *tain, tain_definition *d)
{
    free(d->id);
    d->id = tain_strdup(tain_json_get_str(tain, "id", NULL));
    take_name(d, tain_json_get_str(tain, "name", NULL));
    take_list(d, &d->tables, json_object_get(tain, "tables"));
    take_list(d, &d->exclude, json_object_get(tain, "exclude"));
    take_list(d, &d->paused, json_object_get(tain, "paused"));
    take_policies(d, json_object_get(tain, "policies"));
    take_text(d, &d->retained_log, tain_json_get_str(tain, "retainedLog", NULL));
    take_text(d, &d->retention, tain_json_get_str(tain, "retention", NULL));
    take_text(d, &d->history_retention, tain_json_get_str(tain, "historyRetention", NULL));
    take_replica(d, tain_json_get_str(tain, "snapshotFrom", NULL));
    free(d->given_up);
    d->given_up = tain_strdup(tain_json_get_str(tain, "givenUp", NULL));
    take_switch(d, &d->leaves, stored_leaves(tain));
    take_switch(d, &d->poll, tain_json_get_bool(tain, "pollCapture", false));
    take_switch(d, &d->cdf, tain_json_get_bool(tain, "changeDataFeed", false));
    take_switch(d, &d->history, tain_json_get_bool(tain, "history", false));
    take_switch(d, &d->compat, strcmp(tain_json_get_str(tain, "profile", ""), "compat") == 0);
}

tain_status tain_definition_load(tain_definition *d, tain_store *lake, tain_error *err)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer text = {0};
    TAIN_TRY(tain_store_get(lake, FILE_NAME, 0, -1, &text, err));
    json_t *root;
    TAIN_TRY(tain_json_parse(text.data, text.size, FILE_NAME, &root, err));
    const json_t *properties = json_object_get(root, "properties"), *tain = json_object_get(properties, "tain");
    const char *source = tain_json_get_str(tain, "source", NULL);
    tain_status st = TAIN_OK;
    if (source && d->source_url) st = check_same_source(d, source, err);
    if (st == TAIN_OK) st = check_same_partitions(d, stored_leaves(tain), err);
    if (st == TAIN_OK) {
        take(tain, d);
        if (!d->source_url && source) d->source_url = tain_strdup(source);
    }
    if (st == TAIN_OK) st = check_policies(d, err);
    if (st == TAIN_OK) st = check_retained(d, err);
    if (st == TAIN_OK) st = check_duration(d->retention, "retention", err);
    if (st == TAIN_OK) st = check_duration(d->history_retention, "historyRetention", err);
    if (st == TAIN_OK && !d->id) st = tain_fail(err, TAIN_E_CORRUPT, FILE_NAME ": properties.tain.id is missing");
    json_decref(root);
    return st;
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static json_t *list_to_json(char *const *list)
{
    json_t *array = json_array();
    for (; list && *list; list++) json_array_append_new(array, json_string(*list));
    return array;
}

static void put_text(json_t *tain, const char *key, const char *text)
{
    if (text && *text) json_object_set_new(tain, key, json_string(text));
}

static void put_switch(json_t *tain, const char *key, tain_switch s)
{
    if (s.on) json_object_set_new(tain, key, json_true());
}

static const char *fabric_source_type(const char *url)
{
    if (strncmp(url, "postgres", 8) == 0) return "GenericPostgreSql";
    return "GenericMirror";
}

static json_t *definition_to_json(const tain_definition *d)
{
    char *shown = tain_url_redacted(d->source_url);
    json_t *root = json_pack("{s:{s:{s:s,s:{}},s:{s:s,s:{s:s,s:s}},s:{s:s,s:s,s:s,s:o,s:o,s:b}}}", "properties", "source", "type",
                             fabric_source_type(d->source_url), "typeProperties", "target", "type", "MountedRelationalDatabase",
                             "typeProperties", "defaultSchema", "public", "format", "Delta", "tain", "id", d->id, "name", d->name,
                             "source", shown, "tables", list_to_json(d->tables), "exclude", list_to_json(d->exclude), "pollCapture",
                             d->poll.on);
    free(shown);
    json_t *tain = json_object_get(json_object_get(root, "properties"), "tain");
    if (root && !is_none(d->policies)) json_object_set(tain, "policies", d->policies);
    put_text(tain, "partitions", d->leaves.on ? "leaf" : NULL);
    put_text(tain, "profile", d->compat.on ? "compat" : NULL);
    put_switch(tain, "changeDataFeed", d->cdf);
    put_switch(tain, "history", d->history);
    put_text(tain, "retention", d->retention);
    put_text(tain, "historyRetention", d->history_retention);
    put_text(tain, "retainedLog", d->retained_log);
    char *replica = d->snapshot_from ? tain_url_redacted(d->snapshot_from) : NULL;
    put_text(tain, "snapshotFrom", replica);
    free(replica);
    if (d->paused && d->paused[0]) json_object_set_new(tain, "paused", list_to_json(d->paused));
    put_text(tain, "givenUp", d->given_up);
    return root;
}

tain_status tain_definition_save(const tain_definition *d, tain_store *lake, tain_error *err)
{
    json_t *root = definition_to_json(d);
    if (!root) return tain_fail(err, TAIN_E_INVALID, "the source's address is not UTF-8, so it cannot be kept in " FILE_NAME);
    char *text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    tain_slice data = {(const uint8_t *)text, strlen(text)};
    tain_status st = tain_store_put(lake, FILE_NAME, data, 0, err);
    free(text);
    return st;
}

bool tain_definition_pauses(const tain_definition *d, const char *table)
{
    for (char *const *p = d->paused; p && *p; p++)
        if (strcmp(*p, table) == 0) return true;
    return false;
}

static tain_time duration(const char *text, tain_time otherwise)
{
    tain_time t;
    return text && *text && tain_parse_duration(text, &t, NULL) == TAIN_OK ? t : otherwise;
}

tain_time tain_definition_retention(const tain_definition *d)
{
    return duration(d->retention, TAIN_DEFAULT_RETENTION);
}

tain_time tain_definition_history_retention(const tain_definition *d)
{
    return duration(d->history_retention, -1);
}

tain_source_options tain_definition_source_options(const tain_definition *d, const char *spool_dir)
{
    return (tain_source_options){
        .url = d->source_url,
        .mirror_name = d->name,
        .mirror_id = d->id,
        .tables = (const char **)d->tables,
        .exclude = (const char **)d->exclude,
        .jobs = d->jobs,
        .memory = d->memory / 4,
        .spool_dir = spool_dir,
        .snapshot_from = d->snapshot_from,
        .leaves = d->leaves.on,
        .poll_capture = d->poll.on,
        .policies = d->policies,
    };
}
