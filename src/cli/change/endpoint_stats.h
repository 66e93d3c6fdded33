/* endpoint_stats: the verb `stats` of posthorn endpoints. Its options begin with struct api_session. */
#pragma once

struct invocation;

int endpoint_stats(const struct invocation *invocation, void *options);
