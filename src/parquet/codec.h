/* SPDX-License-Identifier: MIT */
/* codec.h -- compression of whole pages. A codec holds contexts that are dear to make. Not thread-safe. */
#ifndef TAIN_PARQUET_CODEC_H
#define TAIN_PARQUET_CODEC_H

#include "parquet/parquet.h"

typedef struct tain_codec_state {
    tain_codec codec;
    void      *compressor, *decompressor; /* ZSTD_CCtx, ZSTD_DCtx; made on demand */
} tain_codec_state;

void tain_codec_done(tain_codec_state *c);
/* Replaces out by data compressed. Not for TAIN_CODEC_NONE. */
tain_status tain_codec_compress(tain_codec_state *c, const void *data, size_t n, tain_buffer *out, tain_error *err);
/* Appends the parts, as one run of bytes compressed, to out: the memory it takes is that of what it appends. Any codec. */
tain_status tain_codec_append(tain_codec_state *c, const tain_slice *parts, size_t count, tain_buffer *out, tain_error *err);
/* CORRUPT when data says by itself that it does not hold `size` bytes; to be asked before memory is. */
tain_status tain_codec_check(tain_codec_state *c, const void *data, size_t n, size_t size, tain_error *err);
/* Writes exactly `size` bytes to out. CORRUPT when data does not decompress to them. */
tain_status tain_codec_decompress(tain_codec_state *c, const void *data, size_t n, uint8_t *out, size_t size, tain_error *err);

#endif
