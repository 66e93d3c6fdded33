/*
 * libposthorn: receive webhooks safely. The only installed header.
 *
 * The duties of a webhook handler, in their order:
 *
 *   1. posthorn_verify    is this from the platform? (WEBHOOK-AUTH, in constant time)
 *   2. posthorn_parse     is this an event? (strict JSON, the JSON:API document of the guide)
 *   3. posthorn_handle    is it new? do what its event_type asks for, and keep it, durably: an event is sent
 *                         again until it is answered with 200, so it can come more than once
 *   4. answer with posthorn_http_status(result): 200 for everything that went well, and only then
 *
 * Every function that can fail answers with enum posthorn_result. The library never ends the process, keeps
 * no global state, prints nothing, and starts no threads. A function may be called from any thread; one
 * object may be used by several threads at once only where its section says so. Link with -lposthorn
 * (pkg-config posthorn); it stands on libcrypto and json-c.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTHORN_API __attribute__((visibility("default")))

/* A view. A view from the library also has a NUL behind it, which len does not count; but a hostile
 * document may carry NULs inside, so compare with len. */
struct posthorn_text {
    const char *data;
    size_t len;
};

/* ---- results ------------------------------------------------------------------------------------------- */

/*        symbol          name              HTTP  a sentence for people */
#define POSTHORN_RESULTS(X)                                                                                  \
    X(OK, "ok", 200, "done")                                                                                 \
    X(DUPLICATE, "duplicate", 200, "this event is already stored")                                           \
    X(CONFLICT, "conflict", 200, "an event with this id but other content is already stored; both are kept") \
    X(AUTH_MISSING, "auth_missing", 401, "the WEBHOOK-AUTH header is missing")                               \
    X(AUTH_DOUBLED, "auth_doubled", 401, "there is more than one WEBHOOK-AUTH header")                       \
    X(AUTH_WRONG, "auth_wrong", 401, "WEBHOOK-AUTH is not the SHA-256 of the API key")                       \
    X(SIGNATURE_MISSING, "signature_missing", 401,                                                           \
      "a header of webhook-id, webhook-timestamp, webhook-signature is missing")                             \
    X(SIGNATURE_TIME, "signature_time", 401, "webhook-timestamp is too far from this clock")                 \
    X(SIGNATURE_WRONG, "signature_wrong", 401, "no signature in webhook-signature fits the secret")          \
    X(NOT_JSON, "not_json", 400, "the body is not valid JSON")                                               \
    X(NOT_AN_EVENT, "not_an_event", 400, "the body is JSON, but not an event document")                      \
    X(TOO_LARGE, "too_large", 413, "the body is larger than the limit")                                      \
    X(UNSAFE, "unsafe", 500, "something that is not a plain file stands where the event is to be stored")    \
    X(IO, "io", 500, "the event could not be written")                                                       \
    X(IN_WORK, "in_work", 503, "this event is in work at this moment")                                       \
    X(HANDLER_FAILED, "handler_failed", 500, "the handler of this event_type failed")                        \
    X(NO_MEMORY, "no_memory", 500, "out of memory")                                                          \
    X(CRYPTO, "crypto", 500, "libcrypto failed")                                                             \
    X(BAD_ARGUMENT, "bad_argument", 500, "the library was called with arguments it cannot accept")

#define POSTHORN_RESULT_ENUM(symbol, name, http, sentence) POSTHORN_##symbol,
enum posthorn_result { POSTHORN_RESULTS(POSTHORN_RESULT_ENUM) POSTHORN_RESULT_COUNT };
#undef POSTHORN_RESULT_ENUM

POSTHORN_API const char *posthorn_result_name(enum posthorn_result result);     /* "auth_missing" */
POSTHORN_API const char *posthorn_result_sentence(enum posthorn_result result); /* for people */
/* The status to answer the push with. Whatever is not 200 makes the sender try again. */
POSTHORN_API int posthorn_http_status(enum posthorn_result result);

/* ---- 1. signature -------------------------------------------------------------------------------------- */

enum { POSTHORN_DIGEST_HEX_LEN = 64 };

/*
 * WEBHOOK-AUTH carries the SHA-256 of your API key as 64 lower-case hex digits. `values` are the values of
 * every WEBHOOK-AUTH header of the request (its name is case-insensitive, as in all of HTTP); give them all,
 * so that a doubled one is noticed. Any of `keys` will do, so that a key can be replaced without a gap. How
 * long it takes tells nothing about keys or digests.
 *
 * OK, AUTH_MISSING, AUTH_DOUBLED, AUTH_WRONG, CRYPTO; BAD_ARGUMENT without keys or with an empty one.
 */
