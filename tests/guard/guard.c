#include "guard.h"
#include "guard_octets.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

/* The code the API would answer for a URL: the parser's, or the guard's; "allowed" for none. */
static const char *code_of(const struct guard *guard, const char *text)
{
    struct url url;
    enum url_error error = url_parse(bytes_of(text), &url);
    if (error)
        return url_error_code(error);
    const char *code = guard_verdict_code(guard_url(guard, &url));
    return code ? code : "allowed";
}

static void all(const struct guard *guard, const char *const *urls, size_t count, const char *expected)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(code_of(guard, urls[i]), expected) != 0)
            fail_msg("%s: %s, not %s", urls[i], code_of(guard, urls[i]), expected);
}

#define ALL(guard, expected, ...)                                                                            \
    all(guard, (const char *const[]){__VA_ARGS__},                                                           \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), expected)

static void allowed_urls(void **state)
{
    struct guard guard;
    guard_init(&guard);
    ALL(&guard, "allowed", "https://example.com/", "https://example.com:443/h?x=1",
        "https://hooks.example.co.uk:8443/a/b%20c", "HTTPS://EXAMPLE.COM/", "https://1.1.1.1/",
        "https://[2606:4700:4700::1111]/", "https://172.15.255.255/", "https://172.32.0.0/",
        "https://100.63.255.255/", "https://100.128.0.0/", "https://169.253.255.255/", "https://169.255.0.0/",
        "https://127.0.0.1.example.com/", "https://example.com/@127.0.0.1", "https://example.com:80/",
        "https://example.com:1024/", "https://example.com:3000/", "https://example.com:5000/",
        "https://example.com:8000/", "https://example.com:8080/", "https://example.com:8443/",
        "https://example.com:9000/", "https://example.com:65535/", "https://localhost.example.com/",
        "https://internal.example.com/", "https://corp.com/", "https://mylocal.net/", "https://testing.dev/",
        "https://192.0.1.0/", "https://192.0.3.0/", "https://198.17.255.255/", "https://198.20.0.0/",
        "https://223.255.255.255/", "https://168.63.129.15/", "https://168.63.129.17/",
        "https://9.255.255.255/", "https://11.0.0.0/", "https://126.255.255.255/", "https://128.0.0.0/",
        "https://1.0.0.0/", "https://[2001:200::1]/", "https://[2001:db7::1]/", "https://[2001:db9::1]/",
        "https://[2003::1]/", "https://[3ffe::1]/", "https://[3fff:1000::1]/", "https://[2620:4f:8001::1]/",
        "https://[2a00:1450:4001:81b::200e]/");
    guard.http_allowed = true;
    ALL(&guard, "allowed", "http://example.com/", "http://1.1.1.1:8080/");
}

static void denied_addresses(void **state)
{
    struct guard guard;
    guard_init(&guard);
    ALL(&guard, "url_address", "http://127.0.0.1/", "http://0.0.0.0/", "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/", "http://[::1]/",
        "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[fe80::1]/",
        "http://[fd00:ec2::254]/", "https://127.0.0.1/", "https://127.255.255.255/", "https://0.255.255.255/",
        "https://10.255.255.255/", "https://100.127.255.255/", "https://168.63.129.16/",
        "https://169.254.0.0/", "https://172.16.0.0/", "https://172.31.255.255/", "https://192.0.0.0/",
        "https://192.0.0.255/", "https://192.0.2.1/", "https://192.31.196.1/", "https://192.52.193.1/",
        "https://192.88.99.1/", "https://192.168.0.1/", "https://192.168.255.255/", "https://192.175.48.1/",
        "https://198.18.0.0/", "https://198.19.255.255/", "https://198.51.100.1/", "https://203.0.113.1/",
        "https://224.0.0.1/", "https://239.255.255.255/", "https://240.0.0.1/", "https://255.255.255.255/",
        "https://[::]/", "https://[::ffff:1.1.1.1]/", "https://[::ffff:0:1.1.1.1]/", "https://[::1.1.1.1]/",
        "https://[::127.0.0.1]/", "https://[64:ff9b:1::1]/", "https://[100::1]/", "https://[100:0:0:1::1]/",
        "https://[2001::1]/", "https://[2001:0:5ef5:79fd::1]/", "https://[2001:2::1]/",
        "https://[2001:1ff:ffff::1]/", "https://[2001:db8::1]/", "https://[2001:db8:ffff::1]/",
        "https://[2002::1]/", "https://[2002:7f00:1::1]/", "https://[2002:ffff::1]/", "https://[3fff::1]/",
        "https://[3fff:fff::1]/", "https://[2620:4f:8000::1]/", "https://[1fff::1]/", "https://[4000::1]/",
        "https://[5f00::1]/", "https://[fc00::1]/", "https://[fdff::1]/", "https://[fe80::5efe:127.0.0.1]/",
        "https://[febf::1]/", "https://[fec0::1]/", "https://[ff02::1]/", "https://[ff0e::1]/",
        "https://[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]/", "https://[0:0:0:0:0:ffff:7f00:1]/",
        "https://[::FFFF:A9FE:A9FE]/", "https://[8000::1]/", "https://[e000::1]/");
}

