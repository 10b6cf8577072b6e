/* SPDX-License-Identifier: MIT */
#include "delta/dv.h"

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

void tain_z85_encode(const uint8_t *data, size_t n, char *out)
{
    for (size_t i = 0; i + 4 <= n; i += 4, out += 5) {
        uint32_t v = (uint32_t)data[i] << 24 | (uint32_t)data[i + 1] << 16 | (uint32_t)data[i + 2] << 8 | data[i + 3];
        for (int k = 4; k >= 0; k--, v /= 85) out[k] = alphabet[v % 85];
    }
}

bool tain_z85_decode(const char *text, size_t n, uint8_t *out)
{
    if (n % 5) return false;
    for (size_t i = 0; i < n; i += 5, out += 4) {
        uint64_t v = 0;
        for (size_t k = 0; k < 5; k++) {
            const char *at = text[i + k] ? strchr(alphabet, text[i + k]) : NULL;
            if (!at) return false;
            v = v * 85 + (uint64_t)(at - alphabet);
        }
        if (v > UINT32_MAX) return false;
        for (int k = 0; k < 4; k++) out[k] = (uint8_t)(v >> (24 - 8 * k));
    }
    return true;
}
