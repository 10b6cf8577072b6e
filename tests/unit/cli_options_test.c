/* SPDX-License-Identifier: MIT */
/* Command lines: what is understood, what is refused, and that --resync never eats an argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/cli.h"

static int run(int argc, char **argv)
{
    return 0;
}

static const tain_command command = {
    .name = "mirror", .arguments = "SOURCE LAKE", .summary = "load, then follow", .example = "  tain mirror a b\n", .least = 2, .most = 2, .run = run,
};

static struct values {
    bool        once;
    const char *name;
    char      **tables, **pause;
    int64_t     freshness, memory;
    int         jobs;
    tain_reload resync;
} v;

static const tain_option options[] = {
    {"once", TAIN_OPTION_FLAG, &v.once, NULL, "catch up, then exit"},
    {"name", TAIN_OPTION_TEXT, &v.name, "NAME", "a name"},
    {"tables", TAIN_OPTION_LIST, &v.tables, "GLOBS", "only these"},
    {"pause", TAIN_OPTION_NAMES, &v.pause, "TABLES", "not these for now"},
    {"freshness", TAIN_OPTION_DURATION, &v.freshness, "TIME", "longest wait"},
    {"memory", TAIN_OPTION_SIZE, &v.memory, "SIZE", "budget"},
    {"jobs", TAIN_OPTION_INT, &v.jobs, "N", "connections"},
    {"resync", TAIN_OPTION_RELOAD, &v.resync, "[TABLES]", "load again"},
    {NULL},
};

static char **arguments;
static int    count;
static char   out[8192], said[8192]; /* standard output and error of the last call */

static void free_list(char **list)
{
    for (char **p = list; p && *p; p++) free(*p);
    free(list);
}

static int forget(void **state)
{
    free_list(v.tables);
    free_list(v.resync.tables);
    free_list(v.pause);
    free(arguments);
    arguments = NULL;
    count = 0;
    v = (struct values){0};
    return 0;
}

static int redirect(int fd, FILE *to)
{
    fflush(NULL);
    int kept = dup(fd);
    assert_true(dup2(fileno(to), fd) >= 0);
    return kept;
}

static void restore(int fd, int kept, FILE *from, char *text, size_t size)
{
    fflush(NULL);
    dup2(kept, fd);
    close(kept);
    rewind(from);
    text[fread(text, 1, size - 1, from)] = 0;
    fclose(from);
}

/* The words as a shell would split them. */
static int parse(const char *words)
{
    static char text[1024];
    char *argv[64] = {"mirror"};
    int argc = 1;
    forget(NULL);
    snprintf(text, sizeof text, "%s", words);
    for (char *rest = text, *one; (one = strsep(&rest, " "));) argv[argc++] = one;
    FILE *o = tmpfile(), *e = tmpfile();
    int kept_out = redirect(1, o), kept_err = redirect(2, e);
    int code = tain_cli_parse(&command, options, argc, argv, &arguments, &count);
    restore(1, kept_out, o, out, sizeof out);
    restore(2, kept_err, e, said, sizeof said);
    return code;
}

static void check_list(char **list, const char *joined)
{
    char text[400] = "";
    for (char **p = list; p && *p; p++) snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", p == list ? "" : "|", *p);
    assert_string_equal(text, joined);
}

static void check_arguments(const char *joined)
{
    char text[400] = "";
    for (int i = 0; i < count; i++) snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "|" : "", arguments[i]);
    assert_string_equal(text, joined);
}

static void refused(const char *words, const char *because)
{
    assert_int_equal(parse(words), TAIN_EXIT_USAGE);
    if (!strstr(said, because)) fail_msg("\"%s\": said \"%s\"", words, said);
    assert_non_null(strstr(said, "tain mirror --help"));
    assert_string_equal(out, "");
}

/* --- tests --------------------------------------------------------------------------------------------------------- */

static void arguments_alone(void **state)
{
    assert_int_equal(parse("a b"), -1);
    check_arguments("a|b");
    assert_false(v.once);
    assert_null(v.tables);
}

static void options_anywhere(void **state)
{
    assert_int_equal(parse("--once a --name x b --jobs=7"), -1);
    check_arguments("a|b");
    assert_true(v.once);
    assert_string_equal(v.name, "x");
    assert_int_equal(v.jobs, 7);
}

static void lists_are_split_and_repeat(void **state)
{
    assert_int_equal(parse("--tables a.b,c.* a --tables=d b --tables ,e,,"), -1);
    check_list(v.tables, "a.b|c.*|d|e");
    check_arguments("a|b");
}

static void names_are_taken_as_they_are(void **state)
{
    assert_int_equal(parse("a b --pause s.a\\,b,s.\\* --pause=c\\\\"), -1);
    check_list(v.pause, "s.a,b|s.*|c\\");
    assert_int_equal(parse("a b --pause="), -1);
    assert_non_null(v.pause); /* given, and empty */
    assert_null(v.pause[0]);
}

static void times_and_sizes(void **state)
{
    assert_int_equal(parse("a b --freshness 2s --memory 64MiB"), -1);
    assert_int_equal(v.freshness, 2 * TAIN_SECOND);
    assert_int_equal(v.memory, 64 << 20);
    assert_int_equal(parse("a b --freshness=250ms --memory=1.5k"), -1);
    assert_int_equal(v.freshness, 250 * TAIN_MILLISECOND);
    assert_int_equal(v.memory, 1536);
}

static void double_dash_ends_options(void **state)
{
    assert_int_equal(parse("--once -- --name -x"), -1);
    check_arguments("--name|-x");
    assert_true(v.once);
    assert_int_equal(parse("- b"), -1); /* a dash alone is a name */
    check_arguments("-|b");
}

