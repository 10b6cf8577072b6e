/* SPDX-License-Identifier: MIT */
/* client-env: what a client of Fabric needs in its environment to work with this service instead. */
#include <stdlib.h>
#include <strings.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/report.h"

typedef struct environment {
    const tain_client *client;
    tain_url           url;
    json_t            *variables; /* name -> value, in order */
    json_t            *notes;     /* for people; what begins with a space is code */
} environment;

static void set(environment *e, const char *name, const char *value)
{
    if (value) json_object_set_new(e->variables, name, json_string(value));
}

static void set_below(environment *e, const char *name, const char *path)
{
    TAIN_AUTO(tain_free) char *url = tain_format("%s%s", e->client->url, path);
    set(e, name, url);
}

static void note(environment *e, const char *text)
{
    json_array_append_new(e->notes, json_string(text));
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcasecmp(text + n - m, end) == 0;
}

/* --- what several need --------------------------------------------------------------------------------------------- */

/* The token by the way in which programs in Azure get theirs: it is handed over as the header, and comes back. */
static void identity(environment *e)
{
    set_below(e, "IDENTITY_ENDPOINT", "/msi/token");
    set(e, "IDENTITY_HEADER", e->client->token);
    if (!e->client->token) note(e, "IDENTITY_HEADER is missing: it is a token of the service. Give it in TAIN_TOKEN, or by --token-file.");
}

static void secret(environment *e, const char *name)
{
    set(e, name, e->client->token);
    if (!e->client->token) {
        TAIN_AUTO(tain_free) char *text = tain_format("%s is missing: it is a token of the service. Give it in TAIN_TOKEN, or by --token-file.", name);
        note(e, text);
    }
}

static void secure(environment *e)
{
    if (!e->url.scheme || strcmp(e->url.scheme, "https") != 0)
        note(e, "It sends tokens over https only, on this machine too, and the service was named by http: let the service have a certificate, and name it by https.");
}

static void python_ca(environment *e) { set(e, "REQUESTS_CA_BUNDLE", e->client->ca); }

/* --- the clients --------------------------------------------------------------------------------------------------- */

/* management.A.B or x.management.A.B. */
static bool is_fab_name(const char *host)
{
    const char *m = strncmp(host, "management.", 11) == 0 ? host : strstr(host, ".management.");
    return ends_with(host, "fabric.microsoft.com") || (m && strchr(m + 12, '.'));
}

static void fab(environment *e)
{
    const char *host = e->url.host && is_fab_name(e->url.host) ? e->url.host : "management.tain.test";
    static const char *const endpoints[] = {"FAB_API_ENDPOINT_FABRIC", "FAB_API_ENDPOINT_ONELAKE", "FAB_API_ENDPOINT_POWER_BI"};
    for (size_t i = 0; i < 3; i++) set(e, endpoints[i], host);
    set(e, "FAB_MANAGED_IDENTITY", "true");
    identity(e);
    python_ca(e);
    note(e, "It takes no port and only names such as management.A.B: the service has to be reached at https://NAME on port 443 (a line in /etc/hosts will do "
            "for the name), with a certificate of that name.");
    note(e, "Once, where there is no keyring:");
    note(e, "  fab config set encryption_fallback_enabled true");
}

static void fabric_cicd(environment *e)
{
    bool by_name = e->url.host && ends_with(e->url.host, "api.fabric.microsoft.com");
    set_below(e, "TAIN_SERVICE", "");
    if (by_name) set_below(e, "DEFAULT_API_ROOT_URL", "");
    if (by_name) set_below(e, "FABRIC_API_ROOT_URL", "");
    identity(e);
    python_ca(e);
    if (by_name) return;
    note(e, "From the environment it takes only names that end in api.fabric.microsoft.com; in the script any address, http too:");
    note(e, "  from fabric_cicd import constants");
    note(e, "  constants.DEFAULT_API_ROOT_URL = constants.FABRIC_API_ROOT_URL = os.environ[\"TAIN_SERVICE\"]");
    note(e, "and azure.identity.ManagedIdentityCredential() as token_credential.");
}

static void fabric_api(environment *e)
{
    set_below(e, "TAIN_SERVICE", "");
    identity(e);
    python_ca(e);
    secure(e);
    note(e, "In the script, with the slash behind the address:");
    note(e, "  FabricClient(ManagedIdentityCredential(), base_url=os.environ[\"TAIN_SERVICE\"] + \"/\")");
}

static void azure_sdk(environment *e)
{
    identity(e);
    set_below(e, "AZURE_AUTHORITY_HOST", "");
    set(e, "AZURE_TENANT_ID", "adfs");
    set(e, "AZURE_CLIENT_ID", "tain");
    secret(e, "AZURE_CLIENT_SECRET");
    python_ca(e);
    set(e, "SSL_CERT_FILE", e->client->ca);
    set(e, "NODE_EXTRA_CA_CERTS", e->client->ca);
    secure(e);
    note(e, "ManagedIdentityCredential needs the first two; DefaultAzureCredential and ClientSecretCredential take the tenant adfs, for which they ask nobody else.");
}

