/* SPDX-License-Identifier: MIT */
#include "source/sqlite/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

void tain_sqlite_shape_free(tain_sqlite_shape *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->count; i++) {
        free(s->columns[i].name);
        free(s->columns[i].declared);
    }
    for (size_t i = 0; i < s->index_count; i++) {
        for (size_t k = 0; k < s->indexes[i].count; k++) {
            free(s->indexes[i].terms[k].expression);
            free(s->indexes[i].terms[k].collation);
        }
        free(s->indexes[i].terms);
        free(s->indexes[i].name);
        free(s->indexes[i].where);
    }
    for (size_t i = 0; i < s->key_count && s->collations; i++) free(s->collations[i]);
    free(s->collations);
    free(s->indexes);
    free(s->columns);
    free((void *)s->fallback.data);
    free(s->key);
    free(s->name);
    free(s->sql);
    free(s->trouble);
    free(s->lineage);
    free(s);
}

/* --- types and key ------------------------------------------------------------------------------------------------- */

static tain_type type_of(const tain_sqlite_shape *s, const tain_sqlite_column *c)
{
    return tain_sqlite_type(c->declared, s->strict, c->seen);
}

/* 1 and '1' are two keys in SQLite and one as text. */
static bool merges(const tain_sqlite_shape *s, const tain_sqlite_column *c)
{
    unsigned classes = c->seen & TAIN_SEEN_CLASSES;
    return type_of(s, c).kind == TAIN_STRING && (classes & (classes - 1));
}

void tain_sqlite_shape_settle(tain_sqlite_shape *s)
{
    s->key_trouble = NULL;
    for (size_t i = 0; i < s->key_count && !s->key_trouble; i++) {
        const tain_sqlite_column *c = &s->columns[s->key[i]];
        if (s->key[i] == s->alias) continue;
        if (c->seen & TAIN_SEEN_NULL) s->key_trouble = "null_key";
        else if (c->seen & TAIN_SEEN_BAD_TEXT) s->key_trouble = "invalid_utf8_key";
        else if (merges(s, c)) s->key_trouble = "mixed_key";
    }
}

bool tain_sqlite_is_key(const tain_sqlite_shape *s, size_t column)
{
    for (size_t i = 0; i < s->key_count; i++)
        if (s->key[i] == column) return true;
    return false;
}

bool tain_sqlite_tells_loss(const tain_sqlite_shape *s, size_t column, const char *code)
{
    return !tain_sqlite_has_key(s) || !tain_sqlite_is_key(s, column) || strcmp(code, "type_as_text") != 0;
}

tain_schema *tain_sqlite_shape_schema(const tain_sqlite_shape *s)
{
    tain_schema *schema = tain_schema_new();
    for (size_t i = 0; i < s->count; i++) tain_schema_add(schema, s->columns[i].name, type_of(s, &s->columns[i]));
    return schema;
}

unsigned tain_sqlite_shape_seen(const tain_sqlite_shape *s, size_t column, const tain_sqlite_value *v, bool text)
{
    unsigned seen = tain_sqlite_seen(v, text);
    bool other = column == s->count - 1 && !tain_sqlite_value_same(v, &s->fallback);
    return other ? seen | TAIN_SEEN_OTHER : seen;
}

bool tain_sqlite_shape_see(tain_sqlite_shape *s, size_t column, unsigned seen)
{
    tain_sqlite_column *c = &s->columns[column];
    tain_kind kind = type_of(s, c).kind;
    const char *trouble = s->key_trouble;
    c->seen |= seen;
    tain_sqlite_shape_settle(s);
    return type_of(s, c).kind != kind || !s->key_trouble != !trouble;
}

/* --- findings ------------------------------------------------------------------------------------------------------ */

static void find_classes(const tain_sqlite_column *c, tain_source_table *t)
{
    TAIN_BUFFER list = {0};
    static const struct { unsigned bit; const char *name; } classes[] = {
        {TAIN_SEEN_INTEGER, "integers"}, {TAIN_SEEN_REAL, "reals"}, {TAIN_SEEN_TEXT, "text"}, {TAIN_SEEN_BLOB, "blobs"}};
    for (size_t i = 0; i < 4; i++)
        if (c->seen & classes[i].bit) tain_buffer_printf(&list, "%s%s", list.size ? ", " : "", classes[i].name);
    tain_source_table_find(t, TAIN_VERDICT_WARNING, "type_as_text", c->name, "store values of one type only, or accept text",
                           "it is declared %s and holds %s: it is mirrored as string", *c->declared ? c->declared : "without type", tain_buffer_cstr(&list));
}

static void find_bad_text(const tain_sqlite_column *c, tain_source_table *t)
{
    tain_source_table_find(t, TAIN_VERDICT_WARNING, "invalid_utf8", c->name, "store it as UTF-8, or as a blob",
                           "it holds text that is not UTF-8: what is not is mirrored as U+FFFD");
}