static void values_may_look_like_options(void **state)
{
    assert_int_equal(parse("a b --name --once"), -1);
    assert_string_equal(v.name, "--once");
    assert_false(v.once);
    assert_int_equal(parse("a b --name=x=y"), -1);
    assert_string_equal(v.name, "x=y");
    assert_int_equal(parse("a b --name="), -1);
    assert_string_equal(v.name, "");
}

/* --- --resync */

static void resync_alone_means_all(void **state)
{
    static const char *const lines[] = {"--resync a b", "a --resync b", "a b --resync", "--resync --once a b", "a b --resync --once", "--resync a --once b"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(parse(lines[i]), -1);
        assert_true(v.resync.all);
        assert_null(v.resync.tables);
        check_arguments("a|b");
    }
}

static void resync_with_tables(void **state)
{
    static const char *const lines[] = {"--resync s.t,u a b", "a --resync s.t,u b", "a b --resync s.t,u", "a b --resync=s.t,u",
                                        "--resync=s.t,u a b", "--once --resync s.t,u a --jobs 3 b"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(parse(lines[i]), -1);
        assert_false(v.resync.all);
        check_list(v.resync.tables, "s.t|u");
        check_arguments("a|b");
    }
}

/* The values of other options are no arguments. */
static void resync_counts_only_arguments(void **state)
{
    assert_int_equal(parse("--resync a b --jobs 4"), -1);
    assert_true(v.resync.all);
    check_arguments("a|b");
    assert_int_equal(parse("--resync a b --tables x,y --name n --freshness 1s"), -1);
    assert_true(v.resync.all);
    check_arguments("a|b");
    assert_int_equal(parse("--resync a --jobs 4 b"), -1);
    assert_true(v.resync.all);
    check_arguments("a|b");
    assert_int_equal(parse("--resync t a b --jobs 4"), -1);
    check_list(v.resync.tables, "t");
    check_arguments("a|b");
}

static void resync_before_double_dash(void **state)
{
    assert_int_equal(parse("--resync -- a b"), -1);
    assert_true(v.resync.all);
    check_arguments("a|b");
    assert_int_equal(parse("--resync t -- -a -b"), -1);
    check_list(v.resync.tables, "t");
    check_arguments("-a|-b");
}

static void resync_repeats(void **state)
{
    assert_int_equal(parse("a b --resync=t --resync=u,w"), -1);
    check_list(v.resync.tables, "t|u|w");
}

static void resync_of_nothing_is_refused(void **state)
{
    refused("a b --resync=", "--resync");
    refused("a b --resync=,", "--resync");
}

/* --- refusals */

static void wrong_numbers_of_arguments(void **state)
{
    refused("", "missing");
    refused("a", "missing");
    refused("a b c", "\"c\" is one argument too many");
    refused("--once", "missing");
}

static void unknown_options(void **state)
{
    refused("a b --ones", "there is no option --ones");
    refused("a b --onc", "there is no option --onc"); /* no abbreviations */
    refused("a b -x", "there is no option -x");
    refused("a b --=1", "there is no option --");
    refused("a b --jobs4=1", "--jobs4");
}

static void wrong_values(void **state)
{
    refused("a b --jobs", "--jobs needs N");
    refused("a b --tables", "--tables needs GLOBS");
    refused("a b --once=yes", "takes no value");
    refused("a b --jobs 0", "not a number from 1");
    refused("a b --jobs 1025", "not a number from 1");
    refused("a b --jobs 4x", "4x");
    refused("a b --jobs=", "--jobs");
    refused("a b --jobs 99999999999999999999", "--jobs");
    refused("a b --freshness soon", "soon");
    refused("a b --memory much", "much");
}

static void help_has_everything(void **state)
{
    static const char *const lines[] = {"--help", "-h", "a --help", "--once -h b c d"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(parse(lines[i]), TAIN_EXIT_OK);
        assert_string_equal(said, "");
        for (const tain_option *o = options; o->name; o++) {
            assert_non_null(strstr(out, o->name));
            assert_non_null(strstr(out, o->help));
        }
        assert_non_null(strstr(out, "Usage: tain mirror SOURCE LAKE"));
        assert_non_null(strstr(out, "tain mirror a b"));
    }
    for (const char *line = out, *end; (end = strchr(line, '\n')); line = end + 1) assert_in_range(end - line, 0, 80);
}

static void failure_has_message_and_remedy(void **state)
{
    tain_error e = {0};
    FILE *f = tmpfile();
    (void)!tain_fail(&e, TAIN_E_GONE, "table a.b: gone");
    tain_error_remedy(&e, "look there");
    int kept = redirect(2, f), code = tain_cli_fail(&e);
    restore(2, kept, f, said, sizeof said);
    assert_int_equal(code, TAIN_EXIT_FAILURE);
    assert_string_equal(said, "tain: table a.b: gone\n  remedy: look there\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, forget)
    const struct CMUnitTest tests[] = {
        CASE(arguments_alone),
        CASE(options_anywhere),
        CASE(lists_are_split_and_repeat),
        CASE(names_are_taken_as_they_are),
        CASE(times_and_sizes),
        CASE(double_dash_ends_options),
        CASE(values_may_look_like_options),
        CASE(resync_alone_means_all),
        CASE(resync_with_tables),
        CASE(resync_counts_only_arguments),
        CASE(resync_before_double_dash),
        CASE(resync_repeats),
        CASE(resync_of_nothing_is_refused),
        CASE(wrong_numbers_of_arguments),
        CASE(unknown_options),
        CASE(wrong_values),
        CASE(help_has_everything),
        CASE(failure_has_message_and_remedy),
    };
    cmocka_set_test_filter(getenv("CASE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
