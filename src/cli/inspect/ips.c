/* posthorn ips: the addresses that a server's deliveries come from, in the formats of firewalls. */
#include "client.h"
#include "commands.h"
#include "json_c.h"
#include "network.h"
#include "show.h"

enum { ADDRESSES_MAX = 64, ADDRESS_LEN_MAX = 46 };

struct ip_list {
    struct {
        char text[ADDRESS_LEN_MAX];
        bool ipv6;
    } list[ADDRESSES_MAX];
    int count;
};

/* Prints a line for each address. */
static void each(const struct ip_list *addresses, const char *before, const char *after)
{
    for (int i = 0; i < addresses->count; i++)
        printf("%s%s%s\n", before, addresses->list[i].text, after);
}

static void plain(const struct ip_list *addresses)
{
    each(addresses, "", "");
}

static void nftables_set(const struct ip_list *addresses, bool ipv6)
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

/* Two sets; the receiver's own rule has the port. */
static void nftables(const struct ip_list *addresses)
{
    puts("table inet filter {");
    nftables_set(addresses, false);
    nftables_set(addresses, true);
    puts("}\n# in a chain of yours:\n"
         "#   ip saddr @posthorn_ipv4 tcp dport 443 accept\n"
         "#   ip6 saddr @posthorn_ipv6 tcp dport 443 accept");
}

static void nginx(const struct ip_list *addresses)
{
    each(addresses, "allow ", ";");
    puts("deny all;");
}

static void caddy(const struct ip_list *addresses)
{
    fputs("@not_posthorn not remote_ip", stdout);
    for (int i = 0; i < addresses->count; i++)
        printf(" %s", addresses->list[i].text);
    puts("\nrespond @not_posthorn 403");
}

static void ufw(const struct ip_list *addresses)
{
    each(addresses, "ufw allow proto tcp from ", " to any port 443");
}

/* The output goes into firewalls, so it must have only addresses. */
static bool read_addresses(const struct invocation *invocation, struct json_object *list,
                           struct ip_list *addresses)
{
    for (size_t i = 0; i < json_length(list); i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        const char *text = json_object_is_type(item, json_type_string) ? json_object_get_string(item) : "";
        struct network network;
        if (i == ADDRESSES_MAX || !network_parse_address(bytes_of(text), &network)) {
            command_failed(invocation, "the server's answer is not a list of addresses");
            return false;
        }
        snprintf(addresses->list[i].text, ADDRESS_LEN_MAX, "%s", text);
        addresses->list[i].ipv6 = network.ipv6;
        addresses->count++;
    }
    if (addresses->count == 0)
        command_failed(invocation, "this server has no fixed source addresses (its setting source-address)");
    return addresses->count > 0;
}

struct ips {
    struct api_session api;
    const char *format;
};

static int print(const struct invocation *invocation, void *options)
{
    static const struct {
        const char *name;
        void (*print)(const struct ip_list *addresses);
    } formats[] = {
        {"plain", plain}, {"nftables", nftables}, {"nginx", nginx}, {"caddy", caddy}, {"ufw", ufw}};
    const struct ips *ips = options;
    struct client_answer answer;
    struct ip_list addresses = {.count = 0};

    if (!client_expect(ips->api.client, 200, "GET", "/api/meta", NULL, &answer))
        return EXIT_FAILED;
    struct json_object *list = json_at(answer.json, "meta.source_addresses");
    if (!read_addresses(invocation, list, &addresses))
        return EXIT_FAILED;
    if (invocation->json || strcmp(ips->format, "json") == 0)
        show_json(list);
    else
        for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
            if (strcmp(ips->format, formats[i].name) == 0)
                formats[i].print(&addresses);
    return EXIT_DONE;
}

static const struct option_row rows[] = {{"format", OPTION_CHOICE, offsetof(struct ips, format), "plain",
                                          "plain|nftables|nginx|caddy|ufw|json", "form of the list"}};

const struct command ips_command = {
    .name = "ips",
    .summary = "print the addresses that deliveries come from",
    .details =
        "Prints the source addresses of a server's deliveries, for a receiver's allow-list. They are the\n"
        "server's setting source-address. Without that setting the addresses may change at any time.",
    .verbs = {{NULL, "", print}},
    .rows = OPTION_TABLE(rows),
    .options_len = sizeof(struct ips),
    .run = api_run_keyless,
    .shared = &client_rows,
    .json = JSON_OPTION("the same as --format json"),
};
