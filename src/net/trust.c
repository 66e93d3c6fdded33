#include "trust.h"
#include <openssl/core_names.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NAME_SHOWN_MAX = 100, NAMES_SHOWN_MAX = 3, DATE_LEN = sizeof "2026-11-28 12:00:00 UTC" };

/* ---- kinds, before anything is decoded ---- */

/* The next object of `at`; its length must be definite. `tag` -1: not of the universal class. */
static bool next_object(struct bytes *at, int *tag, struct bytes *content)
{
    const unsigned char *place = (const unsigned char *)at->data;
    long len;
    int class, kind = ASN1_get_object(&place, &len, tag, &class, (long)at->len);
    if (kind & 0x81)
        return false;
    if (class != V_ASN1_UNIVERSAL)
        *tag = -1;
    *content = bytes_make((const char *)place, (size_t)len);
    size_t whole = (size_t)(content->data - at->data) + content->len;
    *at = bytes_make(at->data + whole, at->len - whole);
    return true;
}

static bool next_sequence(struct bytes *at, struct bytes *content)
{
    int tag;
    return next_object(at, &tag, content) && tag == V_ASN1_SEQUENCE;
}

/* NID_undef: not an object identifier, or an unknown one. */
static int next_identifier(struct bytes *at)
{
    const unsigned char *place = (const unsigned char *)at->data;
    ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &place, (long)at->len);
    int nid = object ? OBJ_obj2nid(object) : NID_undef, tag;
    struct bytes content;
    ASN1_OBJECT_free(object);
    return next_object(at, &tag, &content) ? nid : NID_undef;
}

enum trust_kind trust_kind_of(struct bytes der)
{
    struct bytes whole, to_be_signed, key, algorithm, ignored;
    int tag;
    if (!next_sequence(&der, &whole) || !next_sequence(&whole, &to_be_signed))
        return TRUST_KIND_MALFORMED;
    struct bytes at = to_be_signed;
    if (next_object(&at, &tag, &ignored) && tag == -1) /* the version; the first one has none */
        to_be_signed = at;
    for (int i = 0; i < 5; i++) /* serial number, algorithm, issuer, validity, subject */
        if (!next_object(&to_be_signed, &tag, &ignored))
            return TRUST_KIND_MALFORMED;
    if (!next_sequence(&to_be_signed, &key) || !next_sequence(&key, &algorithm))
        return TRUST_KIND_MALFORMED;
    switch (next_identifier(&algorithm)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
    case EVP_PKEY_ED25519:
        return TRUST_KIND_TAKEN;
    case EVP_PKEY_EC:
        tag = next_identifier(&algorithm);
        return tag == NID_X9_62_prime256v1 || tag == NID_secp384r1 || tag == NID_secp521r1
                   ? TRUST_KIND_TAKEN
                   : TRUST_KIND_REFUSED;
    default:
        return TRUST_KIND_REFUSED;
    }
}

/* Takes a length of `length_len` bytes, and a part of that length. */
static bool next_part(struct bytes *at, size_t length_len, struct bytes *part)
{
    size_t len = 0;
    if (at->len < length_len)
        return false;
    for (size_t i = 0; i < length_len; i++)
        len = len << 8 | (unsigned char)at->data[i];
    if (at->len - length_len < len)
        return false;
    *part = bytes_make(at->data + length_len, len);
    *at = bytes_make(part->data + len, at->len - length_len - len);
    return true;
}

enum trust_kind trust_kind_of_message(struct bytes message, bool tls13)
{
    struct bytes list, certificate, ignored;
    if ((tls13 && !next_part(&message, 1, &ignored)) || !next_part(&message, 3, &list))
        return TRUST_KIND_MALFORMED;
    while (list.len > 0) {
        if (!next_part(&list, 3, &certificate) || (tls13 && !next_part(&list, 2, &ignored)))
            return TRUST_KIND_MALFORMED;
        enum trust_kind kind = trust_kind_of(certificate);
        if (kind != TRUST_KIND_TAKEN)
            return kind;
    }
    return TRUST_KIND_TAKEN;
}

/* ---- sizes ---- */

/* Also true if the key has no such part. */
static bool is_within(const EVP_PKEY *key, const char *part, int bits_max)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(key, part, &number) != 1)
        return true;
    bool within = BN_num_bits(number) <= bits_max;
    BN_clear_free(number);
    return within;
}

/* A private key may lack the parts that make it fast, or have parts far larger than its modulus. */
static bool takes_rsa(const EVP_PKEY *key)
{
    static const char *const halves[] = {
        OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,      OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
    };
    bool good = EVP_PKEY_get_bits(key) <= TRUST_RSA_BITS_MAX &&
                is_within(key, OSSL_PKEY_PARAM_RSA_E, TRUST_RSA_EXPONENT_BITS_MAX) &&
                is_within(key, OSSL_PKEY_PARAM_RSA_D, TRUST_RSA_BITS_MAX);
    for (size_t i = 0; good && i < sizeof halves / sizeof *halves; i++)
        good = is_within(key, halves[i], TRUST_RSA_BITS_MAX);
    return good;
}

static bool takes_ec(const EVP_PKEY *key)
{
    char group[32] = "";
    if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1)
        return false;
    return strcmp(group, SN_X9_62_prime256v1) == 0 || strcmp(group, SN_secp384r1) == 0 ||
           strcmp(group, SN_secp521r1) == 0;
}

bool trust_takes_key(const EVP_PKEY *key)
{
    if (!key)
        return false; /* a kind or parameters that OpenSSL does not know */
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return takes_rsa(key);
    case EVP_PKEY_EC:
        return takes_ec(key);
    case EVP_PKEY_ED25519:
        return true;
    default:
        return false;
    }
}