static void denied_names(void **state)
{
    struct guard guard;
    guard_init(&guard);
    ALL(&guard, "url_host", "http://localhost/", "http://foo.localhost/", "http://LOCALHOST/",
        "http://a.b.LocalHost/", "http://metadata.google.internal/", "http://printer.local/",
        "http://a.localdomain/", "http://a.intranet/", "http://router.lan/", "http://router.home/",
        "http://dc1.corp/", "http://db.default.svc/", "http://x.onion/", "http://1.0.0.127.in-addr.arpa/",
        "http://home.arpa/", "http://x.alt/", "http://x.test/", "http://x.invalid/", "http://x.example/",
        "http://intranet/", "http://metadata/", "http://db/", "http://a/", "http://internal/",
        "https://localhost:8443/", "http://0x7f000001/", "http://2130706433/", "http://127.1/",
        "http://0177.0.0.1/", "http://127.0.0.1./", "http://127%2e0%2e0%2e1/", "http://[::1%25lo]/",
        "http://017700000001/", "http://127.0.1/", "http://0/", "http://127.0.0.0x1/", "http://0x7f.1/",
        "http://localhost./", "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/",
        "http://127\xe3\x80\x82\x30.0.1/");
}

static void denied_ports_and_schemes(void **state)
{
    struct guard guard;
    guard_init(&guard);
    ALL(&guard, "url_port", "https://example.com:0/", "https://example.com:22/", "https://example.com:25/",
        "https://example.com:65536/", "https://example.com:-1/", "https://example.com:08443/",
        "https://example.com:443x/", "https://example.com:5432/", "https://example.com:6379/",
        "https://example.com:1/", "https://example.com:21/", "https://example.com:23/",
        "https://example.com:53/", "https://example.com:79/", "https://example.com:81/",
        "https://example.com:389/", "https://example.com:442/", "https://example.com:444/",
        "https://example.com:445/", "https://example.com:1023/", "https://example.com:1433/",
        "https://example.com:1521/", "https://example.com:2049/", "https://example.com:2375/",
        "https://example.com:2376/", "https://example.com:2379/", "https://example.com:3306/",
        "https://example.com:3389/", "https://example.com:5672/", "https://example.com:5984/",
        "https://example.com:6443/", "https://example.com:8500/", "https://example.com:9042/",
        "https://example.com:9092/", "https://example.com:9200/", "https://example.com:9300/",
        "https://example.com:10250/", "https://example.com:11211/", "https://example.com:15672/",
        "https://example.com:27017/", "https://1.1.1.1:6379/", "https://[2606:4700:4700::1111]:11211/");
    ALL(&guard, "url_scheme", "http://example.com/", "http://1.1.1.1/", "HTTP://example.com:8080/",
        "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "//example.com/", "data:,x",
        "ws://example.com/", "dict://example.com:11211/");
    ALL(&guard, "url_userinfo", "http://user:pw@example.com/", "http://example.com@127.0.0.1/");
    ALL(&guard, "url_syntax", "https://example.com/#f", "https://example.com\\@127.0.0.1/",
        "https://exa mple.com/");
}

/* Every port against the rule in words, on one list that the test writes down itself. */
static void ports_below_1024(void **state)
{
    struct guard guard;
    guard_init(&guard);
    int denied = 0;
    for (int port = 1; port <= 65535; port++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        address.sin_addr.s_addr = htonl(0x01010101);
        enum guard_verdict verdict = guard_address(&guard, (struct sockaddr *)&address);
        if (port < 1024)
            assert_int_equal(verdict, port == 80 || port == 443 ? GUARD_ALLOWED : GUARD_PORT);
        denied += verdict != GUARD_ALLOWED && port >= 1024;
    }
    assert_in_range(denied, 40, 120); /* a list of known services, not a wall */
}

