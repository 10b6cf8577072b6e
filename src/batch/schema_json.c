/* SPDX-License-Identifier: MIT */
#include "batch/type.h"

#include <stdio.h>

static const char ID_KEY[] = "delta.columnMapping.id";
static const char PHYSICAL_KEY[] = "delta.columnMapping.physicalName";
static const char SOURCE_KEY[] = "tain.id";
static const char KEPT_KEY[] = "tain.kept";

static void write_type(tain_json *j, const tain_type *t);

static bool is_mapped(const tain_field *f)
{
    return f->id != 0 || (f->physical && strcmp(f->physical, f->name) != 0);
}

static void write_metadata(tain_json *j, const tain_field *f)
{
    tain_json_key(j, "metadata");
    tain_json_object(j);
    size_t n = f->metadata ? strlen(f->metadata) : 0;
    if (n > 2) tain_json_raw(j, f->metadata + 1, n - 2); /* its members, without the braces */
    if (f->source_id) tain_json_kint(j, SOURCE_KEY, f->source_id);
    if (f->kept) tain_json_kstr(j, KEPT_KEY, f->kept);
    if (f->id) tain_json_kint(j, ID_KEY, f->id);
    if (is_mapped(f)) tain_json_kstr(j, PHYSICAL_KEY, f->physical);
    tain_json_object_end(j);
}

static void write_fields(tain_json *j, const tain_field *fields, size_t n)
{
    tain_json_object(j);
    tain_json_kstr(j, "type", "struct");
    tain_json_key(j, "fields");
    tain_json_array(j);
    for (size_t i = 0; i < n; i++) {
        tain_json_object(j);
        tain_json_kstr(j, "name", fields[i].name);
        tain_json_key(j, "type");
        write_type(j, &fields[i].type);
        tain_json_kbool(j, "nullable", fields[i].nullable);
        write_metadata(j, &fields[i]);
        tain_json_object_end(j);
    }
    tain_json_array_end(j);
    tain_json_object_end(j);
}

static void write_list(tain_json *j, const tain_type *t)
{
    tain_json_object(j);
    tain_json_kstr(j, "type", "array");
    tain_json_key(j, "elementType");
    write_type(j, &t->children[0].type);
    tain_json_kbool(j, "containsNull", t->children[0].nullable);
    tain_json_object_end(j);
}

static void write_map(tain_json *j, const tain_type *t)
{
    tain_json_object(j);
    tain_json_kstr(j, "type", "map");
    tain_json_key(j, "keyType");
    write_type(j, &t->children[0].type);
    tain_json_key(j, "valueType");
    write_type(j, &t->children[1].type);
    tain_json_kbool(j, "valueContainsNull", t->children[1].nullable);
    tain_json_object_end(j);
}

static void write_name(tain_json *j, const tain_type *t)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer name = {0};
    tain_type_name(t, &name);
    tain_json_strn(j, (const char *)name.data, name.size);
}

static void write_type(tain_json *j, const tain_type *t)
{
    if (t->kind == TAIN_STRUCT) write_fields(j, t->children, t->child_count);
    else if (t->kind == TAIN_LIST) write_list(j, t);
    else if (t->kind == TAIN_MAP) write_map(j, t);
    else write_name(j, t);
}

void tain_schema_to_json(const tain_schema *s, tain_buffer *out)
{
    tain_json j = {.out = out};
    write_fields(&j, s->fields, s->count);
}

/* Reading. Names, metadata and children go straight into the new schema's arena. */

enum { DEEPEST = 64 };

typedef struct reader {
    tain_schema *schema;
    int          depth;
    tain_error  *err;
} reader;

static tain_status read_type(reader *r, const json_t *v, tain_type *ret);

static const char *keep(reader *r, const json_t *text)
{
    return tain_arena_strndup(&r->schema->arena, json_string_value(text), json_string_length(text));
}

static tain_status read_decimal(reader *r, const char *name, tain_type *ret)
{
    unsigned precision = 10, scale = 0;
    char     behind = 0, close = 0;
    if (strcmp(name, "decimal") != 0) {
        int got = sscanf(name, "decimal(%3u,%3u%c%c", &precision, &scale, &close, &behind);
        if (got != 3 || close != ')' || precision < 1 || precision > 38 || scale > precision)
            return tain_fail(r->err, TAIN_E_CORRUPT, "type \"%s\" is no decimal that Delta knows", name);
    }
    *ret = tain_type_decimal(precision, scale);
    return TAIN_OK;
}

static tain_status read_name(reader *r, const char *name, tain_type *ret)
{
    static const struct { const char *name; tain_kind kind; } kinds[] = {
        {"boolean", TAIN_BOOL}, {"byte", TAIN_INT8}, {"short", TAIN_INT16}, {"integer", TAIN_INT32}, {"long", TAIN_INT64},
        {"float", TAIN_FLOAT}, {"double", TAIN_DOUBLE}, {"string", TAIN_STRING}, {"binary", TAIN_BINARY}, {"date", TAIN_DATE},
        {"timestamp", TAIN_TIMESTAMP}, {"timestamp_ntz", TAIN_TIMESTAMP_NTZ},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(name, kinds[i].name) != 0) continue;
        *ret = tain_type_of(kinds[i].kind);
        return TAIN_OK;
    }
    if (strncmp(name, "decimal", 7) == 0) return read_decimal(r, name, ret);
    return tain_fail(r->err, TAIN_E_UNSUPPORTED, "type \"%s\" is not supported", name);
}

