/* SPDX-License-Identifier: MIT */
/* leaf.h -- one leaf column being written: values -> pages of the row group at hand.
 *
 * A leaf is the end of a path through the schema; its levels say for every value how much of the path is there. Rows go
 * in, pages come out: a page that is full is encoded, compressed and appended to `pages` at once. A chunk begins with a
 * dictionary and gives it up for the rest of the chunk when it does not pay; the page at hand is then turned to PLAIN,
 * so that a page has one encoding. Pages begin at row boundaries. */
#ifndef TAIN_PARQUET_LEAF_H
#define TAIN_PARQUET_LEAF_H

#include "parquet/bounds.h"
#include "parquet/codec.h"
#include "parquet/dictionary.h"
#include "parquet/format.h"

/* Shared by the leaves of a writer, which work one after the other. */
typedef struct tain_leaf_shared {
    tain_parquet_options options;
    tain_codec_state     codec;
    tain_buffer          body, packed; /* a page, and the same compressed */
    tain_buffer          dense;        /* values gathered or converted */
    tain_buffer          positions;    /* uint32: rows that hold values */
    tain_buffer          levels;       /* uint32: levels on their way to the encoder */
} tain_leaf_shared;

typedef struct tain_leaf_page {
    uint32_t size; /* with header */
    uint32_t rows;
    int64_t  nulls;
    bool     has_values;
    uint32_t min_at, min_size, max_at, max_size; /* in `index_bytes` */
} tain_leaf_page;

/* Encoded chunk, as the footer wants it. */
typedef struct tain_leaf_chunk {
    int64_t values, nulls, compressed, uncompressed; /* sizes with page headers */
    int32_t dictionary_pages, dictionary_data_pages, plain_data_pages;
} tain_leaf_chunk;

typedef struct tain_leaf {
    /* description */
    size_t            column;   /* top-level */
    const tain_field *field;    /* the leaf itself */
    const char      **path;     /* names from the top, with those of the repeated groups */
    size_t            depth;
    const tain_field **nodes;   /* fields from the top down to the leaf; LIST and MAP have no node of their own repeated group */
    uint16_t         *children; /* which child of nodes[i] leads on */
    bool             *optional; /* whether nodes[i] may be null; a map's key may not */
    size_t            node_count;
    tain_physical     physical;
    int               fixed;    /* bytes of FIXED */
    int               width;    /* of a value as it is staged: 4, 8, 16; 0: bytes; -1: bits */
    int               max_definition, max_repetition;
    tain_leaf_shared *shared;

    /* the page at hand */
    size_t      page_rows, page_levels, page_values;
    tain_buffer valid;      /* flat: bits of the page's rows, empty while there are no nulls */
    tain_buffer definition, repetition; /* nested: a byte a level */
    tain_buffer plain;      /* headroom, then PLAIN values */
    tain_buffer indices;    /* uint32 */
    size_t      raw_bytes;  /* PLAIN size of the values behind indices */
    tain_slice  wide;       /* the page's only value, where it lies in the batch: not copied, the page ends at once */
    tain_bounds page_bounds;

    /* the chunk */
    bool            use_dictionary;
    tain_dictionary dictionary;
    uint32_t        dictionary_kept; /* entries that encoded pages use */
    tain_buffer     pages;
    tain_buffer     page_list;  /* tain_leaf_page */
    tain_buffer     index_bytes;
    bool            ascending, descending; /* the pages' bounds so far */
    tain_bounds     previous;   /* of the page before that had values, without its bytes */
    size_t          previous_page; /* its number; SIZE_MAX: none */
    tain_leaf_chunk chunk;
    tain_bounds     bounds;

    tain_bounds file_bounds;
    int64_t     file_nulls;
} tain_leaf;

/* Begins to work; the description must be there, and shared->options. */
void   tain_leaf_init(tain_leaf *l, tain_leaf_shared *shared);
void   tain_leaf_done(tain_leaf *l);
size_t tain_leaf_memory(const tain_leaf *l);
size_t tain_leaf_encoded(const tain_leaf *l); /* bytes of the chunk so far, the page at hand estimated */
/* Appends rows of the top-level column the leaf belongs to. */
tain_status tain_leaf_append(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n, tain_error *err);
/* Ends the page at hand and the chunk: its bytes are the dictionary page, which replaces io_dictionary (empty: none), and
 * l->pages behind it. */
tain_status tain_leaf_end_chunk(tain_leaf *l, tain_buffer *io_dictionary, tain_error *err);
/* Begins the next chunk. */
void tain_leaf_reset(tain_leaf *l);

/* For leaf.c and its parts only. */

/* Appends n values, none null, at rows[k] or first + k of the leaf's own column. */
void tain_leaf_put_values(tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n);
/* How many of the n values the page still takes; at least 1 if it is empty. */
size_t tain_leaf_room(const tain_leaf *l, const tain_column *c, const uint32_t *rows, size_t first, size_t n);
/* Turns the page at hand to PLAIN, and the chunk from here on. */
void tain_leaf_give_up_dictionary(tain_leaf *l);
/* Shreds nested rows into levels, and positions of values in the leaf's own column, which is returned. */
tain_status tain_leaf_shred(tain_leaf *l, const tain_column *top, const uint32_t *rows, size_t first, size_t n,
                            const tain_column **ret, tain_error *err);
void        tain_leaf_begin_page(tain_leaf *l);
tain_status tain_leaf_end_page(tain_leaf *l, tain_error *err);
/* Width of a PLAIN value as tain_bounds_put wants it. */
int tain_leaf_plain_width(const tain_leaf *l);

enum { TAIN_LEAF_HEADROOM = 16 }; /* in front of PLAIN values, for the definition levels of a page without nulls */
enum { TAIN_LEAF_KEPT = 8 << 20 };  /* bytes of a buffer that are kept when it is empty */

#endif
