/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli/cli.h"

/* Characters, not bytes: UTF-8 continuation bytes do not count. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void tain_grid_add(tain_grid *g, const char *text, size_t n)
{
    if (g->count == g->capacity) {
        g->capacity = g->capacity ? g->capacity * 2 : 64;
        g->cells = tain_realloc(g->cells, g->capacity * sizeof *g->cells);
    }
    char *cell = tain_strndup(text, n);
    for (char *p = cell; *p; p++)
        if ((unsigned char)*p < 0x20) *p = ' '; /* a cell is one line */
    g->cells[g->count++] = cell;
}

void tain_grid_done(tain_grid *g)
{
    for (size_t i = 0; i < g->count; i++) free(g->cells[i]);
    free(g->cells);
    g->cells = NULL;
    g->count = g->capacity = 0;
}

/* What is in quotes is for copying: it is one word, whatever it holds. 0: the quotes do not end. */
static size_t quoted_length(const char *word)
{
    char quote = 0;
    const char *p = word;
    for (; *p && (quote || !strchr(" \n", *p)); p++) {
        if (quote) quote = *p == quote ? 0 : quote;
        else if (*p == '\\' && p[1]) p++;
        else if (*p == '\'' || *p == '"') quote = *p;
    }
    return quote ? 0 : (size_t)(p - word);
}

static size_t word_length(const char *word)
{
    size_t plain = strcspn(word, " \n"), option = strncmp(word, "--", 2) == 0 ? strcspn(word, "=") + 1 : 0;
    bool quoted = option < plain && (word[option] == '\'' || word[option] == '"');
    size_t n = quoted ? quoted_length(word) : 0;
    return n ? n : plain;
}

void tain_cli_print_wrapped(FILE *out, const char *indent, const char *text)
{
    size_t at = 0;
    fputs(indent, out);
    for (const char *word = text + strspn(text, " \n"); *word; word += strspn(word, " \n")) {
        int n = (int)word_length(word);
        char *one = tain_strndup(word, (size_t)n);
        size_t width = width_of(one);
        if (at && at + 1 + width > TAIN_CLI_WIDTH - strlen(indent)) {
            fprintf(out, "\n%s", indent);
            at = 0;
        }
        fprintf(out, "%s%s", at ? " " : "", one);
        at += (at > 0) + width;
        word += n;
        free(one);
    }
    fputc('\n', out);
}

static void measure(const tain_grid *g, size_t *widths)
{
    for (size_t i = 0; i < g->count; i++) {
        size_t w = width_of(g->cells[i]);
        if (w > widths[i % g->columns]) widths[i % g->columns] = w;
    }
}

/* Takes width from the widest column until the row fits. */
static void fit(size_t *widths, size_t columns, size_t limit)
{
    for (;;) {
        size_t total = 2 * (columns - 1), widest = 0;
        for (size_t c = 0; c < columns; c++) {
            total += widths[c];
            if (widths[c] > widths[widest]) widest = c;
        }
        if (total <= limit || widths[widest] <= 8) return;
        widths[widest]--;
    }
}

static void print_cell(FILE *out, const char *text, size_t width, bool right, bool last)
{
    size_t w = width_of(text), shown = w > width ? width - 1 : w;
    if (right)
        for (size_t i = shown + (w > width); i < width; i++) fputc(' ', out);
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        n += ((unsigned char)*p & 0xc0) != 0x80;
        if (n > shown) break;
        fputc(*p, out);
    }
    if (w > width) fputs("…", out);
    if (last) return;
    if (!right)
        for (size_t i = shown + (w > width); i < width; i++) fputc(' ', out);
    fputs("  ", out);
}

static void print_rule(FILE *out, const size_t *widths, size_t columns)
{
    for (size_t c = 0; c < columns; c++) {
        for (size_t i = 0; i < widths[c]; i++) fputc('-', out);
        fputs(c + 1 < columns ? "  " : "\n", out);
    }
}

void tain_grid_print(const tain_grid *g, FILE *out, size_t width)
{
    if (!g->columns) return;
    size_t *widths = tain_alloc(g->columns * sizeof *widths);
    measure(g, widths);
    if (width) fit(widths, g->columns, width);
    for (size_t i = 0; i < g->count; i++) {
        size_t c = i % g->columns;
        print_cell(out, g->cells[i], widths[c], g->align && g->align[c] == 'r', c + 1 == g->columns);
        if (c + 1 < g->columns) continue;
        fputc('\n', out);
        if (i + 1 == g->columns) print_rule(out, widths, g->columns);
    }
    free(widths);
}
