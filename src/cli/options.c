/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdlib.h>

#include "base/text.h"
#include "cli/cli.h"
#include "lake/definition.h"

/* --- help ---------------------------------------------------------------------------------------------------------- */

static void print_option(const tain_option *o)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s%s", o->kind == TAIN_OPTION_SWITCH ? "[no-]" : "", o->name, o->value_name ? " " : "", o->value_name ? o->value_name : "");
    printf("  %-24s %s\n", left, o->help);
}

static void print_help(const tain_command *c, const tain_option *options)
{
    printf("tain %s: %s\n\nUsage: tain %s %s [options]\n\n", c->name, c->summary, c->name, c->arguments);
    for (const tain_option *o = options; o->name; o++) print_option(o);
    printf("  %-24s %s\n\nExample:\n%s", "--help", "this text", c->example);
}

int tain_cli_usage(const tain_command *c, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "tain %s: ", c->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nUsage: tain %s %s [options]; tain %s --help tells more\n", c->name, c->arguments, c->name);
    return TAIN_EXIT_USAGE;
}

int tain_cli_fail(const tain_error *e)
{
    fprintf(stderr, "tain: %s\n", e->message);
    const char *advice = tain_error_advice(e);
    if (*advice) fprintf(stderr, "  remedy: %s\n", advice);
    return TAIN_EXIT_FAILURE;
}

/* --- values -------------------------------------------------------------------------------------------------------- */

/* Takes the first piece of a comma-separated list: a comma of a name is written \\, and other escapes are left to who reads it. */
static char *take_piece(const char **list)
{
    const char *p = *list;
    tain_buffer out = {0};
    for (; *p && *p != ','; p++) {
        bool escape = *p == '\\' && p[1];
        if (escape && p[1] != ',') tain_buffer_append_u8(&out, (uint8_t)*p);
        p += escape;
        tain_buffer_append_u8(&out, (uint8_t)*p);
    }
    *list = *p ? p + 1 : p;
    return tain_buffer_cstr(&out);
}

static void add_to_list(char ***list, const char *text)
{
    size_t n = 0;
    if (!*list) *list = tain_alloc(sizeof **list); /* one without a word is given, too */
    while ((*list)[n]) n++;
    while (*text) {
        char *one = take_piece(&text);
        if (!*one) {
            free(one);
            continue;
        }
        *list = tain_realloc(*list, (n + 2) * sizeof **list);
        (*list)[n++] = one;
        (*list)[n] = NULL;
    }
}

static void unescape(char *text)
{
    char *to = text;
    for (; *text; text++) {
        if (*text == '\\' && text[1]) text++;
        *to++ = *text;
    }
    *to = 0;
}

static void add_names(char ***list, const char *text)
{
    size_t before = 0;
    while (*list && (*list)[before]) before++;
    add_to_list(list, text);
    for (char **name = *list + before; *name; name++) unescape(*name);
}

static tain_status set_int(int *value, const char *text, tain_error *err)
{
    char *end;
    long v = strtol(text, &end, 10);
    if (*end || !*text || v < 1 || v > 1024) return tain_fail(err, TAIN_E_INVALID, "\"%s\" is not a number from 1 to 1024", text);
    *value = (int)v;
    return TAIN_OK;
}

static tain_status set_choice(const tain_option *o, const char *text, tain_error *err)
{
    size_t length = strlen(text), n;
    for (const char *word = o->value_name;; word += n + 1) {
        n = strcspn(word, "|");
        if (n == length && memcmp(word, text, n) == 0) break;
        if (!word[n]) return tain_fail(err, TAIN_E_INVALID, "\"%s\" is not one of %s", text, o->value_name);
    }
    *(const char **)o->value = text;
    return TAIN_OK;
}

static tain_status set_value(const tain_option *o, const char *text, tain_error *err)
{
    switch (o->kind) {
    case TAIN_OPTION_TEXT: *(const char **)o->value = text; return TAIN_OK;
    case TAIN_OPTION_CHOICE: return set_choice(o, text, err);
    case TAIN_OPTION_LIST: add_to_list(o->value, text); return TAIN_OK;
    case TAIN_OPTION_NAMES: add_names(o->value, text); return TAIN_OK;
    case TAIN_OPTION_DURATION: return tain_parse_duration(text, o->value, err);
    case TAIN_OPTION_SIZE: return tain_parse_size(text, o->value, err);
    case TAIN_OPTION_INT: return set_int(o->value, text, err);
    default: return tain_fail(err, TAIN_E_INVALID, "takes no value");
    }
}

/* --- parsing ------------------------------------------------------------------------------------------------------- */

typedef struct parser {
    const tain_command *command;
    const tain_option  *options;
    int                 argc, at;
    char              **argv;
    char              **arguments;
    int                 count;
} parser;