/* Through the front door: the edges of every /24 where the list has small networks, of every /16 elsewhere.
 * (guard_ipv4.c asks about every single address.) */
static void ipv4_networks_when_dialled(void **state)
{
    struct guard guard;
    guard_init(&guard);
    for (uint32_t net = 0; net < 1u << 24; net++) {
        uint32_t first = net >> 16;
        bool small = first == 100 || first == 168 || first == 169 || first == 172 || first == 192 ||
                     first == 198 || first == 203;
        if (!small && (net & 255) > 0 && (net & 255) < 255)
            continue;
        static const uint32_t last_octets[] = {0, 16, 255};
        for (int i = 0; i < 3; i++) {
            uint32_t ip = net << 8 | last_octets[i];
            struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(443)};
            address.sin_addr.s_addr = htonl(ip);
            enum guard_verdict verdict = guard_address(&guard, (struct sockaddr *)&address);
            if (verdict != (special_by_octets(ip) ? GUARD_ADDRESS : GUARD_ALLOWED))
                fail_msg("%08x: %d", ip, verdict);
        }
    }
}

/* IPv6 by the other way round: a table of prefixes as text, longest match wins. */
static void ipv6_generated(void **state)
{
    static const struct {
        const char *network;
        int prefix;
        bool allowed;
    } routes[] = {{"2000::", 3, true},   {"2001::", 23, false}, {"2001:db8::", 32, false},
                  {"2002::", 16, false}, {"3fff::", 20, false}, {"2620:4f:8000::", 48, false},
                  {"::", 0, false}};
    struct guard guard;
    guard_init(&guard);
    uint64_t seed = 5;
    for (int i = 0; i < 500000; i++) {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
        /* Near an edge of one of the networks: its first bits, one of them turned over now and then, random
         * after. */
        inet_pton(AF_INET6, routes[i % 7].network, &address.sin6_addr);
        unsigned char *a = address.sin6_addr.s6_addr;
        int keep = routes[i % 7].prefix;
        for (int bit = 0; bit < 128; bit++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bool flip = bit < keep ? (seed >> 33) % 24 == 0 : seed >> 63;
            a[bit / 8] = (unsigned char)(a[bit / 8] ^ (flip ? 0x80 >> bit % 8 : 0));
        }
        int longest = -1;
        bool allowed = false;
        for (size_t k = 0; k < 7; k++) {
            struct in6_addr network;
            inet_pton(AF_INET6, routes[k].network, &network);
            int same = 0;
            while (same < 128 && !((network.s6_addr[same / 8] ^ a[same / 8]) & (0x80 >> same % 8)))
                same++;
            if (same >= routes[k].prefix && routes[k].prefix > longest) {
                longest = routes[k].prefix;
                allowed = routes[k].allowed;
            }
        }
        enum guard_verdict verdict = guard_address(&guard, (struct sockaddr *)&address);
        if (verdict != (allowed ? GUARD_ALLOWED : GUARD_ADDRESS)) {
            char text[INET6_ADDRSTRLEN];
            fail_msg("%s: %d", inet_ntop(AF_INET6, a, text, sizeof text), verdict);
        }
    }
}

/* A literal in a URL and the same address when dialled are judged alike. */
static void url_and_address_agree(void **state)
{
    struct guard guard;
    guard_init(&guard);
    assert_true(guard_add_exception(&guard, bytes_of("10.0.0.0/8:3000")));
    assert_true(guard_add_exception(&guard, bytes_of("172.16.0.0/12")));
    uint64_t seed = 11;
    static const int ports[] = {443, 3000, 6379, 22};
    for (int i = 0; i < 200000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t ip = (uint32_t)(seed >> 32);
        if (i % 3 == 0)
            ip = (ip & 0x00ffffff) | 0x0a000000;
        if (i % 3 == 1)
            ip = (ip & 0x000fffff) | 0xac100000;
        int port = ports[seed >> 20 & 3];
        char text[64];
        snprintf(text, sizeof text, "https://%u.%u.%u.%u:%d/", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
                 ip & 255, port);
        struct url url;
        assert_int_equal(url_parse(bytes_of(text), &url), URL_OK);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        address.sin_addr.s_addr = htonl(ip);
        assert_int_equal(guard_url(&guard, &url), guard_address(&guard, (struct sockaddr *)&address));
    }
}

