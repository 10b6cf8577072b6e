/* SPDX-License-Identifier: MIT */
#include "parquet/file.h"

enum { DEEPEST = 64 };

/* --- elements ------------------------------------------------------------------------------------------------------ */

static void read_unit(tain_thrift_in *t, tain_file_element *e)
{
    tain_thrift_field f = {0};
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) {
        e->unit = f.id;
        tain_thrift_skip(t, f.type);
    }
    tain_thrift_leave(t);
}

/* Members of DecimalType, TimestampType and IntType; their ids do not collide in what is read. */
static void read_parameters(tain_thrift_in *t, tain_file_element *e)
{
    tain_thrift_field f = {0};
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) {
        if (e->logical == TAIN_LOGICAL_DECIMAL && f.id == 1) e->scale = (int)tain_thrift_int(t, &f);
        else if (e->logical == TAIN_LOGICAL_DECIMAL && f.id == 2) e->precision = (int)tain_thrift_int(t, &f);
        else if (e->logical == TAIN_LOGICAL_TIMESTAMP && f.id == 1) e->utc = tain_thrift_bool(t, &f);
        else if (e->logical == TAIN_LOGICAL_TIMESTAMP && f.id == 2 && f.type == TAIN_THRIFT_STRUCT) read_unit(t, e);
        else if (e->logical == TAIN_LOGICAL_INTEGER && f.id == 1) e->bits = (int)tain_thrift_int(t, &f);
        else if (e->logical == TAIN_LOGICAL_INTEGER && f.id == 2) e->is_signed = tain_thrift_bool(t, &f);
        else tain_thrift_skip(t, f.type);
    }
    tain_thrift_leave(t);
}

static void read_logical(tain_thrift_in *t, tain_file_element *e)
{
    tain_thrift_field f = {0};
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) {
        e->logical = f.id;
        if (f.type == TAIN_THRIFT_STRUCT) read_parameters(t, e);
        else tain_thrift_skip(t, f.type);
    }
    tain_thrift_leave(t);
}

static void read_element(tain_thrift_in *t, tain_file_element *e)
{
    tain_thrift_field f = {0};
    *e = (tain_file_element){.physical = -1, .converted = -1};
    if (!tain_thrift_enter(t)) return;
    while (tain_thrift_next(t, &f)) {
        switch (f.id) {
        case 1: e->physical = (int)tain_thrift_int(t, &f); break;
        case 2: e->fixed = (int)tain_thrift_int(t, &f); break;
        case 3: e->repetition = (int)tain_thrift_int(t, &f); break;
        case 4: e->name = tain_thrift_binary(t, &f); break;
        case 5: e->children = (int)tain_thrift_int(t, &f); break;
        case 6: e->converted = (int)tain_thrift_int(t, &f); break;
        case 7: e->scale = (int)tain_thrift_int(t, &f); break;
        case 8: e->precision = (int)tain_thrift_int(t, &f); break;
        case 9: e->id = (int)tain_thrift_int(t, &f); break;
        case 10:
            if (tain_thrift_is(t, &f, TAIN_THRIFT_STRUCT)) read_logical(t, e);
            break;
        default: tain_thrift_skip(t, f.type);
        }
    }
    tain_thrift_leave(t);
}

tain_status tain_file_read_elements(tain_parquet_file *f, tain_thrift_in *t, const tain_thrift_field *field,
                                    tain_file_element **ret, size_t *ret_count, tain_error *err)
{
    int    type;
    size_t n = tain_thrift_list(t, field, &type);
    if (type != TAIN_THRIFT_STRUCT || n == 0) return tain_fail(err, TAIN_E_CORRUPT, "the footer's schema is no list of elements");
    *ret = tain_arena_alloc(&f->arena, n * sizeof **ret);
    for (size_t i = 0; i < n && !t->bad; i++) read_element(t, &(*ret)[i]);
    *ret_count = n;
    return TAIN_OK;
}

/* --- types --------------------------------------------------------------------------------------------------------- */

static bool is_decimal(const tain_file_element *e)
{
    return e->logical == TAIN_LOGICAL_DECIMAL || (e->logical == 0 && e->converted == TAIN_CONVERTED_DECIMAL);
}

static const char *decimal_type(const tain_file_element *e, tain_type *ret)
{
    if (e->precision < 1 || e->precision > 38 || e->scale < 0 || e->scale > e->precision) return "a decimal of this precision";
    if (e->physical == TAIN_PHYSICAL_FIXED && (e->fixed < 1 || e->fixed > 16)) return "a decimal wider than 16 bytes";
    *ret = tain_type_decimal((unsigned)e->precision, (unsigned)e->scale);
    return NULL;
}

