/* posthorn ips: the addresses that a server's deliveries come from, as a receiver's firewall wants them. */
#include "client.h"
#include "command.h"
#include "json.h"
#include "network.h"
#include "show.h"

#include <stdio.h>

enum { ADDRESSES_MAX = 64, ADDRESS_LEN_MAX = 46 };

static const char details[] =
    "Prints the source addresses of a server's deliveries, for a receiver's allow-list. They are the\n"
    "server's setting source-address. Without that setting the addresses may change at any time.";

struct addresses {
    struct {
        char text[ADDRESS_LEN_MAX];
        bool ipv6;
    } list[ADDRESSES_MAX];
    int count;
};

/* One line an address. */
static void each(const struct addresses *addresses, const char *before, const char *after)
{
    for (int i = 0; i < addresses->count; i++)
        printf("%s%s%s\n", before, addresses->list[i].text, after);
}

static void plain(const struct addresses *addresses)
{
    each(addresses, "", "");
}

static void nftables_set(const struct addresses *addresses, bool ipv6)
{
    int count = 0;
    for (int i = 0; i < addresses->count; i++)
        count += addresses->list[i].ipv6 == ipv6;
    printf("    set posthorn_ip%s {\n        type ip%s_addr\n", ipv6 ? "v6" : "v4", ipv6 ? "v6" : "v4");
    const char *comma = "        elements = { ";
    for (int i = 0; i < addresses->count; i++)
        if (addresses->list[i].ipv6 == ipv6) {
            printf("%s%s", comma, addresses->list[i].text);
            comma = ", ";
        }
    puts(count ? " }\n    }" : "    }");
}

/* Two sets; a rule of the receiver's own says which port they open. */
static void nftables(const struct addresses *addresses)
{
    puts("table inet filter {");
    nftables_set(addresses, false);
    nftables_set(addresses, true);
    puts("}\n# in a chain of yours:\n"
         "#   ip saddr @posthorn_ipv4 tcp dport 443 accept\n"
         "#   ip6 saddr @posthorn_ipv6 tcp dport 443 accept");
}

static void nginx(const struct addresses *addresses)
{
    each(addresses, "allow ", ";");
    puts("deny all;");
}

static void caddy(const struct addresses *addresses)
{
    fputs("@not_posthorn not remote_ip", stdout);
    for (int i = 0; i < addresses->count; i++)
        printf(" %s", addresses->list[i].text);
    puts("\nrespond @not_posthorn 403");
}

static void ufw(const struct addresses *addresses)
{
    each(addresses, "ufw allow proto tcp from ", " to any port 443");
}

static const struct {
    const char *name;
    void (*print)(const struct addresses *addresses);
} formats[] = {{"plain", plain}, {"nftables", nftables}, {"nginx", nginx}, {"caddy", caddy}, {"ufw", ufw}};
enum { FORMAT_COUNT = sizeof formats / sizeof *formats };

/* What a server says goes into firewalls: it is an address, or it does not go there. */
static bool read_addresses(struct json_object *meta, struct addresses *addresses)
{
    struct json_object *list = json_get_array(meta, "source_addresses");
    size_t count = list ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        const char *text = json_object_is_type(item, json_type_string) ? json_object_get_string(item) : "";
        struct network network;
        if (i == ADDRESSES_MAX || !network_parse_address(bytes_of(text), &network)) {
            fprintf(stderr, "posthorn ips: the server's answer is not a list of addresses\n");
            return false;
        }
        snprintf(addresses->list[i].text, ADDRESS_LEN_MAX, "%s", text);
        addresses->list[i].ipv6 = network.ipv6;
        addresses->count++;
    }
    if (count == 0)
        fprintf(stderr,
                "posthorn ips: this server has no fixed source addresses (its setting source-address)\n");
    return count > 0;
}

static bool print_as(struct client *client, const char *format)
{
    struct client_answer answer;
    struct addresses addresses = {.count = 0};
    if (!client_expect(client, 200, "GET", "/api/meta", NULL, &answer))
        return false;
    struct json_object *meta = json_get_object(answer.json, "meta");
    if (!read_addresses(meta, &addresses))
        return false;
    if (strcmp(format, "json") == 0) {
        show_json(json_get_array(meta, "source_addresses"));
        return true;
    }
    for (int i = 0; i < FORMAT_COUNT; i++)
        if (strcmp(format, formats[i].name) == 0)
            formats[i].print(&addresses);
    return true;
}

static bool is_format(const char *name)
{
    bool known = strcmp(name, "json") == 0;
    for (int i = 0; i < FORMAT_COUNT; i++)
        known = known || strcmp(name, formats[i].name) == 0;
    return known;
}

int ips_main(int argc, char **argv)
{
    struct client_options server = {0};
    const char *format = "plain";
    bool json = false;
    struct client *client;
    int count;
    const struct option_row rows[] = {
        {"format", OPTION_TEXT, &format, "FORMAT", "plain, nftables, nginx, caddy, ufw or json [plain]"},
        CLIENT_OPTION_ROWS(server),
        {"json", OPTION_FLAG, &json, NULL, "the same as --format json"},
    };
    const struct usage usage = {"ips", "ips [--format FORMAT]", details, rows, sizeof rows / sizeof *rows, 0,
                                0};

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (!is_format(format))
        return options_wrong(&usage, "--format must be plain, nftables, nginx, caddy, ufw or json, not '%s'",
                             format);
    int code = client_open_keyless(&usage, &server, &client);
    if (code != EXIT_DONE)
        return code;
    bool done = print_as(client, json ? "json" : format);
    client_close(client);
    return done ? EXIT_DONE : EXIT_FAILED;
}