/* What is not ours to understand is kept as text, so that a schema written back loses nothing. */
static void read_metadata(reader *r, const json_t *m, tain_field *f)
{
    const json_t *id = json_object_get(m, ID_KEY), *physical = json_object_get(m, PHYSICAL_KEY), *kept = json_object_get(m, KEPT_KEY);
    if (json_is_integer(id)) f->id = (int32_t)json_integer_value(id);
    f->source_id = (int32_t)tain_json_get_int(m, SOURCE_KEY, 0);
    if (json_is_string(physical)) f->physical = keep(r, physical);
    if (json_is_string(kept)) f->kept = keep(r, kept);
    json_t *rest = json_is_object(m) ? json_copy((json_t *)m) : NULL;
    json_object_del(rest, ID_KEY);
    json_object_del(rest, PHYSICAL_KEY);
    json_object_del(rest, SOURCE_KEY);
    json_object_del(rest, KEPT_KEY);
    if (json_object_size(rest)) {
        char *text = json_dumps(rest, JSON_COMPACT);
        f->metadata = tain_arena_strndup(&r->schema->arena, text, strlen(text));
        free(text);
    }
    json_decref(rest);
}

static tain_status read_field(reader *r, const json_t *v, tain_field *ret)
{
    const json_t *name = json_object_get(v, "name");
    if (!json_is_string(name)) return tain_fail(r->err, TAIN_E_CORRUPT, "a field has no name");
    ret->name = ret->physical = keep(r, name);
    ret->nullable = tain_json_get_bool(v, "nullable", true);
    read_metadata(r, json_object_get(v, "metadata"), ret);
    TAIN_TRY_IN(r->err, read_type(r, json_object_get(v, "type"), &ret->type), "column %s", ret->name);
    return TAIN_OK;
}

static tain_status read_fields(reader *r, const json_t *v, tain_field **ret, size_t *ret_count)
{
    const json_t *fields = json_object_get(v, "fields");
    if (!json_is_array(fields)) return tain_fail(r->err, TAIN_E_CORRUPT, "a struct has no fields");
    size_t n = json_array_size(fields);
    if (n > UINT16_MAX) return tain_fail(r->err, TAIN_E_UNSUPPORTED, "%zu columns are more than %d", n, UINT16_MAX);
    *ret = tain_arena_alloc(&r->schema->arena, n * sizeof **ret);
    for (size_t i = 0; i < n; i++) TAIN_TRY(read_field(r, json_array_get(fields, i), &(*ret)[i]));
    *ret_count = n;
    return TAIN_OK;
}

static tain_status read_child(reader *r, const json_t *v, const char *type_key, const char *null_key, tain_field *ret)
{
    ret->nullable = null_key ? tain_json_get_bool(v, null_key, true) : false;
    return read_type(r, json_object_get(v, type_key), &ret->type);
}

static tain_status read_list(reader *r, const json_t *v, tain_type *ret)
{
    *ret = tain_type_list(r->schema, (tain_type){0});
    return read_child(r, v, "elementType", "containsNull", &ret->children[0]);
}

static tain_status read_map(reader *r, const json_t *v, tain_type *ret)
{
    tain_field *kv = tain_arena_alloc(&r->schema->arena, 2 * sizeof *kv);
    kv[0].name = kv[0].physical = "key";
    kv[1].name = kv[1].physical = "value";
    *ret = (tain_type){.kind = TAIN_MAP, .child_count = 2, .children = kv};
    TAIN_TRY(read_child(r, v, "keyType", NULL, &kv[0]));
    return read_child(r, v, "valueType", "valueContainsNull", &kv[1]);
}

static tain_status read_struct(reader *r, const json_t *v, tain_type *ret)
{
    size_t n = 0;
    *ret = tain_type_of(TAIN_STRUCT);
    TAIN_TRY(read_fields(r, v, &ret->children, &n));
    ret->child_count = (uint16_t)n;
    return TAIN_OK;
}

static tain_status read_compound(reader *r, const json_t *v, tain_type *ret)
{
    const char *kind = tain_json_get_str(v, "type", "");
    if (strcmp(kind, "struct") == 0) return read_struct(r, v, ret);
    if (strcmp(kind, "array") == 0) return read_list(r, v, ret);
    if (strcmp(kind, "map") == 0) return read_map(r, v, ret);
    return tain_fail(r->err, TAIN_E_UNSUPPORTED, "type \"%s\" is not supported", kind);
}

static tain_status read_type(reader *r, const json_t *v, tain_type *ret)
{
    if (json_is_string(v)) return read_name(r, json_string_value(v), ret);
    if (!json_is_object(v)) return tain_fail(r->err, TAIN_E_CORRUPT, "a type is neither a name nor an object");
    if (++r->depth > DEEPEST) return tain_fail(r->err, TAIN_E_UNSUPPORTED, "types are nested deeper than %d", DEEPEST);
    TAIN_TRY(read_compound(r, v, ret));
    r->depth--;
    return TAIN_OK;
}

tain_status tain_schema_from_json(const char *text, size_t n, tain_schema **ret, tain_error *err)
{
    json_t *v = NULL;
    TAIN_TRY(tain_json_parse(text, n, "schema", &v, err));
    reader      r = {.schema = tain_schema_new(), .err = err};
    tain_status status = read_fields(&r, v, &r.schema->fields, &r.schema->count);
    r.schema->capacity = r.schema->count;
    json_decref(v);
    if (status != TAIN_OK) {
        tain_error_context(err, "schema");
        tain_schema_free(r.schema);
        return status;
    }
    *ret = r.schema;
    return TAIN_OK;
}
