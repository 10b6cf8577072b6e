/* SPDX-License-Identifier: MIT */
#include "source/postgres/codec.h"

#include "source/postgres/wire.h"

enum { FAMILY_INET = 2, FAMILY_INET6 = 3 };

static void put_ip4(tain_buffer *out, const uint8_t *a)
{
    tain_buffer_printf(out, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
}

typedef struct zeros { int first, count; } zeros;

static zeros longest_zeros(const uint16_t words[static 8])
{
    zeros best = {-1, 0}, run = {-1, 0};
    for (int i = 0; i < 8; i++) {
        run = words[i] ? (zeros){-1, 0} : (zeros){run.count ? run.first : i, run.count + 1};
        if (run.count > best.count) best = run;
    }
    return best.count >= 2 ? best : (zeros){-1, 0};
}

/* The server writes the last four bytes as IPv4 where everything before looks like an embedding. */
static bool embeds_ip4(zeros z, const uint16_t words[static 8])
{
    return z.first == 0 && (z.count == 6 || (z.count == 7 && words[7] != 1) || (z.count == 5 && words[5] == 0xffff));
}

static void put_ip6(tain_buffer *out, const uint8_t *a)
{
    uint16_t words[8];
    for (int i = 0; i < 8; i++) words[i] = tain_pg_load16(a + 2 * i);
    zeros z = longest_zeros(words);
    for (int i = 0; i < 8; i++) {
        if (z.count && i >= z.first && i < z.first + z.count) {
            if (i == z.first) tain_buffer_append_u8(out, ':');
            continue;
        }
        if (i) tain_buffer_append_u8(out, ':');
        if (i == 6 && embeds_ip4(z, words)) {
            put_ip4(out, a + 12);
            return;
        }
        tain_buffer_printf(out, "%x", words[i]);
    }
    if (z.count && z.first + z.count == 8) tain_buffer_append_u8(out, ':');
}

/* family, bits, is it cidr, length of address, address. inet shows a full-length mask only for cidr. */
TAIN_PG_DECODER(tain_pg_inet_binary)
{
    if (n < 4) return TAIN_PG_MALFORMED;
    bool six = p[0] == FAMILY_INET6;
    size_t size = six ? 16 : 4;
    if ((!six && p[0] != FAMILY_INET) || p[3] != size || n != 4 + size || p[1] > 8 * size) return TAIN_PG_MALFORMED;
    if (six) put_ip6(&out->bytes, p + 4);
    else put_ip4(&out->bytes, p + 4);
    if (p[2] || p[1] != 8 * size) tain_buffer_printf(&out->bytes, "/%u", p[1]);
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}

TAIN_PG_DECODER(tain_pg_macaddr_binary)
{
    if (n != 6 && n != 8) return TAIN_PG_MALFORMED;
    for (size_t i = 0; i < n; i++) tain_buffer_printf(&out->bytes, i ? ":%02x" : "%02x", p[i]);
    tain_pg_end_text(out);
    return TAIN_PG_FINE;
}