static const char *explain_key(const tain_sqlite_shape *s)
{
    if (!s->key_trouble) return "it has no primary key";
    if (strcmp(s->key_trouble, "null_key") == 0) return "its primary key holds NULL";
    return strcmp(s->key_trouble, "mixed_key") == 0 ? "its key holds values of several types" : "its key holds text that is not UTF-8";
}

void tain_sqlite_shape_findings(const tain_sqlite_shape *s, tain_source_table *t)
{
    if (s->trouble) tain_source_table_find(t, TAIN_VERDICT_ERROR, "unreadable", NULL, "exclude it with --exclude", "%s", s->trouble);
    for (size_t i = 0; i < s->count; i++) {
        const tain_sqlite_column *c = &s->columns[i];
        if (tain_sqlite_disagrees(c->declared, s->strict, c->seen)) find_classes(c, t);
        if (c->seen & TAIN_SEEN_BAD_TEXT) find_bad_text(c, t);
    }
    if (tain_sqlite_has_key(s)) return;
    tain_source_table_find(t, TAIN_VERDICT_WARNING, s->key_trouble ? s->key_trouble : "no_key", NULL, "give it a primary key that is NOT NULL",
                           "%s: whole rows are its key, changes are logged with all values, and ALTER TABLE ... DROP COLUMN is refused while it is mirrored",
                           explain_key(s));
}

/* --- kept shapes --------------------------------------------------------------------------------------------------- */

static void put_column(tain_json *j, const tain_sqlite_column *c)
{
    tain_json_object(j);
    tain_json_kstr(j, "name", c->name);
    tain_json_kstr(j, "type", c->declared);
    tain_json_kint(j, "seen", c->seen);
    tain_json_object_end(j);
}

/* The text itself need not be UTF-8. */
static void hash(const char *text, char out[static 17])
{
    snprintf(out, 17, "%016llx", (unsigned long long)XXH3_64bits(text, strlen(text)));
}

/* Behind the table's name, which may be quoted in four ways. SQLite keeps "CREATE TABLE " and what was written after it. */
static const char *body_of(const char *sql)
{
    const char *p = strncasecmp(sql, "CREATE TABLE ", 13) == 0 ? sql + 13 : sql;
    char quote = *p == '[' ? ']' : *p;
    if (!strchr("\"'`]", quote) || !*p) return p + strcspn(p, " \t\r\n\f(/-");
    for (p++; *p && (*p != quote || p[1] == quote); p++) p += *p == quote;
    return *p ? p + 1 : p;
}

char *tain_sqlite_shape_text(const tain_sqlite_shape *s, const char *identity)
{
    tain_buffer out = {0};
    tain_json j = {.out = &out};
    char definition[17], body[17];
    hash(s->sql, definition);
    hash(body_of(s->sql), body);
    tain_json_object(&j);
    if (identity) tain_json_kstr(&j, "identity", identity);
    tain_json_kstr(&j, "definition", definition);
    tain_json_kstr(&j, "body", body);
    if (s->lineage) tain_json_kstr(&j, "lineage", s->lineage);
    tain_json_kint(&j, "rows", s->rows);
    tain_json_kint(&j, "bytes", s->bytes);
    tain_json_key(&j, "columns");
    tain_json_array(&j);
    for (size_t i = 0; i < s->count; i++) put_column(&j, &s->columns[i]);
    tain_json_array_end(&j);
    tain_json_key(&j, "key");
    tain_json_array(&j);
    for (size_t i = 0; i < s->key_count; i++) tain_json_str(&j, s->columns[s->key[i]].name);
    tain_json_array_end(&j);
    tain_json_object_end(&j);
    return tain_buffer_cstr(&out);
}

static bool same_column(const tain_sqlite_column *c, const json_t *kept)
{
    return strcmp(c->name, tain_json_get_str(kept, "name", "")) == 0 && strcmp(c->declared, tain_json_get_str(kept, "type", "")) == 0;
}

static bool same_key(const tain_sqlite_shape *s, const json_t *key)
{
    if (json_array_size(key) != s->key_count) return false;
    for (size_t i = 0; i < s->key_count; i++) {
        const char *name = json_string_value(json_array_get(key, i));
        if (!name || strcmp(name, s->columns[s->key[i]].name) != 0) return false;
    }
    return true;
}

static bool adds_null(const tain_sqlite_column *c)
{
    return !c->not_null && !c->has_default && !c->generated && !c->primary;
}

static size_t same_columns(const tain_sqlite_shape *s, const json_t *columns)
{
    size_t n = 0, kept = json_array_size(columns);
    while (n < s->count && n < kept && same_column(&s->columns[n], json_array_get(columns, n))) n++;
    return n;
}

