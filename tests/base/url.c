#include "url.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static void good(const char *text, const char *host, int port, const char *authority, const char *target)
{
    struct url url;
    enum url_error error = url_parse(bytes_of(text), &url);
    if (error)
        fail_msg("%s: %s", text, url_error_code(error));
    assert_string_equal(url.host, host);
    assert_int_equal(url.port, port);
    assert_true(bytes_equal_text(url.authority, authority));
    assert_true(bytes_equal_text(url.target, target));
    assert_int_equal(url.https, text[4] == 's' || text[4] == 'S');
}

static void well_formed(void **state)
{
    good("https://example.com/", "example.com", 443, "example.com", "/");
    good("https://example.com", "example.com", 443, "example.com", "/");
    good("https://example.com:443/h?x=1", "example.com", 443, "example.com:443", "/h?x=1");
    good("https://hooks.example.co.uk:8443/a/b%20c", "hooks.example.co.uk", 8443, "hooks.example.co.uk:8443",
         "/a/b%20c");
    good("HTTPS://EXAMPLE.COM/", "example.com", 443, "EXAMPLE.COM", "/");
    good("http://example.com/a%2Fb?x=1&y=", "example.com", 80, "example.com", "/a%2Fb?x=1&y=");
    good("https://1.1.1.1/", "1.1.1.1", 443, "1.1.1.1", "/");
    good("https://[2606:4700:4700::1111]/", "2606:4700:4700::1111", 443, "[2606:4700:4700::1111]", "/");
    good("https://[2606:4700:4700::AB]:8443/x", "2606:4700:4700::ab", 8443, "[2606:4700:4700::AB]:8443",
         "/x");
    good("https://127.0.0.1.example.com/", "127.0.0.1.example.com", 443, "127.0.0.1.example.com", "/");
    good("https://example.com/@127.0.0.1", "example.com", 443, "example.com", "/@127.0.0.1");
    good("https://example.com//evil.com/", "example.com", 443, "example.com", "//evil.com/");
    good("https://example.com/?u=http://10.0.0.1:22/", "example.com", 443, "example.com",
         "/?u=http://10.0.0.1:22/");
    good("https://xn--bcher-kva.example.com/", "xn--bcher-kva.example.com", 443, "xn--bcher-kva.example.com",
         "/");
    good("http://localhost:3000/", "localhost", 3000, "localhost:3000", "/");
    good("https://3com.com/", "3com.com", 443, "3com.com", "/");
    good("https://example.com:65535/", "example.com", 65535, "example.com:65535", "/");
    good("https://example.com:1/", "example.com", 1, "example.com:1", "/");
    good("https://0x.example.com/", "0x.example.com", 443, "0x.example.com", "/");
}

static void kinds_and_addresses(void **state)
{
    struct url url;
    assert_int_equal(url_parse(bytes_of("https://203.0.113.7/"), &url), URL_OK);
    assert_int_equal(url.host_kind, URL_HOST_IPV4);
    assert_int_equal(ntohl(url.address.ipv4.s_addr), 0xcb007107);
    assert_false(url.port_given);
    assert_int_equal(url_parse(bytes_of("https://[::1]:443/"), &url), URL_OK);
    assert_int_equal(url.host_kind, URL_HOST_IPV6);
    assert_memory_equal(&url.address.ipv6, &in6addr_loopback, 16);
    assert_true(url.port_given);
    assert_int_equal(url_parse(bytes_of("https://a.b/"), &url), URL_OK);
    assert_int_equal(url.host_kind, URL_HOST_NAME);
}

