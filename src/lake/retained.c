/* SPDX-License-Identifier: MIT */
#include "lake/retained.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *tain_retained_level_name(tain_retained_level level)
{
    static const char *const names[] = {"ok", "warn", "pause", "give-up"};
    return names[level];
}

/* --- limits -------------------------------------------------------------------------------------------------------- */

static const char form[] = "write warn=10GiB,pause=50GiB,give-up=200GiB; each part may be left out, 0 means never";

static tain_status refuse(tain_error *err, const char *text, const char *why)
{
    (void)tain_fail(err, TAIN_E_INVALID, "\"%s\" does not limit the retained log: %s", text, why);
    tain_error_remedy(err, "%s", form);
    return TAIN_E_INVALID;
}

static int64_t *limit_named(tain_retained_limits *l, const char *name)
{
    if (strcmp(name, "warn") == 0) return &l->warn;
    if (strcmp(name, "pause") == 0) return &l->pause;
    return strcmp(name, "give-up") == 0 ? &l->give_up : NULL;
}

static tain_status take_part(tain_retained_limits *l, const char *text, char *part, tain_error *err)
{
    char why[160], *size = strchr(part, '=');
    if (size) *size++ = '\0';
    int64_t *limit = limit_named(l, part);
    if (!limit || !size) {
        snprintf(why, sizeof why, "\"%.40s\" is none of its parts", part);
        return refuse(err, text, why);
    }
    if (*limit >= 0) {
        snprintf(why, sizeof why, "%s is given twice", part);
        return refuse(err, text, why);
    }
    if (tain_parse_size(size, limit, NULL) == TAIN_OK && *limit >= 0) return TAIN_OK;
    snprintf(why, sizeof why, "\"%.40s\" is no size", size);
    return refuse(err, text, why);
}

static tain_status take_parts(tain_retained_limits *l, const char *text, tain_error *err)
{
    TAIN_AUTO(tain_free) char *copy = tain_strdup(text);
    char *rest = copy;
    for (char *part; (part = strsep(&rest, ","));)
        if (*part) TAIN_TRY(take_part(l, text, part, err));
    return TAIN_OK;
}

static bool above(int64_t lower, int64_t higher) { return lower > 0 && higher > 0 && lower > higher; }

tain_status tain_retained_parse(const char *text, tain_retained_limits *ret, tain_error *err)
{
    tain_retained_limits l = {-1, -1, -1};
    TAIN_TRY(take_parts(&l, text ? text : "", err));
    bool given = l.warn >= 0;
    if (!given) l.warn = TAIN_RETAINED_WARN_DEFAULT;
    if (l.pause < 0) l.pause = 0;
    if (l.give_up < 0) l.give_up = 0;
    if (above(l.pause, l.give_up)) return refuse(err, text, "pause is above give-up");
    if (given && above(l.warn, l.pause)) return refuse(err, text, "warn is above pause");
    if (given && above(l.warn, l.give_up)) return refuse(err, text, "warn is above give-up");
    int64_t least = l.pause ? l.pause : l.give_up;
    if (above(l.warn, least)) l.warn = least;
    *ret = l;
    return TAIN_OK;
}

/* --- levels -------------------------------------------------------------------------------------------------------- */

static bool reaches(int64_t bytes, int64_t limit, bool already, int64_t until)
{
    return limit > 0 && bytes >= (already ? until : limit);
}

tain_retained_level tain_retained_step(const tain_retained_limits *l, tain_retained_level was, const tain_retained *now)
{
    if (was == TAIN_RETAINED_GIVE_UP || reaches(now->bytes, l->give_up, false, 0)) return TAIN_RETAINED_GIVE_UP;
    if (reaches(now->bytes, l->pause, was >= TAIN_RETAINED_PAUSE, l->pause / 2)) return TAIN_RETAINED_PAUSE;
    bool warns = reaches(now->bytes, l->warn, was >= TAIN_RETAINED_WARN, l->warn / 4 * 3);
    return warns || now->endangered ? TAIN_RETAINED_WARN : TAIN_RETAINED_OK;
}

/* --- words --------------------------------------------------------------------------------------------------------- */

static void describe_end(const tain_retained *now, char out[static 160])
{
    char most[24];
    out[0] = '\0';
    if (now->limit < 0) return;
    tain_human_bytes((uint64_t)now->limit, most);
    snprintf(out, 160, now->endangered ? "; it is past what the source must keep (%s) and may be discarded any time" : "; it keeps at most %s", most);
}

void tain_retained_describe(const tain_retained_limits *l, tain_retained_level level, const tain_retained *now, char out[static 512])
{
    char kept[24], limit[24], end[160];
    int64_t over = level == TAIN_RETAINED_GIVE_UP ? l->give_up : level == TAIN_RETAINED_PAUSE ? l->pause / 2 : l->warn;
    tain_human_bytes((uint64_t)now->bytes, kept);
    tain_human_bytes((uint64_t)over, limit);
    describe_end(now, end);
    out[0] = '\0';
    if (now->lost) snprintf(out, 512, "the source has discarded log that this mirror needs: %s is lost", now->holder);
    else if (level == TAIN_RETAINED_GIVE_UP) snprintf(out, 512, "the source kept %s of its log for this mirror, %s being the limit to give up at", kept, limit);
    else if (level == TAIN_RETAINED_PAUSE) snprintf(out, 512, "no load begins: the source keeps %s of its log for this mirror by %s%s; %s is little enough again", kept, now->holder, end, limit);
    else if (level == TAIN_RETAINED_WARN) snprintf(out, 512, "the source keeps %s of its log for this mirror by %s%s", kept, now->holder, end);
}

const char *tain_retained_remedy(tain_retained_level level, const tain_retained *now)
{
    if (now->lost) return TAIN_SOURCE_GONE_REMEDY;
    if (level == TAIN_RETAINED_OK) return "";
    if (level == TAIN_RETAINED_GIVE_UP) return "find out why the mirror fell behind, then " TAIN_SOURCE_GONE_REMEDY;
    return "see that the lake can be written to, that the mirror keeps up, and that no transaction of the source is open for long";
}
