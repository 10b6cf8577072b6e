/* SPDX-License-Identifier: MIT */
#include "source/postgres/parts.h"

#include <inttypes.h>
#include <stdio.h>

enum { DEPTH_MOST = 32 };

static uint64_t mix(uint64_t hash, const void *data, size_t n)
{
    for (const uint8_t *p = data; n > 0; n--) hash = (hash ^ *p++) * 1099511628211u;
    return hash;
}

/* Of the first n parts: labels by age, or attributes in order. */
static uint64_t hash_parts(const tain_pg_type *type, size_t n)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < n; i++) {
        const char *name = type->kind == 'e' ? type->labels[i] : type->fields[i].name;
        hash = mix(hash, name, strlen(name) + 1);
        if (type->kind == 'c') hash = mix(hash, &type->fields[i].type_oid, sizeof type->fields[i].type_oid);
    }
    return hash;
}

static size_t count_parts(const tain_pg_type *type) { return type->kind == 'e' ? type->label_count : type->field_count; }

static bool is_there(const tain_buffer *out, uint32_t oid)
{
    char entry[16];
    int n = snprintf(entry, sizeof entry, "%u:", oid);
    for (const char *p = out->size ? (const char *)out->data : NULL, *end = p + out->size; p && p + n <= end;) {
        if (memcmp(p, entry, (size_t)n) == 0) return true;
        const char *comma = memchr(p, ',', (size_t)(end - p));
        p = comma ? comma + 1 : NULL;
    }
    return false;
}

static void put_type(const tain_pg_types *types, uint32_t oid, int depth, tain_buffer *out)
{
    const tain_pg_type *type = oid ? tain_pg_types_find(types, oid) : NULL;
    if (!type || depth == DEPTH_MOST) return;
    put_type(types, type->element_oid, depth + 1, out);
    put_type(types, type->base_oid, depth + 1, out);
    if ((type->kind != 'e' && type->kind != 'c') || is_there(out, oid)) return;
    size_t n = count_parts(type);
    tain_buffer_printf(out, "%s%u:%zu:%016" PRIx64, out->size ? "," : "", oid, n, hash_parts(type, n));
    for (size_t i = 0; i < type->field_count; i++) put_type(types, type->fields[i].type_oid, depth + 1, out);
}

char *tain_pg_parts_of(const tain_pg_types *types, const tain_pg_shape *shape)
{
    tain_buffer out = {0};
    for (size_t i = 0; i < shape->count; i++) put_type(types, shape->columns[i].type_oid, 0, &out);
    return tain_buffer_cstr(&out);
}

static bool is_as_then(const tain_pg_type *type, size_t n, uint64_t hash)
{
    if (!type) return true; /* no column has it any more, which the columns tell */
    size_t now = count_parts(type);
    return (type->kind == 'e' ? now >= n : now == n) && hash_parts(type, n) == hash;
}

bool tain_pg_parts_changed(const tain_pg_types *types, const char *then, const char **ret_name)
{
    for (const char *p = then; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        unsigned oid;
        size_t n;
        uint64_t hash;
        if (sscanf(p, "%10u:%8zu:%16" SCNx64, &oid, &n, &hash) != 3) continue;
        const tain_pg_type *type = tain_pg_types_find(types, oid);
        if (is_as_then(type, n, hash)) continue;
        *ret_name = type->name;
        return true;
    }
    return false;
}