/* The first certificate whose key is refused. */
static X509 *unbounded(X509_STORE_CTX *store)
{
    X509 *own = X509_STORE_CTX_get0_cert(store);
    const STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    if (!trust_takes_key(X509_get0_pubkey(own)))
        return own;
    for (int i = 0; i < sk_X509_num(sent); i++)
        if (!trust_takes_key(X509_get0_pubkey(sk_X509_value(sent, i))))
            return sk_X509_value(sent, i);
    return NULL;
}

/* ---- words ---- */

/* Always ASCII. */
static void print_name(const X509_NAME *name, char out[NAME_SHOWN_MAX])
{
    BIO *writer = BIO_new(BIO_s_mem());
    int len = 0;
    if (writer && X509_NAME_print_ex(writer, name, 0, XN_FLAG_RFC2253) >= 0)
        len = BIO_read(writer, out, NAME_SHOWN_MAX - 1);
    out[len > 0 ? len : 0] = '\0';
    BIO_free(writer);
}

static void print_date(const ASN1_TIME *time, char out[DATE_LEN])
{
    struct tm parts;
    out[0] = '\0';
    if (ASN1_TIME_to_tm(time, &parts) == 1)
        strftime(out, DATE_LEN, "%Y-%m-%d %H:%M:%S UTC", &parts);
}

/* "a.example, b.example and more" */
static void print_subjects(X509 *certificate, char out[NAME_SHOWN_MAX])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t len = 0;
    int shown = 0, count = sk_GENERAL_NAME_num(names);
    out[0] = '\0';
    for (int i = 0; i < count && shown < NAMES_SHOWN_MAX; i++) {
        int type;
        const ASN1_STRING *text = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        if (type != GEN_DNS || (size_t)ASN1_STRING_length(text) > NAME_SHOWN_MAX - len - 16)
            continue;
        len += (size_t)snprintf(out + len, NAME_SHOWN_MAX - len, "%s", shown ? ", " : "");
        for (int k = 0; k < ASN1_STRING_length(text); k++) {
            unsigned char c = ASN1_STRING_get0_data(text)[k];
            out[len++] = (char)(c > 0x20 && c < 0x7f ? c : '?');
        }
        out[len] = '\0';
        shown++;
    }
    if (shown > 0 && shown < count)
        snprintf(out + len, NAME_SHOWN_MAX - len, " and more");
    GENERAL_NAMES_free(names);
}

static void explain_issuer(char *why, X509_STORE_CTX *store, X509 *at)
{
    char name[NAME_SHOWN_MAX];
    const STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    print_name(X509_get_issuer_name(at), name);
    if (sk_X509_num(sent) <= 1)
        snprintf(why, TRUST_WHY_LEN_MAX,
                 "the certificate's issuer is not trusted and was not sent along, so the intermediate "
                 "certificate is missing: %s",
                 name);
    else
        snprintf(why, TRUST_WHY_LEN_MAX, "the certificate leads to an authority that is not trusted: %s",
                 name);
}

static void explain(X509_STORE_CTX *store, const char *expected, char why[TRUST_WHY_LEN_MAX])
{
    X509 *at = X509_STORE_CTX_get_current_cert(store), *own = X509_STORE_CTX_get0_cert(store);
    char name[NAME_SHOWN_MAX], date[DATE_LEN];
    int error = X509_STORE_CTX_get_error(store);
    if (!at)
        at = own;
    const char *whose = at == own ? "the certificate" : "a certificate of the chain";
    print_name(X509_get_subject_name(at), name);
    switch (error) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        snprintf(why, TRUST_WHY_LEN_MAX, "the certificate is signed by itself, not by an authority: %s",
                 name);
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        snprintf(why, TRUST_WHY_LEN_MAX, "the certificate leads to an authority that is not trusted: %s",
                 name);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        explain_issuer(why, store, at);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        print_date(X509_get0_notAfter(at), date);
        snprintf(why, TRUST_WHY_LEN_MAX, "%s expired on %s: %s", whose, date, name);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        print_date(X509_get0_notBefore(at), date);
        snprintf(why, TRUST_WHY_LEN_MAX, "%s is not valid before %s: %s", whose, date, name);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        print_subjects(own, name);
        snprintf(why, TRUST_WHY_LEN_MAX, "the certificate is not for %.80s but for %s", expected,
                 name[0] ? name : "nobody in particular");
        break;
    case X509_V_ERR_INVALID_PURPOSE:
        snprintf(why, TRUST_WHY_LEN_MAX,
                 "%s is not for servers: its key usage, or its extended key usage without serverAuth, "
                 "forbids it: %s",
                 whose, name);
        break;
    default:
        snprintf(why, TRUST_WHY_LEN_MAX, "%s is not accepted (%s): %s", whose,
                 X509_verify_cert_error_string(error), name);
    }
}

int trust_verify(X509_STORE_CTX *store, const char *expected, char why[TRUST_WHY_LEN_MAX], bool *key_refused)
{
    X509 *large = unbounded(store);
    if (large) {
        char name[NAME_SHOWN_MAX];
        print_name(X509_get_subject_name(large), name);
        snprintf(why, TRUST_WHY_LEN_MAX,
                 "a key of the certificate chain is too large or of a kind that is not taken (%d bits; RSA "
                 "has at most %d, EC is P-256, P-384 or P-521): %s",
                 X509_get0_pubkey(large) ? EVP_PKEY_get_bits(X509_get0_pubkey(large)) : 0, TRUST_RSA_BITS_MAX,
                 name);
        *key_refused = true;
        X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    int good = X509_verify_cert(store);
    if (good != 1)
        explain(store, expected, why);
    return good;
}
