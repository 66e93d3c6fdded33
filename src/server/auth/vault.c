#include "vault.h"
#include "digest.h"
#include "memory.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEY_LEN = DIGEST_LEN,
    KEY_HEX_LEN = DIGEST_HEX_LEN,
    NONCE_LEN = 12,
    TAG_LEN = 16,
    VERSION = 1,
    HEAD_LEN = 1 + NONCE_LEN + TAG_LEN
};

/* One key a purpose, both from the file's. */
struct vault {
    unsigned char key[KEY_LEN]; /* sealing */
    unsigned char derive_key[KEY_LEN];
    unsigned char fingerprint[KEY_LEN];
    bool exposed;
};

const char *vault_error_sentence(enum vault_error error)
{
    switch (error) {
    case VAULT_OK:
        return "done";
    case VAULT_ABSENT:
        return "there is no key file";
    case VAULT_NOT_FILE:
        return "the key file is not a regular file";
    case VAULT_UNREADABLE:
        return "the key file cannot be read or made";
    case VAULT_MALFORMED:
        return "the key file does not hold a key of 64 hex digits";
    case VAULT_EXPOSED:
        return "the key file is readable by everybody: chmod 600 it";
    case VAULT_SEALED:
        return "a secret in the database was encrypted with another key file";
    }
    return "unknown";
}

/* ---- the key file ---- */

/* A file that could not be written whole is taken away again: half a key would stop the next start. */
static enum vault_error key_make(const char *path)
{
    char hex[KEY_HEX_LEN + 2];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return VAULT_UNREADABLE;
    digest_random_hex(hex, KEY_LEN);
    hex[KEY_HEX_LEN] = '\n';
    bool written = write(fd, hex, KEY_HEX_LEN + 1) == KEY_HEX_LEN + 1 && fsync(fd) == 0;
    OPENSSL_cleanse(hex, sizeof hex);
    int error = errno;
    if (close(fd) == 0 && written)
        return VAULT_OK;
    unlink(path);
    errno = error;
    return VAULT_UNREADABLE;
}

static enum vault_error key_parse(const char *hex, ssize_t len, unsigned char key[KEY_LEN])
{
    bool right = len == KEY_HEX_LEN || (len == KEY_HEX_LEN + 1 && hex[KEY_HEX_LEN] == '\n');
    return right && digest_from_hex(hex, key) ? VAULT_OK : VAULT_MALFORMED;
}

/* Takes away the rights of others to read the file. If it is not ours, the log has a warning. */
static enum vault_error tighten(int fd, mode_t mode, bool *exposed)
{
    *exposed = (mode & 077) != 0;
    bool left_open = *exposed && fchmod(fd, mode & 0700) != 0;
    return left_open && mode & 007 ? VAULT_EXPOSED : VAULT_OK;
}

static enum vault_error key_read(const char *path, unsigned char key[KEY_LEN], bool *exposed)
{
    char hex[KEY_HEX_LEN + 2];
    struct stat about;
    int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe nobody writes to would hold us for ever */
    if (fd < 0)
        return errno == ENOENT ? VAULT_ABSENT : VAULT_UNREADABLE;
    enum vault_error error = fstat(fd, &about) != 0    ? VAULT_UNREADABLE
                             : !S_ISREG(about.st_mode) ? VAULT_NOT_FILE
                                                       : tighten(fd, about.st_mode, exposed);
    if (error == VAULT_OK) {
        ssize_t len = read(fd, hex, sizeof hex);
        error = len < 0 ? VAULT_UNREADABLE : key_parse(hex, len, key);
    }
    OPENSSL_cleanse(hex, sizeof hex);
    close(fd);
    return error;
}

static void hmac(const unsigned char key[KEY_LEN], struct bytes text, unsigned char out[KEY_LEN])
{
    unsigned len = 0;
    unsigned char *made =
        HMAC(EVP_sha256(), key, KEY_LEN, (const unsigned char *)text.data, text.len, out, &len);
    assert(made && len == KEY_LEN && "HMAC-SHA256 takes every key and text");
}

