/* SPDX-License-Identifier: MIT */
#include "scan/internal.h"

static void append_quoted(tain_buffer *out, char quote, const char *text, size_t n)
{
    tain_buffer_append_u8(out, (uint8_t)quote);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == quote) tain_buffer_append_u8(out, (uint8_t)quote);
        tain_buffer_append_u8(out, (uint8_t)text[i]);
    }
    tain_buffer_append_u8(out, (uint8_t)quote);
}

void tain_sql_name(tain_buffer *out, const char *name)
{
    append_quoted(out, '"', name, strlen(name));
}

void tain_sql_string(tain_buffer *out, const char *text, size_t n)
{
    append_quoted(out, '\'', text, n);
}

/* DuckDB globs every path it is given; a class of one character stands for that character. */
void tain_sql_path(tain_buffer *out, const char *path)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer plain = {0};
    for (const char *p = path; *p; p++) {
        bool special = *p == '*' || *p == '?' || *p == '[';
        if (special) tain_buffer_append_u8(&plain, '[');
        tain_buffer_append_u8(&plain, (uint8_t)*p);
        if (special) tain_buffer_append_u8(&plain, ']');
    }
    tain_sql_string(out, (const char *)plain.data, plain.size);
}

static void append_struct(tain_buffer *out, const tain_type *type)
{
    tain_buffer_append_str(out, "STRUCT(");
    for (size_t i = 0; i < type->child_count; i++) {
        if (i) tain_buffer_append_str(out, ", ");
        tain_sql_name(out, type->children[i].physical);
        tain_buffer_append_u8(out, ' ');
        tain_sql_type(out, &type->children[i].type);
    }
    tain_buffer_append_u8(out, ')');
}

static void append_map(tain_buffer *out, const tain_type *type)
{
    tain_buffer_append_str(out, "MAP(");
    tain_sql_type(out, &type->children[0].type);
    tain_buffer_append_str(out, ", ");
    tain_sql_type(out, &type->children[1].type);
    tain_buffer_append_u8(out, ')');
}

static const char *const scalar_names[] = {
    [TAIN_BOOL] = "BOOLEAN",   [TAIN_INT8] = "TINYINT",  [TAIN_INT16] = "SMALLINT",  [TAIN_INT32] = "INTEGER",
    [TAIN_INT64] = "BIGINT",   [TAIN_FLOAT] = "FLOAT",   [TAIN_DOUBLE] = "DOUBLE",   [TAIN_STRING] = "VARCHAR",
    [TAIN_BINARY] = "BLOB",    [TAIN_DATE] = "DATE",     [TAIN_TIMESTAMP] = "TIMESTAMP WITH TIME ZONE",
    [TAIN_TIMESTAMP_NTZ] = "TIMESTAMP",
};

void tain_sql_type(tain_buffer *out, const tain_type *type)
{
    switch (type->kind) {
    case TAIN_DECIMAL: tain_buffer_printf(out, "DECIMAL(%u, %u)", type->precision, type->scale); break;
    case TAIN_STRUCT: append_struct(out, type); break;
    case TAIN_MAP: append_map(out, type); break;
    case TAIN_LIST:
        tain_sql_type(out, &type->children[0].type);
        tain_buffer_append_str(out, "[]");
        break;
    default: tain_buffer_append_str(out, scalar_names[type->kind]);
    }
}
