#include "negotiation.h"
#include <strings.h>

static const char json_api[] = "application/vnd.api+json";
static const char plain_json[] = "application/json";
const char negotiation_lines[] = "application/x-ndjson";

const char *media_name(enum media media)
{
    return media == MEDIA_JSON ? plain_json : json_api;
}

/* Cuts the part before `separator` off `rest`, quoted strings (RFC 9110 section 5.6.4) kept whole, trimmed.
 */
static struct bytes cut(struct bytes *rest, char separator)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->len && (quoted || rest->data[i] != separator); i++) {
        if (rest->data[i] == '"')
            quoted = !quoted;
        else if (quoted && rest->data[i] == '\\' && i + 1 < rest->len)
            i++;
    }
    struct bytes part = bytes_trim(bytes_make(rest->data, i));
    size_t skip = i < rest->len ? i + 1 : i;
    *rest = bytes_make(rest->data + skip, rest->len - skip);
    return part;
}

struct parameter {
    struct bytes name, value;
};

/* `name=value` or `name="value"`. */
static struct parameter split(struct bytes part)
{
    struct parameter parameter;
    struct bytes rest = part;
    parameter.name = cut(&rest, '=');
    parameter.value = bytes_trim(rest);
    size_t len = parameter.value.len;
    if (len >= 2 && parameter.value.data[0] == '"' && parameter.value.data[len - 1] == '"')
        parameter.value = bytes_make(parameter.value.data + 1, len - 2);
    return parameter;
}

/* The first parameter that is none of JSON:API's own type (`vnd`), or none of the others; len 0: all are
 * fine. */
static struct bytes unfit_parameter(struct bytes rest, bool vnd)
{
    while (rest.len) {
        struct bytes part = cut(&rest, ';');
        if (!part.len)
            continue;
        struct parameter parameter = split(part);
        bool fine = vnd ? bytes_equal_nocase(parameter.name, "profile") ||
                              (bytes_equal_nocase(parameter.name, "ext") && !parameter.value.len)
                        : !bytes_equal_nocase(parameter.name, "charset") ||
                              bytes_equal_nocase(parameter.value, "utf-8");
        if (!fine)
            return part;
    }
    return (struct bytes){0};
}

bool negotiation_reads(struct bytes content_type)
{
    struct bytes rest = content_type;
    struct bytes type = cut(&rest, ';');
    bool vnd = bytes_equal_nocase(type, json_api);
    return (vnd || bytes_equal_nocase(type, plain_json)) && !unfit_parameter(rest, vnd).len;
}

struct bytes negotiation_parameter(struct bytes content_type, bool lines)
{
    struct bytes rest = content_type;
    struct bytes type = cut(&rest, ';');
    bool vnd = bytes_equal_nocase(type, json_api);
    bool ours =
        vnd || bytes_equal_nocase(type, plain_json) || (lines && bytes_equal_nocase(type, negotiation_lines));
    return ours ? unfit_parameter(rest, vnd) : (struct bytes){0};
}

bool negotiation_reads_lines(struct bytes content_type)
{
    struct bytes rest = content_type;
    return bytes_equal_nocase(cut(&rest, ';'), negotiation_lines) && !unfit_parameter(rest, false).len;
}

bool negotiation_accepts_lines(struct bytes accept)
{
    while (accept.len) {
        struct bytes range = cut(&accept, ',');
        if (bytes_equal_nocase(cut(&range, ';'), negotiation_lines))
            return true;
    }
    return false;
}

/* A weight in thousandths (RFC 9110 section 12.4.2); what cannot be read counts as 1. */
static int weight(struct bytes value)
{
    if (!value.len || value.data[0] < '0' || value.data[0] > '1')
        return 1000;
    int thousandths = (value.data[0] - '0') * 1000;
    static const int places[] = {100, 10, 1};
    for (size_t i = 2; i < value.len && i < 5 && value.data[1] == '.'; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return 1000;
        thousandths += (value.data[i] - '0') * places[i - 2];
    }
    return thousandths > 1000 ? 1000 : thousandths;
}

