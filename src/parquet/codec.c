/* SPDX-License-Identifier: MIT */
#include "parquet/codec.h"

#include <snappy-c.h>
#include <zstd.h>

enum { ZSTD_LEVEL = 3, ZSTD_BLOCK = 128 << 10 /* bytes that the smallest block, of 4, can stand for */ };

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
