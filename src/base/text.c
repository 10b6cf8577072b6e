/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char *next_character(const char *s)
{
    s++;
    while (((unsigned char)*s & 0xC0) == 0x80) s++;
    return s;
}

static const char *of_escape(const char *p) { return *p == '\\' && p[1] ? p + 1 : p; }

/* Only the last star needs a way back: what an earlier one matched can always be given to it. */
bool tain_glob_match(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL, *literal;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*pattern == '?') {
            pattern++;
            text = next_character(text);
        } else if (*(literal = of_escape(pattern)) == *text) {
            pattern = literal + 1;
            text++;
        } else if (star) {
            pattern = star;
            text = retry = next_character(retry);
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == 0;
}

char *tain_shell_word(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+=-";
    size_t n = strlen(text);
    if (n && text[n - 1] != '.' && strspn(text, plain) == n) return tain_strdup(text);
    tain_buffer out = {0};
    tain_buffer_append_u8(&out, '\'');
    for (; *text; text++) {
        if (*text == '\'') tain_buffer_append_str(&out, "'\\'");
        tain_buffer_append_u8(&out, (uint8_t)*text);
    }
    tain_buffer_append_u8(&out, '\'');
    return tain_buffer_cstr(&out);
}

/* Length of the well-formed character at p, or minus the length of the ill-formed piece to be replaced as one (the
 * "maximal subpart" of Unicode 15, section 3.9). */
static int character_length(const uint8_t *p, size_t n)
{
    uint8_t lead = p[0], low = 0x80, high = 0xBF;
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return -1;
    int need = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
    for (int i = 1; i < need; i++) {
        if ((size_t)i >= n || p[i] < low || p[i] > high) return -i;
        low = 0x80;
        high = 0xBF;
    }
    return need;
}

static size_t ascii_run(const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (uint64_t word; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, 8);
        if (word & 0x8080808080808080u) break;
    }
    while (i < n && p[i] < 0x80) i++;
    return i;
}

/* Length of the longest valid beginning. */
static size_t valid_run(const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (;;) {
        i += ascii_run(p + i, n - i);
        if (i == n) return n;
        int length = character_length(p + i, n - i);
        if (length < 0) return i;
        i += (size_t)length;
    }
}

bool tain_utf8_valid(const void *data, size_t n)
{
    return valid_run(data, n) == n;
}

void tain_utf8_repair(const void *data, size_t n, tain_buffer *out)
{
    const uint8_t *p = data, *end = p + n;
    while (p < end) {
        size_t run = valid_run(p, (size_t)(end - p));
        tain_buffer_append(out, p, run);
        p += run;
        if (p == end) break;
        tain_buffer_append(out, "\xEF\xBF\xBD", 3);
        p += -character_length(p, (size_t)(end - p));
    }
}

void tain_random(void *out, size_t n)
{
    uint8_t *p = out;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) abort();
        p += got;
        n -= (size_t)got;
    }
}

void tain_uuid_bytes(uint8_t out[static 16])
{
    tain_random(out, 16);
    out[6] = (uint8_t)((out[6] & 0x0F) | 0x40);
    out[8] = (uint8_t)((out[8] & 0x3F) | 0x80);
}

void tain_uuid_format(const uint8_t uuid[static 16], char out[static 37])
{
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
        *out++ = hex[uuid[i] >> 4];
        *out++ = hex[uuid[i] & 15];
    }
    *out = 0;
}

void tain_uuid_text(char out[static 37])
{
    uint8_t uuid[16];
    tain_uuid_bytes(uuid);
    tain_uuid_format(uuid, out);
}

static bool folder_needs_escape(unsigned char c, bool leading)
{
    return c < 0x20 || c == 0x7F || strchr("/\\%$:*?\"<>|", c) || (leading && (c == '.' || c == '_'));
}

char *tain_folder_from_name(const char *name)
{
    tain_buffer out = {0};
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (folder_needs_escape(c, p == name)) tain_buffer_printf(&out, "$%02x", c);
        else tain_buffer_append_u8(&out, c);
    }
    return tain_buffer_cstr(&out);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

char *tain_name_from_folder(const char *folder)
{
    tain_buffer out = {0};
    for (const char *p = folder; *p; p++) {
        int high = *p == '$' ? hex_digit(p[1]) : -1;
        int low = high >= 0 ? hex_digit(p[2]) : -1;
        tain_buffer_append_u8(&out, (uint8_t)(low >= 0 ? high * 16 + low : *p));
        if (low >= 0) p += 2;
    }
    return tain_buffer_cstr(&out);
}