static enum guard_verdict dial(const struct guard *guard, const char *ip, int port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, ip, &in.sin_addr) == 1)
        return guard_address(guard, (struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, ip, &in6.sin6_addr), 1);
    return guard_address(guard, (struct sockaddr *)&in6);
}

static void exceptions_open_what_they_name(void **state)
{
    struct guard guard;
    guard_init(&guard);
    assert_true(guard_add_exception(&guard, bytes_of("127.0.0.0/8:3000")));
    assert_int_equal(dial(&guard, "127.0.0.1", 3000), GUARD_ALLOWED);
    assert_int_equal(dial(&guard, "127.0.0.1", 3001), GUARD_ADDRESS);
    assert_int_equal(dial(&guard, "126.0.0.1", 22), GUARD_PORT);
    assert_int_equal(dial(&guard, "::ffff:127.0.0.1", 3000), GUARD_ADDRESS);
    assert_int_equal(dial(&guard, "::1", 3000), GUARD_ADDRESS);
    assert_string_equal(code_of(&guard, "https://localhost:3000/"), "allowed");
    assert_string_equal(code_of(&guard, "https://a.localhost:3000/"), "allowed");
    assert_string_equal(code_of(&guard, "http://localhost:3000/"), "url_scheme");
    assert_string_equal(code_of(&guard, "https://metadata.google.internal/"), "url_host");
    assert_string_equal(code_of(&guard, "https://intranet/"), "url_host");

    assert_true(guard_add_exception(&guard, bytes_of("10.1.0.0/16")));
    assert_int_equal(dial(&guard, "10.1.255.255", 8080), GUARD_ALLOWED);
    assert_int_equal(dial(&guard, "10.2.0.0", 8080), GUARD_ADDRESS);
    assert_int_equal(dial(&guard, "10.1.0.1", 5432),
                     GUARD_PORT); /* without a port the rule for ports stands */
    assert_true(guard_add_exception(&guard, bytes_of("10.1.0.1:5432")));
    assert_int_equal(dial(&guard, "10.1.0.1", 5432), GUARD_ALLOWED);
    assert_int_equal(dial(&guard, "10.1.0.2", 5432), GUARD_PORT);

    assert_true(guard_add_exception(&guard, bytes_of("[fd00::]/8")));
    assert_true(guard_add_exception(&guard, bytes_of("[::1]:25")));
    assert_int_equal(dial(&guard, "fd12::1", 443), GUARD_ALLOWED);
    assert_int_equal(dial(&guard, "fc12::1", 443), GUARD_ADDRESS);
    assert_int_equal(dial(&guard, "::1", 25), GUARD_ALLOWED);
    assert_int_equal(dial(&guard, "::1", 443), GUARD_ADDRESS);
}