POSTHORN_API enum posthorn_result posthorn_verify(const struct posthorn_text *keys, size_t key_count,
                                                  const struct posthorn_text *values, size_t value_count);
/* The usual case: one key, and the one header's value, or NULL. */
POSTHORN_API enum posthorn_result posthorn_verify_one(const char *key, const char *value);
/* The right WEBHOOK-AUTH for this key, with a NUL. OK, CRYPTO, BAD_ARGUMENT. */
POSTHORN_API enum posthorn_result posthorn_digest(struct posthorn_text key,
                                                  char out[POSTHORN_DIGEST_HEX_LEN + 1]);

/*
 * The second signature, Standard Webhooks 1.0: every push also carries webhook-id (the event's id),
 * webhook-timestamp (unix seconds of this attempt) and webhook-signature (`v1,BASE64` of HMAC-SHA256 or
 * `v1a,BASE64` of Ed25519, several separated by a space) over `id.timestamp.body`. Unlike WEBHOOK-AUTH it
 * also proves the body, and its age.
 *
 * Secrets are `whsec_BASE64` (HMAC, 24 to 64 bytes), `whsk_BASE64` (Ed25519, private: signs) and
 * `whpk_BASE64` (its public half: verifies).
 */
enum { POSTHORN_SIGNATURE_LEN_MAX = 96, POSTHORN_SECRET_LEN_MAX = 128, POSTHORN_TOLERANCE_S = 300 };

/* Any of `secrets` will do, so that one can be replaced without a gap. `id`, `timestamp` and `signatures` are
 * the values of the three headers; `now_s` is your clock, and a timestamp further than tolerance_s from it is
 * refused.
 *
 * OK, SIGNATURE_MISSING, SIGNATURE_TIME (not a number, or too far off; the signature was right),
 * SIGNATURE_WRONG, CRYPTO; BAD_ARGUMENT without secrets or with a malformed one. */
POSTHORN_API enum posthorn_result
posthorn_verify_signature(const struct posthorn_text *secrets, size_t secret_count, struct posthorn_text id,
                          struct posthorn_text timestamp, struct posthorn_text signatures,
                          struct posthorn_text body, long long now_s, long long tolerance_s);

/* The sender's side: one secret, prepared. Not for two threads at once. */
struct posthorn_signer;
/* `secret` is whsec_ or whsk_. OK, BAD_ARGUMENT, CRYPTO, NO_MEMORY. */
POSTHORN_API enum posthorn_result posthorn_signer_open(struct posthorn_text secret,
                                                       struct posthorn_signer **signer);
/* Writes `v1,...` or `v1a,...` with a NUL. OK, CRYPTO. */
POSTHORN_API enum posthorn_result posthorn_signer_sign(struct posthorn_signer *signer,
                                                       struct posthorn_text id, long long timestamp_s,
                                                       struct posthorn_text body,
                                                       char out[POSTHORN_SIGNATURE_LEN_MAX]);
POSTHORN_API void posthorn_signer_close(struct posthorn_signer *signer); /* NULL is fine */
/* The whsec_ spelling of an HMAC key of 24 to 64 bytes. OK, BAD_ARGUMENT. */
POSTHORN_API enum posthorn_result posthorn_secret_spell(const unsigned char *key, size_t len,
                                                        char secret[POSTHORN_SECRET_LEN_MAX]);
/* A new secret: whsec_ (public_key then is ""), or with `ed25519` whsk_ and its whpk_. OK, CRYPTO. */
POSTHORN_API enum posthorn_result posthorn_secret_new(bool ed25519, char secret[POSTHORN_SECRET_LEN_MAX],
                                                      char public_key[POSTHORN_SECRET_LEN_MAX]);

/* ---- 2. event ------------------------------------------------------------------------------------------ */

enum { POSTHORN_DOCUMENT_LEN_MAX = 2 * 1024 * 1024, POSTHORN_DEPTH_MAX = 64 };

struct posthorn_event; /* read-only once parsed: any number of threads */
struct json_object;    /* json-c's; include <json-c/json.h> if you look inside */

