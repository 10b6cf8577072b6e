/* SPDX-License-Identifier: MIT */
#include "control/text.h"

#include <string.h>

#include "base/text.h"

enum { MOST_CHARACTERS = 256 /* as Fabric has it */ };

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static bool has_control_character(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F) return true;
    return false;
}

tain_status tain_control_check_name(const char *what, const char *name, tain_error *err)
{
    if (!name || !*name) return tain_fail(err, TAIN_E_INVALID, "a %s needs a name", what);
    if (!tain_utf8_valid(name, strlen(name)) || has_control_character(name))
        return tain_fail(err, TAIN_E_INVALID, "the name of a %s is UTF-8 without control characters", what);
    if (characters(name) > MOST_CHARACTERS)
        return tain_fail(err, TAIN_E_INVALID, "the name of a %s has at most %d characters", what, MOST_CHARACTERS);
    return TAIN_OK;
}

tain_status tain_control_check_description(const char *text, tain_error *err)
{
    if (!text) return TAIN_OK;
    if (!tain_utf8_valid(text, strlen(text))) return tain_fail(err, TAIN_E_INVALID, "a description is UTF-8");
    if (characters(text) > MOST_CHARACTERS) return tain_fail(err, TAIN_E_INVALID, "a description has at most %d characters", MOST_CHARACTERS);
    return TAIN_OK;
}

/* Only who hides something writes the name of a parameter by hex digits: it would go past all who look for it. */
static bool has_hidden_parameter(const char *url)
{
    const char *p = strstr(url, "://") ? strchrnul(url, '?') : "";
    for (; *p; p += strcspn(p, "&")) {
        p++;
        if (memchr(p, '%', strcspn(p, "=&"))) return true;
    }
    return false;
}

tain_status tain_control_check_address(const char *url, tain_error *err)
{
    if (!url || !*url) return tain_fail(err, TAIN_E_INVALID, "an address is missing");
    if (!tain_utf8_valid(url, strlen(url)) || has_control_character(url)) return tain_fail(err, TAIN_E_INVALID, "an address is UTF-8 without control characters");
    if (has_hidden_parameter(url)) return tain_fail(err, TAIN_E_INVALID, "an address has its parameters by name, without %% and hex digits");
    char       *shown = tain_url_redacted(url);
    tain_status st = TAIN_OK;
    if (strcmp(shown, url) != 0 || strstr(url, ":***@")) {
        st = tain_fail(err, TAIN_E_INVALID, "%s has a password in it", shown);
        tain_error_remedy(err, "leave it out of the address, and give it as the secret of the connection");
    }
    tain_free(shown);
    return st;
}
