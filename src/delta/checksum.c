/* SPDX-License-Identifier: MIT */
/* PROTOCOL.md, "JSON checksum"; RFC 1321. MD5 guards against torn hints here, nothing else. */
#include "delta/internal.h"

#include <ctype.h>
#include <stdlib.h>

/* --- canonical form ---------------------------------------------------------------------------------------------------- */

typedef struct leaves {
    char **text;
    size_t count, capacity;
} leaves;

static void encoded(tain_buffer *out, const char *s, size_t n)
{
    tain_buffer_append_u8(out, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if ((c < 0x80 && isalnum(c)) || (c && strchr("-._~", c))) tain_buffer_append_u8(out, c);
        else tain_buffer_printf(out, "%%%02X", c);
    }
    tain_buffer_append_u8(out, '"');
}

static void leaf_value(tain_buffer *out, const json_t *v)
{
    if (json_is_string(v)) {
        encoded(out, json_string_value(v), json_string_length(v));
        return;
    }
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    tain_buffer_append_str(out, text);
    free(text);
}

static void add_leaf(leaves *l, const tain_buffer *path, const json_t *v)
{
    tain_buffer text = {0};
    tain_buffer_append(&text, path->data, path->size);
    tain_buffer_append_u8(&text, '=');
    leaf_value(&text, v);
    if (l->count == l->capacity) l->text = tain_realloc(l->text, (l->capacity = l->capacity * 2 + 8) * sizeof *l->text);
    l->text[l->count++] = tain_buffer_cstr(&text);
}

static void collect(leaves *l, tain_buffer *path, const json_t *v);

static void collect_member(leaves *l, tain_buffer *path, const char *key, size_t index, const json_t *v)
{
    size_t back = path->size;
    if (back) tain_buffer_append_u8(path, '+');
    if (key) encoded(path, key, strlen(key));
    else tain_buffer_printf(path, "%zu", index);
    collect(l, path, v);
    path->size = back;
}

static void collect(leaves *l, tain_buffer *path, const json_t *v)
{
    const char *key;
    json_t     *item;
    size_t      i;
    if (json_is_object(v)) {
        json_object_foreach((json_t *)v, key, item)
            if (path->size || strcmp(key, "checksum") != 0) collect_member(l, path, key, 0, item);
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, item) collect_member(l, path, NULL, i, item);
    } else {
        add_leaf(l, path, v);
    }
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void tain_canonical_json(const json_t *value, tain_buffer *out)
{
    leaves      l = {0};
    tain_buffer path = {0};
    collect(&l, &path, value);
    tain_buffer_done(&path);
    if (l.count) qsort(l.text, l.count, sizeof *l.text, by_bytes);
    for (size_t i = 0; i < l.count; i++) {
        if (i) tain_buffer_append_u8(out, ',');
        tain_buffer_append_str(out, l.text[i]);
        tain_free(l.text[i]);
    }
    tain_free(l.text);
}

/* --- MD5 ----------------------------------------------------------------------------------------------------------------- */

static const uint32_t sines[64] = { /* floor(2^32 * |sin(i + 1)|) */
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1,
    0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453,
    0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942,
    0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
    0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d,
    0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
static const uint8_t shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static void md5_block(uint32_t h[4], const uint8_t *p)
{
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], w[16];
    for (int i = 0; i < 16; i++, p += 4) w[i] = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    for (unsigned i = 0; i < 64; i++) {
        unsigned round = i / 16, at = (unsigned[]){i, 5 * i + 1, 3 * i + 5, 7 * i}[round] % 16;
        uint32_t f = round == 0 ? (b & c) | (~b & d) : round == 1 ? (d & b) | (~d & c) : round == 2 ? b ^ c ^ d : c ^ (b | ~d);
        uint32_t x = a + f + sines[i] + w[at];
        unsigned s = shifts[round][i % 4];
        a = d, d = c, c = b, b += x << s | x >> (32 - s);
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d;
}

void tain_md5_hex(const void *data, size_t n, char out[static 33])
{
    uint32_t       h[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t        tail[128] = {0};
    const uint8_t *p = data;
    size_t         whole = n / 64 * 64, rest = n - whole, end = rest < 56 ? 64 : 128;
    for (size_t i = 0; i < whole; i += 64) md5_block(h, p + i);
    if (rest) memcpy(tail, p + whole, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++) tail[end - 8 + (size_t)i] = (uint8_t)((uint64_t)n * 8 >> (8 * i));
    for (size_t i = 0; i < end; i += 64) md5_block(h, tail + i);
    for (int i = 0; i < 16; i++) snprintf(out + 2 * i, 3, "%02x", h[i / 4] >> (8 * (i % 4)) & 0xFF);
}