/* How specific a media range is, so that the most specific one's weight counts (section 12.5.1). */
enum match { MATCH_NOT, MATCH_ANY, MATCH_GROUP, MATCH_EXACT };

struct preference {
    enum match match;
    int weight;
};

static void prefer(struct preference *preference, enum match match, int weight)
{
    if (match > preference->match || (match == preference->match && weight > preference->weight))
        *preference = (struct preference){match, weight};
}

static int weight_of(struct bytes parameters)
{
    int q = 1000;
    while (parameters.len) {
        struct parameter parameter = split(cut(&parameters, ';'));
        if (bytes_equal_nocase(parameter.name, "q"))
            q = weight(parameter.value);
    }
    return q;
}

bool negotiation_accepts_gzip(struct bytes accept_encoding)
{
    struct preference preference = {0};
    while (accept_encoding.len) {
        struct bytes parameters = cut(&accept_encoding, ',');
        struct bytes coding = cut(&parameters, ';');
        if (bytes_equal_text(coding, "*"))
            prefer(&preference, MATCH_ANY, weight_of(parameters));
        else if (bytes_equal_nocase(coding, "gzip") || bytes_equal_nocase(coding, "x-gzip"))
            prefer(&preference, MATCH_EXACT, weight_of(parameters));
    }
    return preference.weight > 0;
}

bool negotiation_accepts(struct bytes accept, const char *wanted)
{
    struct preference preference = {0};
    size_t group_len = (size_t)(strchr(wanted, '/') - wanted) + 1;
    if (!bytes_trim(accept).len)
        return true;
    while (accept.len) {
        struct bytes range = cut(&accept, ',');
        struct bytes type = cut(&range, ';');
        int q = weight_of(range);
        if (bytes_equal_text(type, "*/*"))
            prefer(&preference, MATCH_ANY, q);
        else if (bytes_equal_nocase(type, wanted))
            prefer(&preference, MATCH_EXACT, q);
        else if (type.len == group_len + 1 && type.data[group_len] == '*' &&
                 strncasecmp(type.data, wanted, group_len) == 0)
            prefer(&preference, MATCH_GROUP, q);
    }
    return preference.weight > 0;
}

enum media negotiation_answers(struct bytes accept)
{
    if (!bytes_trim(accept).len)
        return MEDIA_JSON_API;
    struct preference vnd = {0}, plain = {0};
    struct bytes rest = accept;
    while (rest.len) {
        struct bytes range = cut(&rest, ',');
        struct bytes type = cut(&range, ';');
        int q = 1000;
        bool usable = true; /* section 5.2 of JSON:API: with another parameter it is not the same type */
        while (range.len) {
            struct parameter parameter = split(cut(&range, ';'));
            if (bytes_equal_nocase(parameter.name, "q"))
                q = weight(parameter.value);
            else if (parameter.name.len && !bytes_equal_nocase(parameter.name, "profile"))
                usable = bytes_equal_nocase(parameter.name, "ext") && !parameter.value.len;
        }
        if (bytes_equal_text(type, "*/*")) {
            prefer(&vnd, MATCH_ANY, q);
            prefer(&plain, MATCH_ANY, q);
        } else if (bytes_equal_nocase(type, "application/*")) {
            prefer(&vnd, MATCH_GROUP, q);
            prefer(&plain, MATCH_GROUP, q);
        } else if (bytes_equal_nocase(type, json_api) && usable) {
            prefer(&vnd, MATCH_EXACT, q);
        } else if (bytes_equal_nocase(type, plain_json)) {
            prefer(&plain, MATCH_EXACT, q);
        }
    }
    if (vnd.weight > 0 && vnd.weight >= plain.weight)
        return MEDIA_JSON_API;
    return plain.weight > 0 ? MEDIA_JSON : MEDIA_NONE;
}
