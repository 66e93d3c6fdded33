#include "instant.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void formats(int64_t wall_ms, const char *expected)
{
    char text[INSTANT_LEN + 1] = {0};
    instant_format(wall_ms, text);
    assert_string_equal(text, expected);
}

static void the_guide_s_own_date(void **state)
{
    formats(946684800000, "2000-01-01T00:00:00.000Z");
    formats(0, "1970-01-01T00:00:00.000Z");
    formats(-1, "1969-12-31T23:59:59.999Z");
    formats(951782400000, "2000-02-29T00:00:00.000Z");
    formats(253402300799999, "9999-12-31T23:59:59.999Z");
    formats(-62167219200000, "0000-01-01T00:00:00.000Z");
}

/* A calendar that knows nothing but how long each month is, turned day by day through ten thousand years. */
static void every_day_of_the_calendar(void **state)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day = -719528, value;
    for (int year = 0; year <= 9999; year++) {
        bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
        for (int month = 1; month <= 12; month++) {
            for (int number = 1; number <= lengths[month - 1] + (leap && month == 2); number++, day++) {
                char expected[INSTANT_LEN] = "0000-00-00T00:00:00.000Z", text[INSTANT_LEN];
                for (int i = 3, rest = year; i >= 0; i--, rest /= 10)
                    expected[i] = (char)('0' + rest % 10);
                expected[5] = (char)('0' + month / 10), expected[6] = (char)('0' + month % 10);
                expected[8] = (char)('0' + number / 10), expected[9] = (char)('0' + number % 10);
                instant_format(day * 86400000, text);
                if (memcmp(text, expected, INSTANT_LEN) != 0 ||
                    !instant_parse(bytes_make(text, INSTANT_LEN), &value) || value != day * 86400000)
                    fail_msg("%.24s: %.24s", expected, text);
            }
        }
    }
    assert_int_equal(day, 2932897);
}

/* Now and then, at a time of day that wanders, libc is asked. */
static void as_libc_says(void **state)
{
    int64_t value;
    for (int64_t t = -62167219200000; t < 253402300799999; t += 86400000LL * 97 + 12347) {
        time_t seconds = (time_t)(t / 1000 - (t % 1000 < 0));
        struct tm tm;
        gmtime_r(&seconds, &tm);
        char expected[80], text[INSTANT_LEN], http[30];
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 (int)(t - (int64_t)seconds * 1000));
        instant_format(t, text);
        if (memcmp(text, expected, INSTANT_LEN) != 0 ||
            !instant_parse(bytes_make(text, INSTANT_LEN), &value) || value != t)
            fail_msg("%s: %.24s", expected, text);
        instant_format_http(t, http);
        strftime(expected, sizeof expected, "%a, %d %b", &tm);
        snprintf(expected + 11, sizeof expected - 11, " %04d %02d:%02d:%02d GMT", tm.tm_year + 1900,
                 tm.tm_hour, tm.tm_min, tm.tm_sec);
        if (strcmp(http, expected) != 0 || !instant_parse_http(bytes_of(http), &value) ||
            value != (int64_t)seconds * 1000)
            fail_msg("%s: %s", expected, http);
    }
}

static void understood(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } table[] = {
        {"2000-01-01T00:00:00Z", 946684800000},      {"2000-01-01t00:00:00z", 946684800000},
        {"2000-01-01T00:00:00.5Z", 946684800500},    {"2000-01-01T00:00:00.123999999Z", 946684800123},
        {"2000-01-01T02:00:00+02:00", 946684800000}, {"1999-12-31T18:30:00.000-05:30", 946684800000},
        {"2000-01-01T00:00:00-00:00", 946684800000}, {"2004-02-29T23:59:59Z", 1078099199000},
        {"1600-02-29T00:00:00Z", -11670998400000},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t value = 0;
        if (!instant_parse(bytes_of(table[i].text), &value) || value != table[i].value)
            fail_msg("%s: %lld", table[i].text, (long long)value);
    }
}

