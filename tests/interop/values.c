/* SPDX-License-Identifier: MIT */
/* Random values of every kind, mixed with the ones at the edges. */
#include <math.h>

#include "model.h"

enum { DAY_0001 = -719162, DAY_9999 = 2932896 }; /* 0001-01-01, 9999-12-31 */

static uint64_t next(model *m)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    return m->random ^= m->random << 17;
}

static uint64_t below(model *m, uint64_t n)
{
    return next(m) % n;
}

/* An edge now and then, else small or large. */
static int64_t integer(model *m, int64_t min, int64_t max)
{
    switch (below(m, 8)) {
    case 0: return min;
    case 1: return max;
    case 2: return 0;
    case 3: return -1;
    case 4: return (int64_t)((uint64_t)min + next(m) % ((uint64_t)max - (uint64_t)min));
    default: return (int64_t)below(m, 100);
    }
}

static double real(model *m, double max, double tiny)
{
    switch (below(m, 10)) {
    case 0: return max;
    case 1: return -max;
    case 2: return tiny;
    case 3: return -0.0;
    case 4: return 0.1;
    default: return (double)(int64_t)next(m) / 1e6;
    }
}

/* What bounds cannot say: a file that has these is not pruned by them. */
static double any_real(model *m, double max, double tiny)
{
    switch (below(m, 50)) {
    case 0: return NAN;
    case 1: return INFINITY;
    case 2: return -INFINITY;
    default: return real(m, max, tiny);
    }
}

static __int128 decimal(model *m, unsigned precision)
{
    __int128 limit = 1, v = ((__int128)next(m) << 63) ^ (__int128)next(m);
    for (unsigned i = 0; i < precision; i++) limit *= 10;
    switch (below(m, 6)) {
    case 0: return limit - 1;
    case 1: return 1 - limit;
    case 2: return 0;
    case 3: return (__int128)below(m, 10) - 5;
    default: return v % limit;
    }
}

static const char *const texts[] = {
    "", " ", "a", "plain", "it's \"quoted\", \\ and more", "tab\tnewline\nreturn\r", "caf\xc3\xa9", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
    "\xf0\x9f\x98\x80 outside the basic plane", "\xef\xbf\xbd", "\xef\xbf\xbf after the surrogates", "null", "NaN", "2026-01-01",
    "a long text whose first thirty-two characters are those of others, which is where bounds are cut",
    "a long text whose first thirty-two characters are those of others, and yet it is another one",
};

static void text(model *m, tain_column *to)
{
    char line[64];
    if (below(m, 2)) {
        const char *s = texts[below(m, sizeof texts / sizeof *texts)];
        tain_column_append_bytes(to, s, strlen(s));
    } else {
        tain_column_append_bytes(to, line, (size_t)snprintf(line, sizeof line, "value %llu", (unsigned long long)below(m, 5000)));
    }
}

static void bytes(model *m, tain_column *to)
{
    uint8_t data[40];
    size_t  n = below(m, sizeof data);
    for (size_t i = 0; i < n; i++) data[i] = (uint8_t)next(m);
    tain_column_append_bytes(to, data, n);
}

static int64_t instant(model *m)
{
    switch (below(m, 8)) {
    case 0: return DAY_0001 * 86400000000;
    case 1: return (DAY_9999 + 1) * 86400000000 - 1;
    case 2: return -12219292800000000 - (int64_t)below(m, 2000000); /* around the Gregorian reform */
    case 3: return -1;
    case 4: return 0;
    default: return (int64_t)(next(m) % 4102444800000000);
    }
}

static int32_t date(model *m)
{
    const int32_t edges[] = {DAY_0001, DAY_9999, -141428, -141427, -1, 0};
    return below(m, 3) ? (int32_t)below(m, 40000) : edges[below(m, 6)];
}

static void value(model *m, tain_column *to, unsigned null_share);

static void list(model *m, tain_column *to, unsigned null_share)
{
    for (uint64_t n = below(m, 5); n; n--) value(m, &to->children[0], null_share);
    tain_column_end_list(to);
}

static void append_decimal(model *m, tain_column *to)
{
    __int128 v = decimal(m, to->type.precision);
    if (to->type.precision <= 18) tain_column_append_i64(to, (int64_t)v);
    else tain_column_append_i128(to, v);
}

static void value(model *m, tain_column *to, unsigned null_share)
{
    if (null_share && below(m, null_share) == 0) {
        tain_column_append_null(to);
        return;
    }
    switch (to->type.kind) {
    case TAIN_BOOL: tain_column_append_bool(to, below(m, 2)); break;
    case TAIN_INT8: tain_column_append_i8(to, (int8_t)integer(m, INT8_MIN, INT8_MAX)); break;
    case TAIN_INT16: tain_column_append_i16(to, (int16_t)integer(m, INT16_MIN, INT16_MAX)); break;
    case TAIN_INT32: tain_column_append_i32(to, (int32_t)integer(m, INT32_MIN, INT32_MAX)); break;
    case TAIN_INT64: tain_column_append_i64(to, integer(m, INT64_MIN, INT64_MAX)); break;
    case TAIN_FLOAT: tain_column_append_float(to, (float)any_real(m, 3.4028234663852886e38, 1.401298464324817e-45)); break;
    case TAIN_DOUBLE: tain_column_append_double(to, any_real(m, 1.7976931348623157e308, 5e-324)); break;
    case TAIN_DECIMAL: append_decimal(m, to); break;
    case TAIN_STRING: text(m, to); break;
    case TAIN_BINARY: bytes(m, to); break;
    case TAIN_DATE: tain_column_append_i32(to, date(m)); break;
    case TAIN_LIST: list(m, to, null_share); break;
    default: tain_column_append_i64(to, instant(m)); break;
    }
}

void model_fill(model *m, tain_batch *io, size_t rows, unsigned null_share)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t c = 0; c < io->schema->count; c++) {
            const tain_field *f = &io->schema->fields[c];
            if (strcmp(f->name, "id") == 0) tain_column_append_i64(&io->columns[c], m->next_id++);
            else if (strncmp(f->name, "empty", 5) == 0) tain_column_append_null(&io->columns[c]);
            else value(m, &io->columns[c], f->nullable ? null_share : 0);
        }
        tain_batch_end_row(io);
    }
}
