/*
 * rules: what JSON:API 1.1 asks of resources that a request brings and others will read: what an event
 * includes, and snapshots. Its sections are named where they are checked.
 *
 * All return false after call_fail: 422. The failure points into the part that is checked; who asked puts the
 * way to it in front (call_within), so that what is in order costs no pointers. Members that start with @ are
 * nobody's business. Members that an object may not have are removed from the tree, with a warning.
 */
#pragma once
#include "jsonapi.h"

/* The document's own members: jsonapi, links, meta. */
bool rules_check_document(struct call *call, const struct json_value *root);
/* attributes, relationships, links and meta of a resource object. */
bool rules_check_resource(struct call *call, struct json_value *resource);
/* Of the same: attributes and relationships have one space of names, in which id and type are taken. */
bool rules_check_fields(struct call *call, const struct json_value *attributes,
                        const struct json_value *relationships);
bool rules_check_relationship(struct call *call, struct json_value *relationship);
/* Names are as section 5.8 has them; with the setting any-member-names others give a warning. */
bool rules_check_name(struct call *call, struct bytes name);

/* Full linkage, section 7.4: every resource in `included` is there once, and something leads to it from
 * `relationships`, which may be NULL. The relationship `user` does not: it names an account, and what is
 * included is a snapshot. */
bool rules_check_linked(struct call *call, const struct json_value *relationships,
                        const struct json_value *included);