static const char *of_kind(tain_kind kind, tain_type *ret)
{
    *ret = tain_type_of(kind);
    return NULL;
}

static const char *integer_type(const tain_file_element *e, int bits, bool is_signed, tain_type *ret)
{
    if (bits == 64 && is_signed && e->physical == TAIN_PHYSICAL_INT64) return of_kind(TAIN_INT64, ret);
    if (e->physical != TAIN_PHYSICAL_INT32) return "an integer of this width";
    if (bits == 32 && is_signed) return of_kind(TAIN_INT32, ret);
    if (bits == 16) return of_kind(is_signed ? TAIN_INT16 : TAIN_INT32, ret);
    if (bits == 8) return of_kind(is_signed ? TAIN_INT8 : TAIN_INT16, ret);
    return "an integer of this width";
}

static const char *timestamp_type(const tain_file_element *e, bool utc, int unit, tain_file_column *c)
{
    if (e->physical != TAIN_PHYSICAL_INT64 || unit < 1 || unit > 2) return "a timestamp of this unit";
    c->factor = unit == 1 ? 1000 : 1;
    return of_kind(utc ? TAIN_TIMESTAMP : TAIN_TIMESTAMP_NTZ, &c->type);
}

static const char *plain_type(const tain_file_element *e, tain_type *ret)
{
    switch (e->physical) {
    case TAIN_PHYSICAL_BOOLEAN: return of_kind(TAIN_BOOL, ret);
    case TAIN_PHYSICAL_INT32: return of_kind(TAIN_INT32, ret);
    case TAIN_PHYSICAL_INT64: return of_kind(TAIN_INT64, ret);
    case TAIN_PHYSICAL_FLOAT: return of_kind(TAIN_FLOAT, ret);
    case TAIN_PHYSICAL_DOUBLE: return of_kind(TAIN_DOUBLE, ret);
    case TAIN_PHYSICAL_BYTES: return of_kind(TAIN_BINARY, ret);
    case TAIN_PHYSICAL_FIXED: return e->fixed > 0 ? of_kind(TAIN_BINARY, ret) : "a fixed value without length";
    default: return "INT96";
    }
}

static const char *converted_type(const tain_file_element *e, tain_file_column *c)
{
    bool bytes = e->physical == TAIN_PHYSICAL_BYTES;
    switch (e->converted) {
    case -1: return plain_type(e, &c->type);
    case TAIN_CONVERTED_UTF8:
    case TAIN_CONVERTED_ENUM:
    case TAIN_CONVERTED_JSON: return bytes ? of_kind(TAIN_STRING, &c->type) : "text that is no byte array";
    case TAIN_CONVERTED_DATE: return e->physical == TAIN_PHYSICAL_INT32 ? of_kind(TAIN_DATE, &c->type) : "a date of this width";
    case TAIN_CONVERTED_TIMESTAMP_MILLIS: return timestamp_type(e, true, 1, c);
    case TAIN_CONVERTED_TIMESTAMP_MICROS: return timestamp_type(e, true, 2, c);
    case TAIN_CONVERTED_UINT_8: return integer_type(e, 8, false, &c->type);
    case TAIN_CONVERTED_UINT_16: return integer_type(e, 16, false, &c->type);
    case TAIN_CONVERTED_INT_8: return integer_type(e, 8, true, &c->type);
    case TAIN_CONVERTED_INT_16: return integer_type(e, 16, true, &c->type);
    case TAIN_CONVERTED_INT_32: return integer_type(e, 32, true, &c->type);
    case TAIN_CONVERTED_INT_64: return integer_type(e, 64, true, &c->type);
    default: return "this converted type";
    }
}

/* NULL, or what the value is that we do not read. */
static const char *leaf_type(const tain_file_element *e, tain_file_column *c)
{
    bool bytes = e->physical == TAIN_PHYSICAL_BYTES;
    if (e->physical < 0 || e->physical > TAIN_PHYSICAL_FIXED || e->physical == TAIN_PHYSICAL_INT96) return "this physical type";
    if (is_decimal(e))
        return e->physical == TAIN_PHYSICAL_BOOLEAN || e->physical == TAIN_PHYSICAL_FLOAT || e->physical == TAIN_PHYSICAL_DOUBLE
                   ? "a decimal of this type"
                   : decimal_type(e, &c->type);
    switch (e->logical) {
    case 0: return converted_type(e, c);
    case TAIN_LOGICAL_STRING:
    case TAIN_LOGICAL_ENUM:
    case TAIN_LOGICAL_JSON: return bytes ? of_kind(TAIN_STRING, &c->type) : "text that is no byte array";
    case TAIN_LOGICAL_DATE: return e->physical == TAIN_PHYSICAL_INT32 ? of_kind(TAIN_DATE, &c->type) : "a date of this width";
    case TAIN_LOGICAL_TIMESTAMP: return timestamp_type(e, e->utc, e->unit, c);
    case TAIN_LOGICAL_INTEGER: return integer_type(e, e->bits, e->is_signed, &c->type);
    default: return "this logical type";
    }
}

