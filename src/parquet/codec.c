/* SPDX-License-Identifier: MIT */
#include "parquet/codec.h"

#include <snappy-c.h>
#include <zstd.h>

enum { PIECE = 1 << 20, ZSTD_LEVEL = 3, ZSTD_BLOCK = 128 << 10 /* bytes that the smallest block, of 4, can stand for */ };

void tain_codec_done(tain_codec_state *c)
{
    ZSTD_freeCCtx(c->compressor);
    ZSTD_freeDCtx(c->decompressor);
    *c = (tain_codec_state){.codec = c->codec};
}

static tain_status compress_snappy(const void *data, size_t n, tain_buffer *out, tain_error *err)
{
    size_t size = snappy_max_compressed_length(n);
    tain_buffer_clear(out);
    if (snappy_compress(data, n, (char *)tain_buffer_reserve(out, size), &size) != SNAPPY_OK)
        return tain_fail(err, TAIN_E_INTERNAL, "snappy does not compress %zu bytes", n);
    out->size = size;
    return TAIN_OK;
}

static tain_status compress_zstd(tain_codec_state *c, const void *data, size_t n, tain_buffer *out, tain_error *err)
{
    size_t bound = ZSTD_compressBound(n);
    tain_buffer_clear(out);
    if (!c->compressor) c->compressor = ZSTD_createCCtx();
    size_t size = ZSTD_compressCCtx(c->compressor, tain_buffer_reserve(out, bound), bound, data, n, ZSTD_LEVEL);
    if (ZSTD_isError(size)) return tain_fail(err, TAIN_E_INTERNAL, "zstd: %s", ZSTD_getErrorName(size));
    out->size = size;
    return TAIN_OK;
}

tain_status tain_codec_compress(tain_codec_state *c, const void *data, size_t n, tain_buffer *out, tain_error *err)
{
    if (c->codec == TAIN_CODEC_ZSTD) return compress_zstd(c, data, n, out, err);
    return compress_snappy(data, n, out, err);
}

/* --- in pieces ----------------------------------------------------------------------------------------------------- */

/* Snappy's elements refer back within 64 KiB of their own piece only, so pieces can follow each other behind one length. */
static tain_status append_snappy_piece(const uint8_t *data, size_t n, tain_buffer *out, tain_error *err)
{
    size_t   size = snappy_max_compressed_length(n), length = 0;
    uint8_t *to = tain_buffer_reserve(out, size);
    if (snappy_compress((const char *)data, n, (char *)to, &size) != SNAPPY_OK)
        return tain_fail(err, TAIN_E_INTERNAL, "snappy does not compress %zu bytes", n);
    while (to[length++] & 0x80) continue;
    memmove(to, to + length, size - length);
    out->size += size - length;
    return TAIN_OK;
}

static void append_varint(size_t v, tain_buffer *out)
{
    for (; v >= 0x80; v >>= 7) tain_buffer_append_u8(out, (uint8_t)(v | 0x80));
    tain_buffer_append_u8(out, (uint8_t)v);
}

static tain_status append_snappy(const tain_slice *parts, size_t count, size_t total, tain_buffer *out, tain_error *err)
{
    append_varint(total, out);
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0, k; at < parts[i].size; at += k) {
            k = parts[i].size - at < PIECE ? parts[i].size - at : PIECE;
            TAIN_TRY(append_snappy_piece(parts[i].data + at, k, out, err));
        }
    return TAIN_OK;
}

static tain_status append_zstd_part(ZSTD_CCtx *z, tain_slice part, bool last, tain_buffer *out, tain_error *err)
{
    ZSTD_inBuffer in = {.src = part.data, .size = part.size};
    size_t        left;
    do {
        ZSTD_outBuffer to = {.dst = tain_buffer_reserve(out, PIECE), .size = PIECE};
        left = ZSTD_compressStream2(z, &to, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) return tain_fail(err, TAIN_E_INTERNAL, "zstd: %s", ZSTD_getErrorName(left));
        out->size += to.pos;
    } while (last ? left != 0 : in.pos < in.size);
    return TAIN_OK;
}

static tain_status append_zstd(tain_codec_state *c, const tain_slice *parts, size_t count, size_t total, tain_buffer *out,
                               tain_error *err)
{
    if (!c->compressor) c->compressor = ZSTD_createCCtx();
    ZSTD_CCtx_reset(c->compressor, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(c->compressor, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setPledgedSrcSize(c->compressor, total);
    for (size_t i = 0; i < count; i++) TAIN_TRY(append_zstd_part(c->compressor, parts[i], i + 1 == count, out, err));
    return TAIN_OK;
}

tain_status tain_codec_append(tain_codec_state *c, const tain_slice *parts, size_t count, tain_buffer *out, tain_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) total += parts[i].size;
    if (c->codec == TAIN_CODEC_SNAPPY) return append_snappy(parts, count, total, out, err);
    if (c->codec == TAIN_CODEC_ZSTD) return append_zstd(c, parts, count, total, out, err);
    for (size_t i = 0; i < count; i++) tain_buffer_append(out, parts[i].data, parts[i].size);
    return TAIN_OK;
}

/* --- decompression ------------------------------------------------------------------------------------------------- */

static bool plausible(tain_codec codec, const void *data, size_t n, size_t size)
{
    size_t told = 0;
    if (size == 0 && n == 0) return true;
    if (codec == TAIN_CODEC_NONE) return n == size;
    if (codec == TAIN_CODEC_SNAPPY)
        return snappy_uncompressed_length(data, n, &told) == SNAPPY_OK && told == size && size / 64 <= n;
    unsigned long long content = ZSTD_getFrameContentSize(data, n);
    return (content == ZSTD_CONTENTSIZE_UNKNOWN || content == size) && size / ZSTD_BLOCK <= n / 4;
}

tain_status tain_codec_check(tain_codec_state *c, const void *data, size_t n, size_t size, tain_error *err)
{
    if (plausible(c->codec, data, n, size)) return TAIN_OK;
    return tain_fail(err, TAIN_E_CORRUPT, "a page of %zu bytes does not decompress to %zu", n, size);
}

static bool decompress_snappy(const void *data, size_t n, uint8_t *out, size_t size)
{
    size_t told = 0;
    if (snappy_uncompressed_length(data, n, &told) != SNAPPY_OK || told != size) return false;
    return snappy_uncompress(data, n, (char *)out, &told) == SNAPPY_OK && told == size;
}

static bool decompress_zstd(tain_codec_state *c, const void *data, size_t n, uint8_t *out, size_t size)
{
    if (!c->decompressor) c->decompressor = ZSTD_createDCtx();
    return ZSTD_decompressDCtx(c->decompressor, out, size, data, n) == size;
}

tain_status tain_codec_decompress(tain_codec_state *c, const void *data, size_t n, uint8_t *out, size_t size, tain_error *err)
{
    bool ok = false;
    if (size == 0 && n == 0) return TAIN_OK;
    if (c->codec == TAIN_CODEC_NONE) ok = n == size;
    else if (c->codec == TAIN_CODEC_SNAPPY) ok = decompress_snappy(data, n, out, size);
    else ok = decompress_zstd(c, data, n, out, size);
    if (!ok) return tain_fail(err, TAIN_E_CORRUPT, "a page of %zu bytes does not decompress to %zu", n, size);
    if (c->codec == TAIN_CODEC_NONE) memcpy(out, data, n);
    return TAIN_OK;
}
