/* SPDX-License-Identifier: MIT */
/* dv.h -- deletion vectors as bytes: Z85, descriptors, and the .bin files that hold them.
 *
 * Written is storage type "u" with an offset only; read are "u", "p" and "i". A vector's row numbers are below 2^32.
 * Specification: Delta PROTOCOL.md, "Deletion Vector Format"; RoaringFormatSpec. Thread: any. */
#ifndef TAIN_DELTA_DV_H
#define TAIN_DELTA_DV_H

#include "delta/delta.h"

enum { TAIN_DV_PACK_BYTES = 2 << 20 }; /* readers fetch a whole .bin for one vector, so it must not grow beyond */

/* n bytes, a multiple of 4 -> n / 4 * 5 characters, without NUL. */
void tain_z85_encode(const uint8_t *data, size_t n, char *out);
/* n characters, a multiple of 5 -> n / 5 * 4 bytes. False: a character or group that Z85 does not have. */
bool tain_z85_decode(const char *text, size_t n, uint8_t *out);

void    tain_dv_done(tain_dv *dv); /* dv is "none" and valid again */
tain_dv tain_dv_copy(const tain_dv *dv);
/* Whether both are the same vector by the protocol's key (storage, path, offset). */
bool        tain_dv_same(const tain_dv *a, const tain_dv *b);
tain_status tain_dv_from_json(const json_t *o, tain_dv *ret, tain_error *err);
void        tain_dv_to_json(const tain_dv *dv, tain_json *j);
/* Key of the .bin of a "u" vector, relative to the table. NULL: not a valid one. Caller frees. */
char *tain_dv_key(const tain_dv *dv);

/* One .bin being filled. */
typedef struct tain_dv_pack {
    uint8_t     uuid[16];
    tain_buffer bytes; /* empty: not begun */
} tain_dv_pack;

void  tain_dv_pack_begin(tain_dv_pack *p); /* fresh name, forgets the bytes */
void  tain_dv_pack_add(tain_dv_pack *p, const roaring_bitmap_t *rows, tain_dv *ret);
char *tain_dv_pack_key(const tain_dv_pack *p); /* caller frees */

/* Magic and bitmap -> rows. CORRUPT unless it is whole, in order and has dv's cardinality. */
tain_status tain_dv_parse(const void *data, size_t n, int64_t cardinality, roaring_bitmap_t **ret, tain_error *err);
/* Reads and checks the vector that dv describes. */
tain_status tain_dv_load(tain_store *folder, const tain_dv *dv, roaring_bitmap_t **ret, tain_error *err);
/* Whether n bytes are one well-formed 32-bit Roaring bitmap in portable form, nothing behind it. */
bool tain_roaring_valid(const uint8_t *p, size_t n);

#endif