static void azcopy(environment *e)
{
    set(e, "AZCOPY_AUTO_LOGIN_TYPE", "SPN");
    set_below(e, "AZCOPY_ACTIVE_DIRECTORY_ENDPOINT", "");
    set(e, "AZCOPY_TENANT_ID", "adfs");
    set(e, "AZCOPY_SPA_APPLICATION_ID", "tain");
    secret(e, "AZCOPY_SPA_CLIENT_SECRET");
    set(e, "SSL_CERT_FILE", e->client->ca);
    secure(e);
    TAIN_AUTO(tain_free) char *text = tain_format("It tells Blob from DFS by .blob. or .dfs. in the name of the host, and trusts it by: --trusted-microsoft-suffixes=%s",
                                                  e->url.host ? e->url.host : "NAME");
    note(e, text);
    note(e, "Landing zones are not built yet: so far there is nothing here for it to copy to.");
}

static void terraform(environment *e)
{
    set_below(e, "FABRIC_ENDPOINT", "");
    set(e, "FABRIC_USE_MSI", "true");
    identity(e);
    set(e, "SSL_CERT_FILE", e->client->ca);
    secure(e);
}

typedef struct kind {
    const char *name, *what;
    void (*fill)(environment *e);
} kind;

static const kind kinds[] = {
    {"fab", "fab (ms-fabric-cli)", fab},
    {"fabric-cicd", "fabric-cicd (Python)", fabric_cicd},
    {"microsoft-fabric-api", "microsoft-fabric-api (Python)", fabric_api},
    {"azure-sdk", "the Azure SDKs", azure_sdk},
    {"azcopy", "azcopy", azcopy},
    {"terraform", "the Terraform provider microsoft/fabric", terraform},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* --- the command --------------------------------------------------------------------------------------------------- */

static void print_shell(const environment *e, const kind *k)
{
    const char *name;
    json_t     *v;
    size_t      i;
    TAIN_AUTO(tain_free) char *head = tain_format("For %s, with the service at %s:", k->what, e->client->url);
    tain_cli_print_wrapped(stdout, "# ", head);
    json_object_foreach(e->variables, name, v)
    {
        char *word = tain_shell_word(json_string_value(v));
        printf("export %s=%s\n", name, word);
        tain_free(word);
    }
    json_array_foreach(e->notes, i, v)
    {
        const char *text = json_string_value(v);
        if (*text == ' ') printf("# %s\n", text); /* code */
        else tain_cli_print_wrapped(stdout, "# ", text);
    }
}

static void print(environment *e, const kind *k, bool json)
{
    if (!json) {
        print_shell(e, k);
        return;
    }
    json_t *o = json_pack("{s:s,s:O,s:O}", "client", k->name, "environment", e->variables, "notes", e->notes);
    tain_report_json(o);
    json_decref(o);
}

static const kind *kind_of(const char *name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}

static tain_status tell(const tain_client *c, const kind *k, bool json, tain_error *err)
{
    environment e = {.client = c};
    TAIN_TRY(tain_url_parse(c->url, &e.url, err));
    e.variables = json_object();
    e.notes = json_array();
    k->fill(&e);
    print(&e, k, json);
    tain_url_done(&e.url);
    json_decref(e.variables);
    json_decref(e.notes);
    return TAIN_OK;
}

static int unknown(const char *name)
{
    tain_buffer out = {0};
    for (size_t i = 0; i < KINDS; i++) tain_buffer_printf(&out, "%s%s", i ? ", " : "", kinds[i].name);
    int code = tain_cli_usage(&tain_command_client_env, "\"%s\" is none of %s", name, tain_buffer_cstr(&out));
    tain_buffer_done(&out);
    return code;
}

static int run(int argc, char **argv)
{
    tain_client_options o = {0};
    const tain_option   options[] = {TAIN_CLIENT_OPTIONS(o), {NULL}};
    tain_client         c;
    tain_error          e = {0};
    char              **args;
    int                 n, code = tain_client_begin(&tain_command_client_env, options, &o, argc, argv, &c, &args, &n);
    if (code >= 0) return code;
    const kind *k = kind_of(args[0]);
    code = k ? -1 : unknown(args[0]);
    tain_status st = k ? tell(&c, k, o.json, &e) : TAIN_OK;
    int         end = tain_client_end(&c, args, st, &e);
    return code < 0 ? end : code;
}

const tain_command tain_command_client_env = {
    .name = "client-env", .arguments = "CLIENT", .summary = "how a client of Fabric is pointed here", .least = 1, .most = 1, .run = run,
    .example = "  tain client-env terraform --service https://tain.example:8443\n"
               "  eval \"$(tain client-env fab --home /srv/tain --token-file token)\"\n"
               "CLIENT: fab, fabric-cicd, microsoft-fabric-api, azure-sdk, azcopy, terraform.\n",
};