/* --- columns ------------------------------------------------------------------------------------------------------- */

typedef struct tree {
    const tain_file_element *elements;
    size_t                   count, next, leaves;
} tree;

static bool is_leaf(const tain_file_element *e)
{
    return e->physical >= 0;
}

/* Goes over an element and all below it; false when the tree is not what it says. */
static bool pass(tree *t, int depth)
{
    if (t->next >= t->count || depth > DEEPEST) return false;
    const tain_file_element *e = &t->elements[t->next++];
    if (is_leaf(e)) {
        t->leaves++;
        return true;
    }
    for (int i = 0; i < e->children; i++)
        if (!pass(t, depth + 1)) return false;
    return e->children > 0;
}

static const char *describe_leaf(const tain_file_element *e, tain_file_column *c)
{
    c->physical = (tain_physical)e->physical;
    c->fixed = e->fixed;
    c->factor = 1;
    return leaf_type(e, c);
}

static bool is_list(const tain_file_element *e)
{
    return e->children == 1 && (e->logical == TAIN_LOGICAL_LIST || (e->logical == 0 && e->converted == TAIN_CONVERTED_LIST));
}

/* A list is a group around a repeated group around one leaf, or around a repeated leaf (the form before 2014). */
static const char *describe_list(tain_parquet_file *f, const tain_file_element *e, size_t rest, tain_file_column *c)
{
    const tain_file_element *repeated = &e[1], *element = repeated;
    if (rest < 2 || repeated->repetition != TAIN_REPEATED) return "this kind of group";
    if (!is_leaf(repeated)) {
        if (rest < 3 || repeated->children != 1 || !is_leaf(&e[2]) || e[2].repetition == TAIN_REPEATED) return "a list of groups";
        element = &e[2];
    }
    const char *refusal = describe_leaf(element, c);
    c->list = true;
    c->element_optional = element != repeated && element->repetition == TAIN_OPTIONAL;
    c->type = tain_type_list(f->schema, c->type);
    c->type.children->nullable = c->element_optional;
    return refusal;
}

static void describe_column(tain_parquet_file *f, const tain_file_element *e, size_t rest, tain_file_column *c)
{
    c->name = tain_arena_strndup(&f->arena, (const char *)e->name.data, e->name.size);
    c->optional = e->repetition == TAIN_OPTIONAL;
    if (e->repetition == TAIN_REPEATED) c->refusal = "a repeated field outside of a list";
    else if (is_leaf(e)) c->refusal = describe_leaf(e, c);
    else c->refusal = is_list(e) ? describe_list(f, e, rest, c) : "a group";
    if (c->refusal) return;
    tain_field *field = tain_schema_add(f->schema, c->name, c->type);
    field->nullable = c->optional;
    field->id = e->id;
}

tain_status tain_file_make_columns(tain_parquet_file *f, const tain_file_element *elements, size_t n, tain_error *err)
{
    tree   t = {.elements = elements, .count = n, .next = 1};
    size_t columns = is_leaf(elements) || elements->children < 0 ? 0 : (size_t)elements->children;
    if (columns > n - 1) return tain_fail(err, TAIN_E_CORRUPT, "the schema's tree is broken");
    f->columns = tain_arena_alloc(&f->arena, columns * sizeof *f->columns);
    f->column_count = columns;
    for (size_t i = 0; i < columns; i++) {
        if (t.next >= n) return tain_fail(err, TAIN_E_CORRUPT, "the schema's tree is broken");
        f->columns[i].leaf = t.leaves;
        describe_column(f, &elements[t.next], n - t.next, &f->columns[i]);
        if (!pass(&t, 0)) return tain_fail(err, TAIN_E_CORRUPT, "the schema's tree is broken");
    }
    if (t.next != n) return tain_fail(err, TAIN_E_CORRUPT, "the schema's tree is broken");
    f->leaf_count = t.leaves;
    return TAIN_OK;
}