struct posthorn_problem {
    size_t offset;   /* of the byte where the JSON goes wrong */
    char detail[96]; /* "data.attributes.event_type must be a string" */
};

/*
 * Reads an event document. The JSON is read strictly: UTF-8, no duplicate members, no comments, nothing
 * behind it, at most POSTHORN_DEPTH_MAX deep. Required are data.type "events", data.id and
 * data.attributes.event_type, strings that are not empty; their content is not restricted (any event_type
 * must be accepted), so treat it as hostile where you use it as a name. `body` is copied.
 *
 * OK (free with posthorn_event_free), NOT_JSON, NOT_AN_EVENT, TOO_LARGE, NO_MEMORY; `problem` (may be NULL)
 * says what and where.
 */
POSTHORN_API enum posthorn_result posthorn_parse(const char *body, size_t len, struct posthorn_event **event,
                                                 struct posthorn_problem *problem);
POSTHORN_API void posthorn_event_free(struct posthorn_event *event); /* NULL is fine */

/* All views live as long as the event. A member that the document lacks has len 0, and data "". */
POSTHORN_API struct posthorn_text posthorn_event_id(const struct posthorn_event *event);
POSTHORN_API struct posthorn_text posthorn_event_type(const struct posthorn_event *event);
POSTHORN_API struct posthorn_text posthorn_event_created_at(const struct posthorn_event *event);
POSTHORN_API struct posthorn_text posthorn_event_sent_at(const struct posthorn_event *event);
POSTHORN_API struct posthorn_text posthorn_event_resource_type(const struct posthorn_event *event);
POSTHORN_API struct posthorn_text posthorn_event_resource_id(const struct posthorn_event *event);
POSTHORN_API struct posthorn_text posthorn_event_body(const struct posthorn_event *event); /* as received */

/* The document and parts of it; they belong to the event. NULL: it has none. */
POSTHORN_API struct json_object *posthorn_event_document(const struct posthorn_event *event);
POSTHORN_API struct json_object *posthorn_event_included(const struct posthorn_event *event); /* the array */
/* The element of `included` that the event's resource names: its snapshot of that moment. */
POSTHORN_API struct json_object *posthorn_event_resource(const struct posthorn_event *event);

/* ---- 3. store ------------------------------------------------------------------------------------------ */

/*
 * A folder with one file an event, `ID_TYPE.json`, indented by two spaces. The files are the record: an event
 * that has its file is a duplicate, also after a restart. Threads may share a store; processes may share a
 * folder as long as no two events of different type have the same id.
 *
 * Names are safe whatever the event says: an id of letters, digits, '.' and '-' (not leading, at most 64) and
 * a type of these and '_' (at most 128) are used as they are; every other id or type is replaced by
 * `sha256-HEX` of it. Nothing is ever written outside the folder or through a link, and nothing is
 * overwritten.
 */
struct posthorn_store;

enum { POSTHORN_NAME_LEN_MAX = 255 };

/* Makes the folder if there is none (its parent must exist). OK, IO (errno says why), NO_MEMORY. */
POSTHORN_API enum posthorn_result posthorn_store_open(const char *folder, struct posthorn_store **store);
/*
 * OK: stored; written, fsynced, renamed, and the folder fsynced.
 *
 * DUPLICATE: its file was there already with the same content (but for white space between tokens), and is
 * durable.
 *
 * CONFLICT: this id has a file with other content; this event was kept beside it, durably, as
 * `NAME.HEX.conflict`.
 *
 * UNSAFE: a link, folder, FIFO or the like has the name; nothing was written.
 *
 * IO: errno says why; nothing that was begun will be taken for the event later. Also NO_MEMORY, CRYPTO.
 *
 * `name` (may be NULL) receives the name of the file, for the first three.
 */
POSTHORN_API enum posthorn_result posthorn_store_put(struct posthorn_store *store,
                                                     const struct posthorn_event *event,
                                                     char name[POSTHORN_NAME_LEN_MAX + 1]);
/* The result that put would have, without storing anything: OK means that the event is new. */
POSTHORN_API enum posthorn_result posthorn_store_look(struct posthorn_store *store,
                                                      const struct posthorn_event *event);
POSTHORN_API void posthorn_store_close(struct posthorn_store *store); /* NULL is fine */

/*
 * An event on its way into the store: seen, in work, done. While it is in work, its folder holds `ID.work`,
 * durably and under a lock (flock) that ends with the process, however that ends. So nobody else works on the
 * same id at the same time, in this process or another; and what a crash interrupted is known, and can be
 * begun again: by the sender's next attempt, or by posthorn_resume.
 */
