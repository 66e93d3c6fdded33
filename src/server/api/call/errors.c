#include "errors.h"
#include <assert.h>

#define API_ERROR_ROW(symbol, status, code, title) {status, code, title},
static const struct api_error_row rows[API_ERROR_COUNT] = {API_ERROR_LIST(API_ERROR_ROW)};
#undef API_ERROR_ROW

const struct api_error_row *api_error_row(enum api_error error)
{
    assert(error < API_ERROR_COUNT);
    return &rows[error];
}

enum api_error api_error_of_status(int status)
{
    switch (status) {
    case 401:
        return API_AUTH_INVALID;
    case 403: /* the listener refuses nothing else with it */
        return API_CLIENT_CERTIFICATE;
    case 404:
        return API_NOT_FOUND;
    case 405:
        return API_METHOD_NOT_ALLOWED;
    case 408:
        return API_REQUEST_TIMEOUT;
    case 413:
        return API_BODY_TOO_LARGE;
    case 414:
        return API_TARGET_TOO_LONG;
    case 415:
        return API_MEDIA_TYPE;
    case 431:
        return API_HEADERS_TOO_LARGE;
    case 501:
        return API_NOT_IMPLEMENTED;
    case 503:
        return API_BUSY;
    case 505:
        return API_HTTP_VERSION;
    default:
        return status < 500 ? API_REQUEST_INVALID : API_INTERNAL;
    }
}