static const char *const bad_syntax[] = {
    "",
    " https://example.com/",
    "https://example.com/ ",
    "https://exa mple.com/",
    "https://example.com/a b",
    "https://example.com/\t",
    "https://example.com/\n",
    "https://example.com/\r\nX: y",
    "https://example.com\\@127.0.0.1/",
    "https:\\\\example.com/",
    "https://example.com/\\",
    "https://example.com/#f",
    "https://example.com#@127.0.0.1/",
    "https://example.com/\x7f",
    "https://example.com/\xc3\xb1",
    "https:example.com/",
    "https:/example.com/",
    "https://example.com?x=1",
    "http:",
    "https:",
    "https:/",
    "https://example.com/\x01",
    "https://example.com\x0b/",
};
static const char *const bad_scheme[] = {
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://example.com/",
    "dict://example.com/",
    "ws://example.com/",
    "wss://example.com/",
    "data:text/plain,x",
    "//example.com/",
    "example.com",
    "/path",
    "javascript:alert(1)",
    "httpss://example.com/",
    "ttp://example.com/",
    "://example.com/",
    "ldap://example.com/",
    "jar:https://a.b/",
    "view-source:https://a.b/",
    "http+unix://x/",
    "localhost:3000",
    "https",
    "url:https://example.com/",
    "x",
};
static const char *const bad_userinfo[] = {
    "http://user:pw@example.com/",
    "http://example.com@127.0.0.1/",
    "https://@example.com/",
    "https://user@/",
    "https://:@example.com/",
    "https://a@b@c/",
    "https://example.com:443@10.0.0.1/",
    "https://[::1]@example.com/",
};
static const char *const bad_host[] = {
    "http:///",
    "https:///path",
    "https://:443/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.1./",
    "http://127.0.0.01/",
    "http://127.0.0.256/",
    "http://1.2.3.4.5/",
    "http://0x7f.0.0.1/",
    "http://0X7F.1/",
    "http://127.0.0.0x1/",
    "http://example.0x/",
    "http://0/",
    "http://00/",
    "http://1/",
    "http://example.1/",
    "http://example.123/",
    "http://1.2.3/",
    "http://256.256.256.256/",
    "http://999.1.1.1/",
    "http://127%2e0%2e0%2e1/",
    "http://%31%32%37.0.0.1/",
    "http://exam%70le.com/",
    "http://example.com./",
    "http://example..com/",
    "http://.example.com/",
    "http://./",
    "http://../",
    "http://-example.com/",
    "http://example-.com/",
    "http://example.-com/",
    "http://exam!ple.com/",
    "http://exam*ple.com/",
    "http://example.com,/",
    "http://(example).com/",
    "http://[::1/",
    "http://[::1]x/",
    "http://[::1%25lo]/",
    "http://[::1%lo]/",
    "http://[fe80::1%eth0]/",
    "http://[]/",
    "http://[127.0.0.1]/",
    "http://[::g]/",
    "http://[1:2:3]/",
    "http://[1:2:3:4:5:6:7:8:9]/",
    "http://[::1::]/",
    "http://[v1.fe]/",
    "http://[::ffff:127.0.0.01]/",
    "http://[::ffff:127.1]/",
    "http://::1/",
    "http://]/",
    "http://[/",
    "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", /* full-width digits */
    "http://127\xef\xbc\x8e"
    "0\xef\xbc\x8e"
    "0\xef\xbc\x8e"
    "1/", /* full-width dots */
    "http://127\xe3\x80\x82"
    "0.0.1/",                                                      /* ideographic full stop */
    "http://\xe2\x91\xa0.\xe2\x91\xa0.\xe2\x91\xa0.\xe2\x91\xa0/", /* circled digits */
    "http://b\xc3\xbc"
    "cher.example.com/",
    "http://example\xc2\xad.com/",
    "http://;example.com/",
    "http://exam'ple.com/",
    "http://1.2.3.4.example.com.5/",
    "http://+1.2.3.4/",
    "http://1.2.3.-4/",
    "http://01.02.03.04/",
    "http://$HOME/",
    "http://1..2.3/",
    "http://1.2.3.4..example.com/",
    "http://<host>/",
    "http://{host}.com/",
    "http://host|x.com/",
};
static const char *const bad_port[] = {
    "https://example.com:/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:08443/",
    "https://example.com:443x/",
    "https://example.com:0x1bb/",
    "https://example.com:99999999999/",
    "https://example.com:4 43",
    "https://example.com:443:443/",
    "https://[::1]:/",
    "https://[::1]:0/",
    "https://1.1.1.1:+80/",
    "https://example.com:%34/",
    "https://example.com:00/",
    "https://1.1.1.1:65536/",
    "https://example.com:4294967739/",
};

static void all(const char *const *table, size_t count, enum url_error expected)
{
    for (size_t i = 0; i < count; i++) {
        struct url url;
        enum url_error error = url_parse(bytes_of(table[i]), &url);
        /* A blank is always the syntax' business, whatever else is wrong. */
        enum url_error wanted = strchr(table[i], ' ') ? URL_SYNTAX : expected;
        if (error != wanted)
            fail_msg("%s: %s", table[i], error ? url_error_code(error) : "accepted");
    }
}

#define ALL(table, expected) all(table, sizeof table / sizeof *table, expected)

static void malformed(void **state)
{
    ALL(bad_syntax, URL_SYNTAX);
    ALL(bad_scheme, URL_SCHEME);
    ALL(bad_userinfo, URL_USERINFO);
    ALL(bad_host, URL_HOST);
    ALL(bad_port, URL_PORT);
}