/* Issue 8.20: RFC 3339 section 5.7. */
static void test_8_20_leap_seconds(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } table[] = {
        {"2016-12-31T23:59:60Z", 1483228800000},      {"2016-12-31T23:59:60.250Z", 1483228800250},
        {"1990-12-31T15:59:60-08:00", 662688000000},  {"2012-07-01T01:59:60+02:00", 1341100800000},
        {"2017-01-01T05:29:60+05:30", 1483228800000}, {"1969-12-31T23:59:60Z", 0},
        {"2016-02-29T23:59:60Z", 1456790400000},
    };
    static const char *const none[] = {
        "2016-12-31T23:59:61Z", "2016-12-30T23:59:60Z", "2016-12-31T22:59:60Z",
        "2016-12-31T23:58:60Z", "2016-12-31T00:00:60Z", "2016-12-31T23:59:60+01:00",
        "9999-12-31T23:59:60Z", "2016-12-31T23:60:59Z", "2016-12-31T23:59:60",
    };
    int64_t value;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!instant_parse(bytes_of(table[i].text), &value) || value != table[i].value)
            fail_msg("%s", table[i].text);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (instant_parse(bytes_of(none[i]), &value))
            fail_msg("accepted: %s", none[i]);
}

static void refused(void **state)
{
    static const char *const table[] = {
        "",
        "2000-01-01",
        "2000-01-01T00:00:00",
        "2000-01-01T00:00:00.000",
        "2000-01-01 00:00:00Z",
        "2001-02-29T00:00:00Z",
        "2000-02-30T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2000-04-31T00:00:00Z",
        "2000-00-01T00:00:00Z",
        "2000-13-01T00:00:00Z",
        "2000-01-00T00:00:00Z",
        "2000-01-32T00:00:00Z",
        "2000-01-01T24:00:00Z",
        "2000-01-01T00:60:00Z",
        "2000-01-01T00:00:60Z",
        "2000-01-01T00:00:00.Z",
        "2000-01-01T00:00:00.1234567890Z",
        "2000-01-01T00:00:00+24:00",
        "2000-01-01T00:00:00+00:60",
        "2000-01-01T00:00:00+0000",
        "2000-01-01T00:00:00+00",
        "2000-01-01T00:00:00ZZ",
        " 2000-01-01T00:00:00Z",
        "2000-01-01T00:00:00Z ",
        "+2000-01-01T00:00:00Z",
        "200-01-01T00:00:00Z",
        "20000-01-01T00:00:00Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2000-1-1T00:00:00Z",
        "2000-01-01T00:00:00,5Z",
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t value;
        if (instant_parse(bytes_of(table[i]), &value))
            fail_msg("understood: %s", table[i]);
    }
}

static void http_dates(void **state)
{
    static const char *const good[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    static const char *const bad[] = {
        "",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "1994-11-06T08:49:37Z",
        "120",
    };
    int64_t value;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        value = 0;
        if (!instant_parse_http(bytes_of(good[i]), &value) || value != 784111777000)
            fail_msg("%s: %lld", good[i], (long long)value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (instant_parse_http(bytes_of(bad[i]), &value))
            fail_msg("understood: %s", bad[i]);
    /* A leap second is the first second of the next minute; a year of two digits is 1969 to 2068. */
    assert_true(instant_parse_http(bytes_of("Sat, 31 Dec 2016 23:59:60 GMT"), &value) &&
                value == 1483228800000);
    assert_true(instant_parse_http(bytes_of("Tuesday, 01-Jan-69 00:00:00 GMT"), &value) &&
                value == -31536000000);
    assert_true(instant_parse_http(bytes_of("Sunday, 01-Jan-68 00:00:00 GMT"), &value) &&
                value == 3092601600000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guide_s_own_date),
        cmocka_unit_test(every_day_of_the_calendar),
        cmocka_unit_test(as_libc_says),
        cmocka_unit_test(understood),
        cmocka_unit_test(test_8_20_leap_seconds),
        cmocka_unit_test(refused),
        cmocka_unit_test(http_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