static const tain_option *find(const parser *p, const char *name, size_t n)
{
    for (const tain_option *o = p->options; o->name; o++)
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0) return o;
    return NULL;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1];
}

/* Whether the word behind this option is its value. */
static bool has_value_behind(const parser *p, const char *word)
{
    const tain_option *o = strncmp(word, "--", 2) == 0 ? find(p, word + 2, strlen(word + 2)) : NULL;
    return o && o->kind != TAIN_OPTION_FLAG && o->kind != TAIN_OPTION_SWITCH && o->kind != TAIN_OPTION_RELOAD;
}

static int arguments_ahead(const parser *p)
{
    int n = 0;
    for (int i = p->at + 1; i < p->argc; i++) {
        if (strcmp(p->argv[i], "--") == 0) return n + p->argc - i - 1;
        n += !is_option(p->argv[i]);
        i += has_value_behind(p, p->argv[i]);
    }
    return n;
}

/* --resync stands alone unless the word behind it can only be its list of tables. */
static int take_reload(parser *p, const tain_option *o, const char *equals)
{
    tain_reload *r = o->value;
    const char *next = p->at + 1 < p->argc ? p->argv[p->at + 1] : NULL;
    bool spare = p->count + arguments_ahead(p) > p->command->most;
    if (!equals && !(next && !is_option(next) && spare)) {
        r->all = true;
        return -1;
    }
    const char *list = equals ? equals : p->argv[++p->at];
    if (!list[strspn(list, ",")]) return tain_cli_usage(p->command, "--%s= names no table", o->name);
    add_names(&r->tables, list);
    return -1;
}

/* --no-NAME of a switch. */
static const tain_option *find_off(const parser *p, const char *word, size_t n)
{
    if (n < 3 || memcmp(word, "no-", 3) != 0) return NULL;
    const tain_option *o = find(p, word + 3, n - 3);
    return o && o->kind == TAIN_OPTION_SWITCH ? o : NULL;
}

static int turn(const parser *p, const tain_option *o, bool on, bool has_value)
{
    if (has_value) return tain_cli_usage(p->command, "--%s takes no value", o->name);
    if (o->kind == TAIN_OPTION_FLAG) *(bool *)o->value = true;
    else *(tain_switch *)o->value = (tain_switch){.on = on, .given = true};
    return -1;
}

static int take_option(parser *p)
{
    const char *word = p->argv[p->at] + 2, *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    const tain_option *o = find(p, word, n), *off = find_off(p, word, n);
    if (off) return turn(p, off, false, equals);
    if (!o) return tain_cli_usage(p->command, "there is no option --%.*s", (int)n, word);
    if (o->kind == TAIN_OPTION_RELOAD) return take_reload(p, o, equals ? equals + 1 : NULL);
    if (o->kind == TAIN_OPTION_FLAG || o->kind == TAIN_OPTION_SWITCH) return turn(p, o, true, equals);
    if (!equals && p->at + 1 >= p->argc) return tain_cli_usage(p->command, "--%s needs %s", o->name, o->value_name);
    tain_error e = {0};
    const char *text = equals ? equals + 1 : p->argv[++p->at];
    if (set_value(o, text, &e) == TAIN_OK) return -1;
    return tain_cli_usage(p->command, "--%s: %s%s%s", o->name, e.message, *e.remedy ? "; " : "", e.remedy);
}

static int check_count(const parser *p)
{
    if (p->count < p->command->least) return tain_cli_usage(p->command, "%s", p->count ? "an argument is missing" : "arguments are missing");
    if (p->count > p->command->most) return tain_cli_usage(p->command, "\"%s\" is one argument too many", p->arguments[p->command->most]);
    return -1;
}

static int take_words(parser *p)
{
    bool only_arguments = false;
    for (p->at = 1; p->at < p->argc; p->at++) {
        char *word = p->argv[p->at];
        if (only_arguments || !is_option(word)) {
            p->arguments[p->count++] = word;
        } else if (strcmp(word, "--") == 0) {
            only_arguments = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            print_help(p->command, p->options);
            return TAIN_EXIT_OK;
        } else {
            int code = word[1] == '-' ? take_option(p) : tain_cli_usage(p->command, "there is no option %s", word);
            if (code >= 0) return code;
        }
    }
    return check_count(p);
}

int tain_cli_parse(const tain_command *c, const tain_option *options, int argc, char **argv, char ***ret, int *ret_count)
{
    parser p = {.command = c, .options = options, .argc = argc, .argv = argv};
    p.arguments = tain_alloc((size_t)(argc + 1) * sizeof *p.arguments);
    int code = take_words(&p);
    if (code >= 0) {
        free(p.arguments);
        return code;
    }
    *ret = p.arguments;
    *ret_count = p.count;
    return code;
}