static void embedded_nul(void **state)
{
    static const char text[] = "https://example.com/\0x";
    struct url url;
    assert_int_equal(url_parse(bytes_make(text, sizeof text - 1), &url), URL_SYNTAX);
    static const char host[] = "https://[::1\0]/";
    assert_int_equal(url_parse(bytes_make(host, sizeof host - 1), &url), URL_SYNTAX);
}

/* Every byte in every part of a URL: accepted only where it belongs. */
static void every_byte_everywhere(void **state)
{
    for (int c = 0; c < 256; c++) {
        struct url url;
        char host[] = "https://ex?mple.com/", path[] = "https://example.com/?";
        host[10] = path[20] = (char)c;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.';
        bool cut = c == '/'; /* https://ex/mple.com/: a good URL of the host "ex" */
        assert_int_equal(url_parse(bytes_make(host, 20), &url) == URL_OK, letter || cut);
        bool visible = c > 0x20 && c < 0x7f && c != '\\' && c != '#';
        assert_int_equal(url_parse(bytes_make(path, 21), &url) == URL_OK, visible);
    }
}

static void lengths(void **state)
{
    char text[URL_LEN_MAX + 2];
    struct url url;
    int len = snprintf(text, sizeof text, "https://example.com/");
    memset(text + len, 'a', sizeof text - (size_t)len);
    assert_int_equal(url_parse(bytes_make(text, URL_LEN_MAX), &url), URL_OK);
    assert_int_equal(url_parse(bytes_make(text, URL_LEN_MAX + 1), &url), URL_SYNTAX);

    len = snprintf(text, sizeof text, "https://");
    memset(text + len, 'a', 64);
    memcpy(text + len + 63, ".com/", 5);
    assert_int_equal(url_parse(bytes_make(text, (size_t)len + 68), &url), URL_OK);
    memcpy(text + len + 63, "a.com/", 6);
    assert_int_equal(url_parse(bytes_make(text, (size_t)len + 69), &url), URL_HOST);

    for (int host_len = 252; host_len <= 255; host_len++) {
        for (int i = 0; i < host_len; i++)
            text[len + i] = i % 2 && i < host_len - 1 ? '.' : 'a';
        text[len + host_len - 2] = 'a';
        enum url_error error = url_parse(bytes_make(text, (size_t)(len + host_len)), &url);
        assert_int_equal(error, host_len <= URL_HOST_LEN_MAX ? URL_OK : URL_HOST);
    }
}

/* What is accepted as a dotted quad is exactly what inet_ntop would print. */
static void quads_are_canonical(void **state)
{
    static const char *const parts[] = {"0",   "1",  "9",  "10",  "99",  "127",   "255",       "256",
                                        "300", "00", "01", "001", "010", "0255",  "1e1",       "0x1",
                                        "",    "-1", "+1", " 1",  "1 ",  "65536", "4294967296"};
    size_t count = sizeof parts / sizeof *parts;
    for (size_t i = 0; i < count * count * count * count; i++) {
        char text[64], printed[INET_ADDRSTRLEN];
        snprintf(text, sizeof text, "%s.%s.%s.%s", parts[i % count], parts[i / count % count],
                 parts[i / count / count % count], parts[i / count / count / count]);
        struct in_addr address;
        bool accepted = url_parse_ipv4(bytes_of(text), &address);
        bool canonical = inet_pton(AF_INET, text, &address) == 1 &&
                         strcmp(inet_ntop(AF_INET, &address, printed, sizeof printed), text) == 0;
        if (accepted != canonical)
            fail_msg("%s", text);
    }
}

static void codes_and_sentences(void **state)
{
    assert_null(url_error_code(URL_OK));
    assert_string_equal(url_error_code(URL_SYNTAX), "url_syntax");
    assert_string_equal(url_error_code(URL_SCHEME), "url_scheme");
    assert_string_equal(url_error_code(URL_USERINFO), "url_userinfo");
    assert_string_equal(url_error_code(URL_HOST), "url_host");
    assert_string_equal(url_error_code(URL_PORT), "url_port");
    for (int error = URL_SYNTAX; error <= URL_PORT; error++)
        assert_true(strlen(url_error_sentence((enum url_error)error)) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed),
        cmocka_unit_test(kinds_and_addresses),
        cmocka_unit_test(malformed),
        cmocka_unit_test(embedded_nul),
        cmocka_unit_test(every_byte_everywhere),
        cmocka_unit_test(lengths),
        cmocka_unit_test(quads_are_canonical),
        cmocka_unit_test(codes_and_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