/* How many are gone, if the others are all that there are, in order; else 0. *ret_first: the first of them. */
static size_t missing_columns(const tain_sqlite_shape *s, const json_t *columns, const char **ret_first)
{
    size_t there = 0, missing = 0, i;
    json_t *c;
    json_array_foreach(columns, i, c)
    {
        if (there < s->count && same_column(&s->columns[there], c)) there++;
        else if (missing++ == 0) *ret_first = tain_json_get_str(c, "name", "");
    }
    return there == s->count ? missing : 0;
}

static char *explain_difference(const tain_sqlite_shape *s, const json_t *columns, size_t same)
{
    size_t kept = json_array_size(columns);
    const char *was = same < kept ? tain_json_get_str(json_array_get(columns, same), "name", "") : NULL;
    if (was && same < s->count && strcmp(was, s->columns[same].name) == 0) return tain_format("the type of column %s changed", was);
    if (was) return tain_format("column %s was dropped or renamed", was);
    for (size_t i = same; i < s->count; i++)
        if (!adds_null(&s->columns[i])) return tain_format("column %s was added with values in it", s->columns[i].name);
    return tain_strdup("it was made anew");
}

static bool adds_columns(const tain_sqlite_shape *s, size_t same, size_t old)
{
    bool added = same == old && s->count > old;
    for (size_t i = same; i < s->count; i++) added &= adds_null(&s->columns[i]);
    return added;
}

static bool same_text(const tain_sqlite_shape *s, const json_t *kept)
{
    char definition[17], body[17];
    hash(s->sql, definition);
    hash(body_of(s->sql), body);
    return strcmp(tain_json_get_str(kept, "definition", ""), definition) == 0 || strcmp(tain_json_get_str(kept, "body", ""), body) == 0;
}

/* Each statement that changes the schema counts its version up by one: as many as columns are missing, and it was these that
 * went; with one more it may have been another one's name that came. */
static tain_sqlite_difference difference(const tain_sqlite_shape *s, const json_t *kept, int64_t steps, char **reason)
{
    const json_t *columns = json_object_get(kept, "columns");
    size_t same = same_columns(s, columns), old = json_array_size(columns);
    const char *gone = NULL;
    *reason = NULL;
    if (!same_key(s, json_object_get(kept, "key"))) *reason = tain_strdup("its key changed");
    else if (same_text(s, kept) && same == s->count) return TAIN_SQLITE_SAME;
    if (*reason) return TAIN_SQLITE_OTHER;
    if (adds_columns(s, same, old)) {
        *reason = tain_format("column %s was added", s->columns[old].name);
        return TAIN_SQLITE_ADDED;
    }
    if (steps > 0 && (int64_t)missing_columns(s, columns, &gone) == steps) {
        *reason = tain_format("column %s was dropped", gone);
        return TAIN_SQLITE_DROPPED;
    }
    *reason = explain_difference(s, columns, same);
    return TAIN_SQLITE_OTHER;
}

static void take_seen(tain_sqlite_shape *s, const json_t *kept)
{
    size_t there = 0, i;
    json_t *c;
    json_array_foreach(json_object_get(kept, "columns"), i, c)
        if (there < s->count && same_column(&s->columns[there], c)) s->columns[there++].seen |= (unsigned)tain_json_get_int(c, "seen", 0);
    s->rows = tain_json_get_int(kept, "rows", -1);
    s->bytes = tain_json_get_int(kept, "bytes", -1);
    tain_sqlite_shape_settle(s);
}

/* --- lineage ------------------------------------------------------------------------------------------------------- */

static const char *last_of(const char *lineage)
{
    const char *comma = strrchr(lineage, ',');
    return comma ? comma + 1 : lineage;
}

/* A column that is added may have the name of one that was dropped before: then nothing further back is told by names. */
static char *lineage_of(const char *kept, tain_sqlite_difference d, int64_t now)
{
    if (!*kept || d == TAIN_SQLITE_OTHER) return tain_format("%lld", (long long)now);
    if (d == TAIN_SQLITE_SAME) return tain_strdup(kept);
    return tain_format("%s,%lld", d == TAIN_SQLITE_ADDED ? last_of(kept) : kept, (long long)now);
}

const char *tain_sqlite_shape_version(const tain_sqlite_shape *s)
{
    return s->lineage ? last_of(s->lineage) : "";
}

bool tain_sqlite_shape_descends(const tain_sqlite_shape *s, const char *version)
{
    size_t n = strlen(version);
    for (const char *p = s->lineage; n && p && *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && strncmp(p, version, n) == 0) return true;
    return false;
}

tain_sqlite_difference tain_sqlite_shape_inherit(tain_sqlite_shape *s, const json_t *kept, int64_t kept_at, int64_t now, char **reason)
{
    tain_sqlite_difference d = difference(s, kept, kept_at >= 0 ? now - kept_at : 0, reason);
    free(s->lineage);
    s->lineage = lineage_of(tain_json_get_str(kept, "lineage", ""), d, now);
    if (d != TAIN_SQLITE_OTHER) take_seen(s, kept);
    return d;
}