static void localhost_needs_a_loopback_exception(void **state)
{
    static const struct {
        const char *exception;
        bool opens;
    } cases[] = {{"127.0.0.1", true},
                 {"127.0.0.0/8", true},
                 {"[::1]", true},
                 {"10.0.0.0/8", false},
                 {"fd00::/8", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct guard guard;
        guard_init(&guard);
        assert_true(guard_add_exception(&guard, bytes_of(cases[i].exception)));
        assert_string_equal(code_of(&guard, "https://localhost/"), cases[i].opens ? "allowed" : "url_host");
    }
}

/* Issue 8.18 */
static void test_8_18_hosts_that_the_operator_lists(void **state)
{
    struct guard guard;
    guard_init(&guard);
    guard.http_allowed = true;
    ALL(&guard, "url_host", "http://n8n:5678/", "http://hook.default.svc.cluster.local/",
        "http://nas.local/");
    assert_true(guard_add_host(&guard, bytes_of("N8N")));
    assert_true(guard_add_host(&guard, bytes_of(".cluster.local")));
    assert_true(guard_add_host(&guard, bytes_of("metadata.google.internal")));
    assert_true(guard_add_host(&guard, bytes_of("my_service")));
    ALL(&guard, "allowed", "http://n8n:5678/", "http://N8n/", "http://hook.default.svc.cluster.local/",
        "http://a.cluster.local:8080/", "http://metadata.google.internal/", "http://example.com/",
        "http://my_service:5678/", "http://proj_web_1.cluster.local/");
    ALL(&guard, "url_host", "http://proj_web_1/", "http://my_service_/", "http://exa_mple.com/",
        "http://n8n2/", "http://xn8n/", "http://a.n8n.local/", "http://cluster.local/",
        "http://acluster.local/", "http://cluster.local.lan/", "http://x.metadata.google.internal/",
        "http://nas.local/", "http://localhost/", "http://2130706433/");
    /* The address that such a name has is judged as always, and so are port and scheme. */
    ALL(&guard, "url_port", "http://n8n:6379/", "http://n8n:22/");
    ALL(&guard, "url_address", "http://10.0.0.1/", "http://172.18.0.2:5678/");
    assert_int_equal(dial(&guard, "172.18.0.2", 5678), GUARD_ADDRESS);
    assert_int_equal(dial(&guard, "169.254.169.254", 80), GUARD_ADDRESS);
    guard.http_allowed = false;
    ALL(&guard, "url_scheme", "http://n8n:5678/");
    ALL(&guard, "allowed", "https://n8n:5678/");

    static const char *const bad[] = {"",           ".",     "..",          "*",     "*.local",  "n8n:5678",
                                      "http://n8n", "n8n/",  "a b",         "n8n.",  ".local.",  "10.0.0.1",
                                      "[::1]",      "0x7f1", "127.1",       "a..b",  "user@n8n", "n8n?",
                                      "..local",    "-a",    "caf\xc3\xa9", "n8n#x", "a_-",      ".10.0.0.1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (guard_add_host(&guard, bytes_of(bad[i])) || guard.host_count != 4)
            fail_msg("accepted: %s", bad[i]);
    while (guard.host_count < GUARD_HOSTS_MAX)
        assert_true(guard_add_host(&guard, bytes_of("a")));
    assert_false(guard_add_host(&guard, bytes_of("a")));
}

/* Issue 8.18 */
static void test_8_18_ports_that_the_operator_opens(void **state)
{
    struct guard guard;
    char out[GUARD_SENTENCE_LEN];
    struct url url;
    guard_init(&guard);
    ALL(&guard, "allowed", "https://example.com:8123/", "https://example.com:5678/",
        "https://example.com:1880/");
    ALL(&guard, "url_port", "https://example.com:6379/", "https://example.com:81/");
    assert_int_equal(url_parse(bytes_of("https://example.com:6379/"), &url), URL_OK);
    assert_non_null(strstr(guard_sentence(GUARD_PORT, &url, out), "port 6379 belongs to Redis; use 443"));
    assert_non_null(strstr(out, "allow-port = 6379"));
    assert_int_equal(url_parse(bytes_of("https://example.com:81/"), &url), URL_OK);
    assert_non_null(strstr(guard_sentence(GUARD_PORT, &url, out), "below 1024, only ports 80 and 443"));
    assert_true(guard_add_port(&guard, bytes_of("6379")));
    assert_true(guard_add_port(&guard, bytes_of("81")));
    ALL(&guard, "allowed", "https://example.com:6379/", "https://example.com:81/", "https://1.1.1.1:81/");
    ALL(&guard, "url_port", "https://example.com:6380/", "https://example.com:82/");
    ALL(&guard, "url_address", "https://10.0.0.1:81/");
    assert_int_equal(dial(&guard, "1.1.1.1", 6379), GUARD_ALLOWED);
    assert_int_equal(dial(&guard, "10.0.0.1", 6379), GUARD_ADDRESS);
    static const char *const bad[] = {"", "0", "65536", "08123", "-1", "80x", "80-90", "*"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (guard_add_port(&guard, bytes_of(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    while (guard.port_count < GUARD_PORTS_MAX)
        assert_true(guard_add_port(&guard, bytes_of("81")));
    assert_false(guard_add_port(&guard, bytes_of("81")));
}

static void exceptions_as_text(void **state)
{
    static const char *const good[] = {
        "10.0.0.0/8",       "127.0.0.1",    "127.0.0.1/32",    "127.0.0.1:80",
        "127.0.0.0/8:3000", "[fd00::]/8",   "fd00::/8",        "fd00::/8:3000",
        "[fd00::]/8:3000",  "[::1]",        "[::1]:3000",      "::1",
        "::1/128",          "::1/128:80",   "fe80::/10",       "fc00::/7",
        "192.168.1.0/24",   "fd00::1:3000", "169.254.169.254", "224.0.0.0/8",
        "127.0.0.1:65535",
    };
    static const char *const bad[] = {
        "",
        "x",
        "localhost",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/",
        "10.0.0.0/08",
        "10.0.0.0/8:",
        "10.0.0.0/8:0",
        "10.0.0.0/8:65536",
        "10.0.0.0/8:080",
        "10.0.0.0/8:x",
        "10.0.0.0/8/8",
        "10.0.0.0/8 ",
        " 10.0.0.0/8",
        "10.0.0/8",
        "10.0.0.1/8",
        "010.0.0.0/8",
        "0x0a.0.0.0/8",
        "10.0.0.0:80/8",
        "10.0.0.0:80:80",
        "0.0.0.0/0",
        "10.0.0.0/7",
        "128.0.0.0/1",
        "::/0",
        "::/1",
        "8000::/1",
        "[::]/0",
        "::/8",
        "::ffff:0:0/96",
        "[::ffff:127.0.0.1]",
        "64:ff9b::/96",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "fd00::1/8",
        "fd00::/129",
        "[fd00::",
        "fd00::]",
        "[fd00::]x",
        "[fd00::]/8x",
        "[fd00::]:",
        "[]",
        "[10.0.0.0]/8",
        "fe80::1%eth0",
        "[::1]:3000:1",
        ":",
        "::1:3000",
        "/8",
        ":80",
        "off",
        "*",
        "all",
        "fd00:/8",
        "127.0.0.1,10.0.0.1",
        "::1/127",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct guard guard;
        guard_init(&guard);
        if (!guard_add_exception(&guard, bytes_of(good[i])) || guard.exception_count != 1)
            fail_msg("refused: %s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct guard guard;
        guard_init(&guard);
        if (guard_add_exception(&guard, bytes_of(bad[i])) || guard.exception_count)
            fail_msg("accepted: %s", bad[i]);
    }
    struct guard guard;
    guard_init(&guard);
    for (int i = 0; i < GUARD_EXCEPTIONS_MAX; i++)
        assert_true(guard_add_exception(&guard, bytes_of("127.0.0.1")));
    assert_false(guard_add_exception(&guard, bytes_of("127.0.0.1")));
}

static void own_addresses(void **state)
{
    struct guard guard;
    guard_init(&guard);
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    inet_pton(AF_INET, "9.9.9.9", &in.sin_addr);
    inet_pton(AF_INET6, "2a00::5", &in6.sin6_addr);
    assert_int_equal(dial(&guard, "9.9.9.9", 443), GUARD_ALLOWED);
    assert_true(guard_add_local(&guard, (struct sockaddr *)&in));
    assert_true(guard_add_local(&guard, (struct sockaddr *)&in6));
    assert_int_equal(dial(&guard, "9.9.9.9", 443), GUARD_ADDRESS);
    assert_int_equal(dial(&guard, "9.9.9.8", 443), GUARD_ALLOWED);
    assert_int_equal(dial(&guard, "2a00::5", 443), GUARD_ADDRESS);
    assert_int_equal(dial(&guard, "2a00::6", 443), GUARD_ALLOWED);
    assert_true(guard_add_exception(&guard, bytes_of("9.9.9.9")));
    assert_int_equal(dial(&guard, "9.9.9.9", 443), GUARD_ALLOWED); /* the operator's list is the last word */
    while (guard.local_count < GUARD_LOCALS_MAX)
        assert_true(guard_add_local(&guard, (struct sockaddr *)&in));
    assert_false(guard_add_local(&guard, (struct sockaddr *)&in));
}

static void other_families_fail_closed(void **state)
{
    struct guard guard;
    guard_init(&guard);
    struct sockaddr_storage address = {0};
    static const sa_family_t families[] = {AF_UNSPEC, AF_UNIX, AF_PACKET, 999};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        address.ss_family = families[i];
        assert_int_equal(guard_address(&guard, (struct sockaddr *)&address), GUARD_ADDRESS);
        assert_false(guard_add_local(&guard, (struct sockaddr *)&address));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allowed_urls),
        cmocka_unit_test(denied_addresses),
        cmocka_unit_test(denied_names),
        cmocka_unit_test(denied_ports_and_schemes),
        cmocka_unit_test(ports_below_1024),
        cmocka_unit_test(ipv4_networks_when_dialled),
        cmocka_unit_test(ipv6_generated),
        cmocka_unit_test(url_and_address_agree),
        cmocka_unit_test(exceptions_open_what_they_name),
        cmocka_unit_test(localhost_needs_a_loopback_exception),
        cmocka_unit_test(test_8_18_hosts_that_the_operator_lists),
        cmocka_unit_test(test_8_18_ports_that_the_operator_opens),
        cmocka_unit_test(exceptions_as_text),
        cmocka_unit_test(own_addresses),
        cmocka_unit_test(other_families_fail_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
