#include "instant.h"
#include <assert.h>

enum { DAY_MS = 86400000 };

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
/* 1970-01-01 was a Thursday. */
static const char *const day_names[7] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                         "Monday",   "Tuesday", "Wednesday"};

struct date {
    int year, month, day; /* month and day from 1 */
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar, years 0 to 9999. Counting years from March
 * puts the leap day last, so that a month's offset is a straight line. */
static int64_t days_of(struct date date)
{
    int64_t year = date.year + 400 - (date.month <= 2); /* + 400: no negative numbers below */
    int64_t month = (date.month + 9) % 12;
    return year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + date.day - 1 - 719468 -
           146097;
}

static struct date date_of(int64_t days)
{
    int64_t z = days + 719468 + 146097; /* since 1 March of the year -400 */
    int64_t era = z / 146097, day_of_era = z % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct date date = {.day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
                        .month = (int)(month < 10 ? month + 3 : month - 9)};
    date.year = (int)(year_of_era + era * 400 - 400 + (date.month <= 2));
    return date;
}

static bool is_date(struct date date)
{
    static const char lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (date.year < 0 || date.year > 9999 || date.month < 1 || date.month > 12 || date.day < 1)
        return false;
    bool leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
    return date.day <= lengths[date.month - 1] + (leap && date.month == 2);
}

static bool in_range(int64_t wall_ms)
{
    return wall_ms >= days_of((struct date){0, 1, 1}) * DAY_MS &&
           wall_ms < (days_of((struct date){9999, 12, 31}) + 1) * DAY_MS;
}

/* A stored time may be out of range. */
static int64_t nearest(int64_t wall_ms)
{
    int64_t first = days_of((struct date){0, 1, 1}) * DAY_MS;
    return in_range(wall_ms) ? wall_ms
           : wall_ms < first ? first
                             : (days_of((struct date){9999, 12, 31}) + 1) * DAY_MS - 1;
}

static void put_number(char *out, int width, int value)
{
    while (width--) {
        out[width] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Splits so that the time of day is never negative. */
static int64_t split(int64_t wall_ms, int *ms_of_day)
{
    int64_t days = wall_ms / DAY_MS - (wall_ms % DAY_MS < 0);
    *ms_of_day = (int)(wall_ms - days * DAY_MS);
    return days;
}

static void put_time(char *out, int ms_of_day)
{
    put_number(out, 2, ms_of_day / 3600000);
    out[2] = ':';
    put_number(out + 3, 2, ms_of_day / 60000 % 60);
    out[5] = ':';
    put_number(out + 6, 2, ms_of_day / 1000 % 60);
}

void instant_format(int64_t wall_ms, char out[INSTANT_LEN])
{
    int ms_of_day;
    struct date date = date_of(split(nearest(wall_ms), &ms_of_day));
    put_number(out, 4, date.year);
    out[4] = '-';
    put_number(out + 5, 2, date.month);
    out[7] = '-';
    put_number(out + 8, 2, date.day);
    out[10] = 'T';
    put_time(out + 11, ms_of_day);
    out[19] = '.';
    put_number(out + 20, 3, ms_of_day % 1000);
    out[23] = 'Z';
}

/* Takes `width` digits from the front. */
static bool take_number(struct bytes *text, int width, int *value)
{
    if (text->len < (size_t)width)
        return false;
    *value = 0;
    for (int i = 0; i < width; i++) {
        if (text->data[i] < '0' || text->data[i] > '9')
            return false;
        *value = *value * 10 + (text->data[i] - '0');
    }
    *text = bytes_make(text->data + width, text->len - (size_t)width);
    return true;
}

static bool take_text(struct bytes *text, const char *expected)
{
    if (!bytes_starts(*text, expected))
        return false;
    size_t len = strlen(expected);
    *text = bytes_make(text->data + len, text->len - len);
    return true;
}

/* hh:mm:ss; the caller says whether 60 is a second. */
static bool take_time(struct bytes *text, int second_max, int *seconds_of_day)
{
    int hour, minute, second;
    if (!take_number(text, 2, &hour) || !take_text(text, ":") || !take_number(text, 2, &minute) ||
        !take_text(text, ":") || !take_number(text, 2, &second) || hour > 23 || minute > 59 ||
        second > second_max)
        return false;
    *seconds_of_day = hour * 3600 + minute * 60 + second;
    return true;
}

/* A point and 1 to 9 decimals, or nothing. */
static bool take_fraction(struct bytes *text, int *ms)
{
    *ms = 0;
    if (!take_text(text, "."))
        return true;
    int digits = 0, weight = 100, digit;
    for (; take_number(text, 1, &digit); digits++, weight /= 10)
        *ms += digit * weight;
    return digits >= 1 && digits <= 9;
}

static bool take_zone(struct bytes *text, int *offset_minutes)
{
    *offset_minutes = 0;
    if (take_text(text, "Z") || take_text(text, "z"))
        return true;
    int hour, minute, sign = take_text(text, "+") ? 1 : take_text(text, "-") ? -1 : 0;
    if (!sign || !take_number(text, 2, &hour) || !take_text(text, ":") || !take_number(text, 2, &minute) ||
        hour > 23 || minute > 59)
        return false;
    *offset_minutes = sign * (hour * 60 + minute);
    return true;
}

/* A leap second is the last second of a month in UTC (RFC 3339 section 5.7). In POSIX time it is the first of
 * the next month. */
static bool may_be_leap(int64_t wall_ms)
{
    return wall_ms % DAY_MS == 0 && date_of(wall_ms / DAY_MS).day == 1;
}

bool instant_parse(struct bytes text, int64_t *wall_ms)
{
    struct date date;
    int seconds, ms, offset_minutes;
    if (!take_number(&text, 4, &date.year) || !take_text(&text, "-") || !take_number(&text, 2, &date.month) ||
        !take_text(&text, "-") || !take_number(&text, 2, &date.day) || !is_date(date))
        return false;
    if (!take_text(&text, "T") && !take_text(&text, "t"))
        return false;
    bool leap = text.len > 8 && memcmp(text.data + 6, "60", 2) == 0; /* "Thh:mm:60" without its T */
    if (!take_time(&text, 60, &seconds) || !take_fraction(&text, &ms) || !take_zone(&text, &offset_minutes) ||
        text.len)
        return false;
    int64_t result = days_of(date) * DAY_MS + (int64_t)(seconds - offset_minutes * 60) * 1000 + ms;
    /* An offset can lead out of the years 0000 to 9999. */
    if (!in_range(result) || (leap && !may_be_leap(result - ms)))
        return false;
    *wall_ms = result;
    return true;
}

static bool take_month(struct bytes *text, int *month)
{
    for (int i = 0; i < 12; i++) {
        if (take_text(text, month_names[i])) {
            *month = i + 1;
            return true;
        }
    }
    return false;
}

/* A two-digit year means 1969 to 2068, as in POSIX: this parser does not know the present. */
static bool take_year_of_two(struct bytes *text, int *year)
{
    if (!take_number(text, 2, year))
        return false;
    *year += *year >= 69 ? 1900 : 2000;
    return true;
}

/* asctime: "Nov  6 08:49:37 1994" */
static bool take_asctime(struct bytes *text, struct date *date, int *seconds)
{
    if (!take_month(text, &date->month) || !take_text(text, " "))
        return false;
    bool day = take_text(text, " ") ? take_number(text, 1, &date->day) : take_number(text, 2, &date->day);
    return day && take_text(text, " ") && take_time(text, 60, seconds) && take_text(text, " ") &&
           take_number(text, 4, &date->year);
}

/* "06 Nov 1994 08:49:37 GMT" or, with the separator '-', "06-Nov-94 08:49:37 GMT" */
static bool take_fixdate(struct bytes *text, const char *separator, struct date *date, int *seconds)
{
    return take_number(text, 2, &date->day) && take_text(text, separator) && take_month(text, &date->month) &&
           take_text(text, separator) &&
           (*separator == '-' ? take_year_of_two(text, &date->year) : take_number(text, 4, &date->year)) &&
           take_text(text, " ") && take_time(text, 60, seconds) && take_text(text, " GMT");
}

bool instant_parse_http(struct bytes text, int64_t *wall_ms)
{
    struct date date;
    int seconds;
    bool understood = false;
    for (int i = 0; i < 7 && !understood; i++) {
        char short_name[4] = {day_names[i][0], day_names[i][1], day_names[i][2], '\0'};
        struct bytes rest = text;
        if (take_text(&rest, day_names[i]))
            understood = take_text(&rest, ", ") && take_fixdate(&rest, "-", &date, &seconds);
        else if (take_text(&rest, short_name))
            understood = take_text(&rest, ", ")
                             ? take_fixdate(&rest, " ", &date, &seconds)
                             : take_text(&rest, " ") && take_asctime(&rest, &date, &seconds);
        understood = understood && rest.len == 0;
    }
    if (!understood || !is_date(date))
        return false;
    int64_t result = days_of(date) * DAY_MS + (int64_t)seconds * 1000;
    if (!in_range(result)) /* a leap second can lead out of the year 9999 */
        return false;
    *wall_ms = result;
    return true;
}

void instant_format_http(int64_t wall_ms, char out[30])
{
    int ms_of_day;
    int64_t days = split(nearest(wall_ms), &ms_of_day);
    struct date date = date_of(days);
    memcpy(out, day_names[(days % 7 + 7) % 7], 3);
    memcpy(out + 3, ", ", 2);
    put_number(out + 5, 2, date.day);
    out[7] = ' ';
    memcpy(out + 8, month_names[date.month - 1], 3);
    out[11] = ' ';
    put_number(out + 12, 4, date.year);
    out[16] = ' ';
    put_time(out + 17, ms_of_day);
    memcpy(out + 25, " GMT", 5);
}
