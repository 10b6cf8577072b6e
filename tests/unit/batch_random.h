/* SPDX-License-Identifier: MIT */
/* batch_random.h -- random schemas and values for property tests. The seed is printed; TAIN_TEST_SEED sets it. */
#ifndef TAIN_TESTS_BATCH_RANDOM_H
#define TAIN_TESTS_BATCH_RANDOM_H

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "batch/batch.h"

static uint64_t random_state;

static inline uint64_t random_next(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline uint64_t random_below(uint64_t n)
{
    return random_next() % n;
}

static inline void random_begin(const char *what)
{
    const char *told = getenv("TAIN_TEST_SEED");
    random_state = told ? strtoull(told, NULL, 0) : (uint64_t)tain_now() ^ (uint64_t)getpid() << 40;
    printf("%s: TAIN_TEST_SEED=0x%" PRIx64 "\n", what, random_state);
    fflush(stdout);
}

static inline tain_type random_flat_type(void)
{
    tain_kind kind = (tain_kind)random_below(TAIN_TIMESTAMP_NTZ + 1);
    if (kind != TAIN_DECIMAL) return tain_type_of(kind);
    unsigned precision = 1 + (unsigned)random_below(38);
    return tain_type_decimal(precision, (unsigned)random_below(precision + 1));
}

static inline tain_type random_type(tain_schema *s, bool lists)
{
    return lists && random_below(6) == 0 ? tain_type_list(s, random_flat_type()) : random_flat_type();
}

/* How the values of a column are drawn. */
typedef struct random_shape {
    unsigned nulls;    /* per cent */
    uint64_t distinct; /* 0: as many as there are */
    size_t   longest;  /* strings, lists */
} random_shape;

static inline random_shape random_shape_new(void)
{
    static const unsigned nulls[] = {0, 0, 1, 30, 97, 100};
    static const uint64_t distinct[] = {0, 0, 1, 2, 7, 300, 5000};
    static const size_t   longest[] = {1, 8, 40, 40, 300};
    return (random_shape){nulls[random_below(6)], distinct[random_below(7)], longest[random_below(5)]};
}

static inline __int128 random_decimal(unsigned precision)
{
    __int128 most = 1;
    for (unsigned i = 0; i < precision; i++) most *= 10;
    unsigned __int128 v = (unsigned __int128)random_next() << 64 | random_next();
    if (random_below(20) == 0) return random_below(2) ? most - 1 : 1 - most;
    __int128 r = (__int128)(v % (unsigned __int128)most);
    return random_below(2) ? -r : r;
}

static inline double random_double(void)
{
    static const double special[] = {0.0, -0.0, INFINITY, -INFINITY, 1.5, -1e300};
    if (random_below(10) == 0) return special[random_below(6)];
    return random_below(200) == 0 ? (double)NAN : ((double)random_next() - 9e18) / 1e7;
}

static inline void random_string(tain_column *c, size_t longest, bool binary)
{
    static const char *const pieces[] = {"a",    "Z", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf",
                                         "\x7f", " ", "tin",      "glass"};
    char   text[8 * 320];
    size_t n = 0, count = random_below(longest + 1);
    for (size_t i = 0; i < count; i++) {
        if (binary) text[n++] = (char)random_next();
        else n += (size_t)sprintf(text + n, "%s", pieces[random_below(10)]);
    }
    tain_column_append_bytes(c, text, n);
}

static inline void random_value(tain_column *c, const random_shape *s);

static inline void random_present(tain_column *c, const random_shape *s)
{
    switch (c->type.kind) {
    case TAIN_BOOL: tain_column_append_bool(c, random_below(2)); break;
    case TAIN_INT8: tain_column_append_i8(c, (int8_t)random_next()); break;
    case TAIN_INT16: tain_column_append_i16(c, (int16_t)random_next()); break;
    case TAIN_INT32:
    case TAIN_DATE: tain_column_append_i32(c, (int32_t)random_next()); break;
    case TAIN_INT64:
    case TAIN_TIMESTAMP:
    case TAIN_TIMESTAMP_NTZ: tain_column_append_i64(c, (int64_t)random_next()); break;
    case TAIN_FLOAT: tain_column_append_float(c, (float)random_double()); break;
    case TAIN_DOUBLE: tain_column_append_double(c, random_double()); break;
    case TAIN_DECIMAL:
        if (c->type.precision <= 18) tain_column_append_i64(c, (int64_t)random_decimal(c->type.precision));
        else tain_column_append_i128(c, random_decimal(c->type.precision));
        break;
    case TAIN_STRING: random_string(c, s->longest, false); break;
    case TAIN_BINARY: random_string(c, s->longest, true); break;
    case TAIN_LIST:
    case TAIN_MAP: {
        random_shape inner = *s;
        inner.distinct = 0;
        for (size_t i = random_below(s->longest % 8 + 1); i--;) {
            for (size_t k = 0; k < c->type.child_count; k++) {
                if (c->type.kind == TAIN_MAP && k == 0) random_present(&c->children[0], &inner);
                else random_value(&c->children[k], &inner);
            }
        }
        tain_column_end_list(c);
        break;
    }
    case TAIN_STRUCT:
        for (size_t k = 0; k < c->type.child_count; k++) random_value(&c->children[k], s);
        tain_column_end_struct(c);
        break;
    }
}

static inline void random_value(tain_column *c, const random_shape *s)
{
    uint64_t later = 0;
    bool     null = random_below(100) < s->nulls;
    if (s->distinct) { /* the same few values again and again, whatever their type */
        later = random_next();
        random_state = 0x5eed ^ random_below(s->distinct);
    }
    if (null) tain_column_append_null(c);
    else random_present(c, s);
    if (s->distinct) random_state = later;
}

static inline void random_rows(tain_batch *b, const random_shape *shapes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < b->schema->count; c++) random_value(&b->columns[c], &shapes[c]);
        tain_batch_end_row(b);
    }
}

#endif