struct posthorn_work;

/*
 * OK: it is yours; end it with one of the two below. The event must outlive the work. A process you fork
 * meanwhile holds the lock too, unless it calls exec.
 *
 * IN_WORK: somebody else has it. Answer 503, and the sender comes again.
 *
 * DUPLICATE, CONFLICT: as posthorn_store_look; there is nothing to do but posthorn_store_put.
 *
 * UNSAFE, IO, NO_MEMORY, CRYPTO.
 */
POSTHORN_API enum posthorn_result posthorn_work_begin(struct posthorn_store *store,
                                                      const struct posthorn_event *event,
                                                      struct posthorn_work **work);
/* The handler succeeded: ID.work becomes the event's file, durably. Results and `name` as of
 * posthorn_store_put. */
POSTHORN_API enum posthorn_result posthorn_work_done(struct posthorn_work *work,
                                                     char name[POSTHORN_NAME_LEN_MAX + 1]);
/* It failed: the event is as if it had never come, so that the next attempt is handled. */
POSTHORN_API void posthorn_work_fail(struct posthorn_work *work);

/* ---- 4. dispatch --------------------------------------------------------------------------------------- */

/* Does the work; OK, or what went wrong (HANDLER_FAILED if nothing fits better), and the event is sent again.
 */
typedef enum posthorn_result posthorn_handler(void *ctx, const struct posthorn_event *event);

struct posthorn_dispatcher; /* once all handlers are registered: any number of threads */

/* NULL: no memory. */
POSTHORN_API struct posthorn_dispatcher *posthorn_dispatcher_new(void);
POSTHORN_API void posthorn_dispatcher_free(struct posthorn_dispatcher *dispatcher); /* NULL is fine */
/* `event_type` exactly; registering again replaces. OK, NO_MEMORY, BAD_ARGUMENT (NULL or empty). */
POSTHORN_API enum posthorn_result posthorn_on(struct posthorn_dispatcher *dispatcher, const char *event_type,
                                              posthorn_handler *handler, void *ctx);
/* Every type that begins with `prefix` and is not registered itself; of several, the longest. As above. */
POSTHORN_API enum posthorn_result posthorn_on_prefix(struct posthorn_dispatcher *dispatcher,
                                                     const char *prefix, posthorn_handler *handler,
                                                     void *ctx);
/* For every type nobody registered for. Without it they are ignored, which is OK: new types may come at any
 * time. */
POSTHORN_API void posthorn_otherwise(struct posthorn_dispatcher *dispatcher, posthorn_handler *handler,
                                     void *ctx);
POSTHORN_API enum posthorn_result posthorn_dispatch(const struct posthorn_dispatcher *dispatcher,
                                                    const struct posthorn_event *event);

/*
 * Begin, dispatch, done: the order that loses nothing. A stored event is not dispatched again. A
 * new one is stored only after its handler succeeded, so that a failed one is tried again. Handlers run AT
 * LEAST once: again if the process ends between handler and file; but never twice at one time for one id (the
 * second request is IN_WORK). An event without a registered handler is simply put.
 *
 * Results as of the three; `name` (may be NULL) is set for OK, DUPLICATE and CONFLICT.
 */
POSTHORN_API enum posthorn_result posthorn_handle(const struct posthorn_dispatcher *dispatcher,
                                                  struct posthorn_store *store,
                                                  const struct posthorn_event *event,
                                                  char name[POSTHORN_NAME_LEN_MAX + 1]);

/* One event that was in work; false: leave the rest for another time. */
typedef bool posthorn_resumed(void *ctx, const struct posthorn_event *event, enum posthorn_result result,
                              const char *name);
/*
 * posthorn_handle for everything that was in work when a process ended, without waiting for the sender. Call
 * it after a start, if a handler that ends the whole process is out of the question; otherwise leave it to
 * the sender, whose attempts come at growing distances. The bytes of such an event are those of the file,
 * indented. `each` may be NULL. OK, IO, NO_MEMORY.
 */
POSTHORN_API enum posthorn_result posthorn_resume(const struct posthorn_dispatcher *dispatcher,
                                                  struct posthorn_store *store, posthorn_resumed *each,
                                                  void *ctx);

#ifdef __cplusplus
}
#endif
