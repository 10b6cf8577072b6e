/* SPDX-License-Identifier: MIT */
/* file.h -- inside of tain_parquet_file: what the reader's parts share.
 *
 * Nothing in a file is believed: sizes are compared with what is there before memory is asked for, indexes before they
 * are used. Errors are CORRUPT (contradicts itself) or UNSUPPORTED (we do not read it). */
#ifndef TAIN_PARQUET_FILE_H
#define TAIN_PARQUET_FILE_H

#include "parquet/codec.h"
#include "parquet/format.h"
#include "parquet/thrift.h"

/* A top-level column: flat, or a list of flat elements. */
typedef struct tain_file_column {
    const char   *name;
    const char   *refusal;  /* why it cannot be read; NULL: it can */
    tain_type     type;     /* as the file declares it */
    size_t        leaf;     /* its (first) leaf */
    tain_physical physical;
    int           fixed;    /* bytes of a FIXED value */
    int64_t       factor;   /* microseconds in a unit of a timestamp */
    bool          optional; /* the column itself may be null */
    bool          list, element_optional;
} tain_file_column;

typedef struct tain_file_page {
    int64_t offset, size; /* with header */
    int64_t first_row;    /* in the row group */
} tain_file_page;

typedef struct tain_file_chunk {
    tain_physical   physical;
    int             codec;
    bool            foreign;  /* encrypted, or in another file */
    int64_t         values, start, size; /* all pages, the dictionary's too */
    int64_t         index_offset, index_size; /* OffsetIndex; size 0: none */
    tain_file_page *pages;    /* found on demand; page_count + 1 entries, the last marks the end */
    size_t          page_count;
} tain_file_chunk;

typedef struct tain_file_group {
    int64_t          rows, first_row;
    tain_file_chunk *chunks; /* one a leaf */
} tain_file_group;

/* A decoded page, or a dictionary (page -1), of a column in the type it was asked for. */
typedef struct tain_file_slot {
    size_t      group, leaf;
    int64_t     page;
    uint64_t    used; /* last use; 0: empty */
    tain_column column;
    tain_field  element; /* of a list: column.type.children */
} tain_file_slot;

enum { TAIN_FILE_SLOTS = 64, TAIN_FILE_DICTIONARY = -1 };

struct tain_parquet_file {
    tain_arena        arena; /* everything parsed */
    tain_store       *store; /* NULL: only the footer was parsed */
    char             *key;
    int64_t           size, rows;
    tain_schema      *schema;
    const char       *created_by;
    tain_file_column *columns;
    size_t            column_count, leaf_count;
    tain_file_group  *groups;
    size_t            group_count;

    tain_buffer tail;        /* the last bytes of the file, as read when it was opened */
    int64_t     tail_offset;
    tain_buffer window;      /* bytes of pages, read ahead */
    int64_t     window_offset;
    tain_buffer body;        /* a page, decompressed */
    tain_buffer levels, indices, bits;
    tain_codec_state codec;
    tain_file_slot slots[TAIN_FILE_SLOTS];
    uint64_t       clock;
    size_t         cached;   /* bytes in slots */
    size_t         some_rows, some_bytes; /* what the last read of some rows brought */
};

/* footer_read.c */
tain_status tain_file_parse_footer(tain_parquet_file *f, const void *data, size_t n, tain_error *err);

/* schema_read.c: one SchemaElement, and columns made of all of them */
typedef struct tain_file_element {
    int         physical; /* -1: a group */
    int         fixed, repetition, children, converted, scale, precision, id;
    tain_slice  name;
    int         logical;  /* member of LogicalType, 0: none */
    bool        utc, is_signed;
    int         unit, bits; /* TIMESTAMP: 1 millis, 2 micros, 3 nanos; INTEGER */
} tain_file_element;
tain_status tain_file_read_elements(tain_parquet_file *f, tain_thrift_in *t, const tain_thrift_field *field,
                                    tain_file_element **ret, size_t *ret_count, tain_error *err);
tain_status tain_file_make_columns(tain_parquet_file *f, const tain_file_element *elements, size_t n, tain_error *err);

/* place.c: where bytes and pages are */
tain_status tain_file_bytes(tain_parquet_file *f, int64_t offset, int64_t size, int64_t ahead, tain_slice *ret, tain_error *err);
/* Gives back what a giant needed of the bytes read ahead, once they are unpacked. */
void        tain_file_relax_window(tain_parquet_file *f);
tain_status tain_file_find_pages(tain_parquet_file *f, tain_file_group *g, const tain_file_column *c, tain_error *err);

typedef struct tain_page_header {
    int        type, encoding;
    int64_t    values, uncompressed, compressed;
    bool       v2, packed; /* packed: v2 values are compressed */
    int64_t    rows, repetition_bytes, definition_bytes; /* v2 */
    bool       has_crc;
    uint32_t   crc;
} tain_page_header;
/* Parses the header at the beginning of bytes; *ret_size is its length. */
tain_status tain_file_page_header(tain_slice bytes, tain_page_header *ret, size_t *ret_size, tain_error *err);

/* plain.c: appends n PLAIN values to out, none null, converted to its type; *io_data moves behind them. */
tain_status tain_file_plain(const tain_file_column *c, tain_slice *io_data, size_t n, tain_column *out, tain_error *err);
/* Whether values of the column can be read as `want`. */
bool tain_file_can_read(const tain_file_column *c, const tain_type *want);

/* page_read.c: appends a page to out; a page of the dictionary to a column of elements. The dictionary may be NULL. */
tain_status tain_file_read_page(tain_parquet_file *f, const tain_file_column *c, const tain_file_chunk *k, tain_slice bytes,
                                int64_t rows, const tain_column *dictionary, tain_column *out, tain_error *err);
tain_status tain_file_read_dictionary(tain_parquet_file *f, const tain_file_column *c, const tain_file_chunk *k, tain_slice bytes,
                                      tain_column *out, tain_error *err);
/* Rows that begin in a page of a list column. */
tain_status tain_file_count_rows(tain_parquet_file *f, const tain_file_column *c, const tain_file_chunk *k, tain_slice bytes,
                                 int64_t *ret, tain_error *err);

/* cache.c */
tain_file_slot *tain_file_cached(tain_parquet_file *f, size_t group, size_t leaf, int64_t page, const tain_type *type);
/* A slot to fill (its column empty, of the type); it counts once tain_file_keep is called. */
tain_file_slot *tain_file_free_slot(tain_parquet_file *f, size_t group, size_t leaf, int64_t page, const tain_type *type);
void            tain_file_keep(tain_parquet_file *f, tain_file_slot *s);
void            tain_file_drop_cache(tain_parquet_file *f);

#endif
