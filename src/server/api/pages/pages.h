/* pages: the handlers of what describes the server itself. What a handler is: call.h. */
#pragma once
#include "call.h"

bool health_show(struct call *call);
bool meta_show(struct call *call);
bool metrics_show(struct call *call);
