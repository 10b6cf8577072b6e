/* SPDX-License-Identifier: MIT */
#include "serve/serve.h"

#include <signal.h>
#include <stdlib.h>

#include "cli/cli.h"

#define AUDIT_LEAST (30 * 86400 * TAIN_SECOND) /* the database holds it for that long */

static void on_signal(int sig)
{
    if (sig == SIGHUP) tain_serve_look();
    else tain_serve_stop();
}

static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

static int run(int argc, char **argv)
{
    const char        *key = NULL;
    char             **listen = NULL, **hosts = NULL, **audiences = NULL, **webhooks = NULL, **args;
    tain_serve_options o = {.say = say};
    const tain_option  options[] = {
        {"home", TAIN_OPTION_TEXT, &o.home, "DIR", "what the service keeps (TAIN_HOME, or ~/.tain)"},
        {"lake", TAIN_OPTION_TEXT, &o.lake, "DIR", "where lakes of new mirrors are made (HOME/lake)"},
        {"listen", TAIN_OPTION_LIST, &listen, "ADDRESSES", "127.0.0.1:8080; https://0.0.0.0:8443"},
        {"hosts", TAIN_OPTION_LIST, &hosts, "NAMES", "what clients call it: in its certificate"},
        {"tls-cert", TAIN_OPTION_TEXT, &o.tls_cert, "FILE", "its certificate; else of an authority of its own"},
        {"tls-key", TAIN_OPTION_TEXT, &o.tls_key, "FILE", "the key of that"},
        {"url", TAIN_OPTION_TEXT, &o.public_url, "URL", "how clients reach it, behind a proxy"},
        {"key-file", TAIN_OPTION_TEXT, &key, "FILE", "what passwords are sealed with (HOME/control.key)"},
        {"oidc-issuer", TAIN_OPTION_TEXT, &o.issuer, "URL", "bearer tokens of this issuer are taken, too"},
        {"oidc-audience", TAIN_OPTION_LIST, &audiences, "NAMES", "for whom they must be (as Fabric's clients ask)"},
        {"oidc-ca", TAIN_OPTION_TEXT, &o.issuer_ca, "FILE", "certificates by which the issuer is known"},
        {"webhook", TAIN_OPTION_LIST, &webhooks, "URLS", "where alarms are told: lag, stalled, failed ..."},
        {"records-retention", TAIN_OPTION_DURATION, &o.keep_records, "TIME", "how long records of executions are kept (30d)"},
        {"audit-retention", TAIN_OPTION_DURATION, &o.keep_audit, "TIME", "how long the audit log is kept (90d)"},
        {"no-monitoring", TAIN_OPTION_FLAG, &o.unmonitored, NULL, "make no table of what was done to each table"},
        {"login", TAIN_OPTION_FLAG, &o.strict, NULL, "ask everybody who it is, also you on this machine"},
        {NULL},
    };
    int n, code = tain_cli_parse(&tain_command_serve, options, argc, argv, &args, &n);
    if (code >= 0) return code;
    free(args);
    TAIN_AUTO(tain_free) char *home = o.home ? tain_strdup(o.home) : tain_cli_home();
    o.home = home;
    if (!o.tls_cert != !o.tls_key) return tain_cli_usage(&tain_command_serve, "--tls-cert and --tls-key go together");
    if (o.keep_audit && o.keep_audit < AUDIT_LEAST) return tain_cli_usage(&tain_command_serve, "--audit-retention is at least 30d");
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    tain_error e = {0};
    o.key_file = key;
    o.listen = (const char *const *)listen;
    o.hosts = (const char *const *)hosts;
    o.webhooks = (const char *const *)webhooks;
    o.audiences = (const char *const *)audiences;
    return tain_serve_run(&o, &e) == TAIN_OK ? TAIN_EXIT_OK : tain_cli_fail(&e);
}

const tain_command tain_command_serve = {
    .name = "serve", .arguments = "[--home DIR]", .summary = "many mirrors: REST, page, metrics", .least = 0, .most = 0, .run = run,
    .example = "  tain serve --home ~/tain\n"
               "  tain serve --home /srv/tain --listen https://0.0.0.0:8443 --hosts tain.lan\n",
};
