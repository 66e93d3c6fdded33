#include "model.h"

const char *const delivery_state_names[] = {
    [DELIVERY_PENDING] = "pending",     [DELIVERY_DELIVERED] = "delivered", [DELIVERY_GIVEN_UP] = "given_up",
    [DELIVERY_CANCELLED] = "cancelled", [DELIVERY_SKIPPED] = "skipped",     NULL};

static bool is_type_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

bool model_type_valid(struct bytes type)
{
    if (type.len == 0 || type.len > MODEL_TYPE_LEN_MAX || bytes_equal_text(type, ".") ||
        bytes_equal_text(type, ".."))
        return false;
    for (size_t i = 0; i < type.len; i++)
        if (!is_type_byte(type.data[i]))
            return false;
    return true;
}

bool model_id_valid(struct bytes id)
{
    if (id.len == 0 || id.len > MODEL_ID_LEN_MAX || !bytes_are_utf8(id))
        return false;
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.data[i];
        bool c1_control = c == 0xc2 && (unsigned char)id.data[i + 1] < 0xa0; /* U+0080 to U+009F */
        if (c < 0x20 || c == 0x7f || c1_control)
            return false;
    }
    return true;
}

struct flow_settings flow_settings_of(int64_t in_flight_max, int64_t rate_count, int64_t rate_per,
                                      int64_t ordered)
{
    struct flow_settings set = {.ordered = ordered == 1};
    if (in_flight_max > 0 && in_flight_max <= MODEL_IN_FLIGHT_MAX)
        set.in_flight_max = (int32_t)in_flight_max;
    if (rate_count > 0 && rate_count <= MODEL_RATE_MAX && rate_per >= 0 && rate_per <= FLOW_PER_HOUR) {
        set.rate.count = (int32_t)rate_count;
        set.rate.per = (enum flow_per)rate_per;
    }
    return set;
}
