#include "api_fixture.h"

struct rig rig;

int open_rig(void **state)
{
    rig_open(&rig);
    return 0;
}

int close_rig(void **state)
{
    rig_close(&rig);
    return 0;
}

struct reply ask(const char *method, const char *target, enum rig_user as, const char *body)
{
    struct ask asked = {method, target, as, body};
    struct reply reply = rig_ask(&rig, &asked);
    reply_check(&reply, &asked);
    return reply;
}