enum vault_error vault_open(const char *path, struct vault **vault)
{
    unsigned char key[KEY_LEN];
    bool exposed = false;
    *vault = NULL;
    enum vault_error error = key_read(path, key, &exposed);
    if (error == VAULT_OK) {
        *vault = memory_zero(1, sizeof **vault);
        (*vault)->exposed = exposed;
        hmac(key, bytes_of("posthorn seal"), (*vault)->key);
        hmac(key, bytes_of("posthorn derive"), (*vault)->derive_key);
        hmac(key, bytes_of("posthorn fingerprint"), (*vault)->fingerprint);
    }
    OPENSSL_cleanse(key, sizeof key);
    return error;
}

enum vault_error vault_make(const char *path, struct vault **vault)
{
    *vault = NULL;
    enum vault_error error = key_make(path);
    return error == VAULT_OK ? vault_open(path, vault) : error;
}

const unsigned char *vault_fingerprint(const struct vault *vault)
{
    return vault->fingerprint;
}

bool vault_was_exposed(const struct vault *vault)
{
    return vault->exposed;
}

void vault_close(struct vault *vault)
{
    if (!vault)
        return;
    OPENSSL_cleanse(vault, sizeof *vault);
    free(vault);
}

void vault_derive(const struct vault *vault, struct bytes context, unsigned char out[32])
{
    hmac(vault->derive_key, context, out);
}

/* ---- sealing ---- */

struct bytes vault_seal(const struct vault *vault, struct bytes context, struct bytes plain,
                        struct arena *arena)
{
    unsigned char *out = arena_alloc(arena, HEAD_LEN + plain.len);
    if (!out)
        return (struct bytes){NULL, 0};
    unsigned char *nonce = out + 1, *tag = nonce + NONCE_LEN, *text = tag + TAG_LEN;
    int len = 0, tail = 0;
    out[0] = VERSION;
    digest_random(nonce, NONCE_LEN);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool sealed =
        cipher && EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, vault->key, nonce) == 1 &&
        EVP_EncryptUpdate(cipher, NULL, &len, (const unsigned char *)context.data, (int)context.len) == 1 &&
        EVP_EncryptUpdate(cipher, text, &len, (const unsigned char *)plain.data, (int)plain.len) == 1 &&
        EVP_EncryptFinal_ex(cipher, text + len, &tail) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag) == 1;
    EVP_CIPHER_CTX_free(cipher);
    assert(sealed && "AES-GCM takes every key, nonce and text");
    return bytes_make(out, HEAD_LEN + plain.len);
}

static bool unseal(const struct vault *vault, struct bytes context, struct bytes sealed, unsigned char *out)
{
    const unsigned char *nonce = (const unsigned char *)sealed.data + 1;
    unsigned char tag[TAG_LEN];
    int len = 0, tail = 0;
    memcpy(tag, nonce + NONCE_LEN, TAG_LEN);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool opened =
        cipher && EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, vault->key, nonce) == 1 &&
        EVP_DecryptUpdate(cipher, NULL, &len, (const unsigned char *)context.data, (int)context.len) == 1 &&
        EVP_DecryptUpdate(cipher, out, &len, nonce + NONCE_LEN + TAG_LEN, (int)(sealed.len - HEAD_LEN)) ==
            1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag) == 1 &&
        EVP_DecryptFinal_ex(cipher, out + len, &tail) == 1;
    EVP_CIPHER_CTX_free(cipher);
    return opened;
}

enum vault_error vault_unseal(const struct vault *vault, struct bytes context, struct bytes sealed,
                              struct arena *arena, struct bytes *plain)
{
    if (sealed.len < HEAD_LEN || sealed.data[0] != VERSION)
        return VAULT_SEALED;
    unsigned char *out = arena_alloc(arena, sealed.len - HEAD_LEN + 1);
    if (!out)
        return VAULT_SEALED;
    if (!unseal(vault, context, sealed, out)) {
        OPENSSL_cleanse(out, sealed.len - HEAD_LEN + 1);
        return VAULT_SEALED;
    }
    out[sealed.len - HEAD_LEN] = '\0';
    *plain = bytes_make(out, sealed.len - HEAD_LEN);
    return VAULT_OK;
}
