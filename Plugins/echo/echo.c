// Tells what the server told it: the control block, all server variables and the body's digest, as JSON.
// SPDX-License-Identifier: Apache-2.0
#include <httpext.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Text that grows.
typedef struct {
    char *bytes;
    size_t length, room;
    BOOL failed;
} TEXT_BUFFER;

static const char *const variables[] = {
    "ALL_HTTP", "ALL_RAW", "APPL_MD_PATH", "APPL_PHYSICAL_PATH", "APP_POOL_CONFIG", "APP_POOL_ID",
    "AUTH_PASSWORD", "AUTH_TYPE", "AUTH_USER", "CACHE_URL", "CERT_COOKIE", "CERT_FLAGS", "CERT_ISSUER",
    "CERT_KEYSIZE", "CERT_SECRETKEYSIZE", "CERT_SERIALNUMBER", "CERT_SERVER_ISSUER",
    "CERT_SERVER_SUBJECT", "CERT_SUBJECT", "CONTENT_LENGTH", "CONTENT_TYPE", "CRYPT_PROTOCOL",
    "DOCUMENT_ROOT", "FORWARDED_URL", "GATEWAY_INTERFACE", "HTTPS", "HTTPS_KEYSIZE",
    "HTTPS_SECRETKEYSIZE", "HTTPS_SERVER_ISSUER", "HTTPS_SERVER_SUBJECT", "HTTP_ACCEPT",
    "HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_HOST", "HTTP_METHOD", "HTTP_REFERER", "HTTP_URL",
    "HTTP_USER_AGENT", "HTTP_VERSION", "INSTANCE_ID", "INSTANCE_META_PATH", "INSTANCE_NAME",
    "LOCAL_ADDR", "LOGON_USER", "MANAGED_PIPELINE_MODE", "PATH_INFO", "PATH_TRANSLATED",
    "QUERY_STRING", "REMOTE_ADDR", "REMOTE_HOST", "REMOTE_PORT", "REMOTE_USER", "REQUEST_FILENAME",
    "REQUEST_METHOD", "REQUEST_URI", "SCRIPT_FILENAME", "SCRIPT_NAME", "SCRIPT_TRANSLATED",
    "SERVER_ADDR", "SERVER_NAME", "SERVER_PORT", "SERVER_PORT_SECURE", "SERVER_PROTOCOL",
    "SERVER_SOFTWARE", "UNENCODED_URL", "UNMAPPED_REMOTE_USER", "URL",
};

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy_s(version->lpszExtensionDesc, sizeof version->lpszExtensionDesc,
             "Echo: the control block and all server variables as JSON");
    return TRUE;
}

DWORD WINAPI GetExtensionThreadSafety(void) { return HSE_THREAD_SAFE; }

static void put(TEXT_BUFFER *text, const char *bytes, size_t length) {
    if (text->room - text->length < length) {
        size_t room = (text->room + length) * 2;
        char *grown = realloc(text->bytes, room);
        if (!grown) text->failed = TRUE;
        if (text->failed) return;
        text->bytes = grown;
        text->room = room;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void put_text(TEXT_BUFFER *text, const char *string) { put(text, string, strlen(string)); }

// How many bytes of well-formed UTF-8 begin here; 0 = none (RFC 3629 §4).
static size_t utf8_length(const unsigned char *at, size_t left) {
    unsigned char low = 0x80, high = 0xbf;
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    if (length < 2) return length;
    if (length > left) return 0;
    if (at[0] == 0xe0) low = 0xa0;
    if (at[0] == 0xed) high = 0x9f;
    if (at[0] == 0xf0) low = 0x90;
    if (at[0] == 0xf4) high = 0x8f;
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if (at[i] < 0x80 || at[i] > 0xbf) return 0;
    return length;
}

// A JSON string (RFC 8259 §7). Bytes that are no UTF-8 become the character of their number (Latin-1).
static void put_string(TEXT_BUFFER *text, const char *string, size_t length) {
    const unsigned char *bytes = (const unsigned char *)string;
    put_text(text, "\"");
    for (size_t i = 0; i < length;) {
        size_t run = utf8_length(bytes + i, length - i);
        if (run == 0 || bytes[i] < 0x20 || bytes[i] == '"' || bytes[i] == '\\' || bytes[i] == 0x7f) {
            char escape[8];
            sprintf_s(escape, sizeof escape, "\\u%04x", bytes[i]);
            put_text(text, escape);
            run = 1;
        } else {
            put(text, string + i, run);
        }
        i += run;
    }
    put_text(text, "\"");
}

static void put_number(TEXT_BUFFER *text, const char *name, unsigned long long value) {
    char line[96];
    sprintf_s(line, sizeof line, "  \"%s\": %llu,\n", name, value);
    put_text(text, line);
}

static void put_field(TEXT_BUFFER *text, const char *name, const char *value) {
    put_text(text, "  \"");
    put_text(text, name);
    put_text(text, "\": ");
    put_string(text, value, strlen(value));
    put_text(text, ",\n");
}

static void put_block(TEXT_BUFFER *text, EXTENSION_CONTROL_BLOCK *ecb) {
    BOOL keeps = FALSE;
    DWORD home = 0;
    ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_IS_KEEP_CONN, &keeps, NULL, NULL);
    ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_IS_IN_PROCESS, &home, NULL, NULL);
    put_number(text, "cbSize", ecb->cbSize);
    put_number(text, "dwVersion", ecb->dwVersion);
    put_number(text, "dwHttpStatusCode", ecb->dwHttpStatusCode);
    put_field(text, "lpszLogData", ecb->lpszLogData);
    put_field(text, "lpszMethod", ecb->lpszMethod);
    put_field(text, "lpszQueryString", ecb->lpszQueryString);
    put_field(text, "lpszPathInfo", ecb->lpszPathInfo);
    put_field(text, "lpszPathTranslated", ecb->lpszPathTranslated);
    put_number(text, "cbTotalBytes", ecb->cbTotalBytes);
    put_number(text, "cbAvailable", ecb->cbAvailable);
    put_field(text, "lpszContentType", ecb->lpszContentType);
    put_number(text, "keepConn", (unsigned)keeps);
    put_number(text, "inProcess", home);
    put_number(text, "pid", (unsigned)getpid());
}

static void put_variable(TEXT_BUFFER *text, EXTENSION_CONTROL_BLOCK *ecb, const char *name) {
    DWORD size = 0;
    ecb->GetServerVariable(ecb->ConnID, (LPSTR)name, NULL, &size);
    if (GetLastError() != ERROR_INSUFFICIENT_BUFFER || size == 0) return;
    char *value = malloc(size);
    if (value && ecb->GetServerVariable(ecb->ConnID, (LPSTR)name, value, &size)) {
        put_text(text, text->bytes[text->length - 1] == '{' ? "\n    \"" : ",\n    \"");
        put_text(text, name);
        put_text(text, "\": ");
        put_string(text, value, size - 1);
    }
    free(value);
}

static void put_variables(TEXT_BUFFER *text, EXTENSION_CONTROL_BLOCK *ecb) {
    put_text(text, "  \"variables\": {");
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        SetLastError(NO_ERROR);
        put_variable(text, ecb, variables[i]);
    }
    put_text(text, "\n  },\n");
}

static BOOL put_body(TEXT_BUFFER *text, EXTENSION_CONTROL_BLOCK *ecb) {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    unsigned long long size = ecb->cbAvailable;
    char buffer[16384], hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    if (!digest || !EVP_DigestInit_ex(digest, EVP_sha256(), NULL)) return FALSE;
    EVP_DigestUpdate(digest, ecb->lpbData, ecb->cbAvailable);
    for (;;) {
        DWORD count = sizeof buffer;
        if (!ecb->ReadClient(ecb->ConnID, buffer, &count)) text->failed = TRUE;
        if (count == 0 || text->failed) break;
        EVP_DigestUpdate(digest, buffer, count);
        size += count;
    }
    EVP_DigestFinal_ex(digest, hash, &length);
    EVP_MD_CTX_free(digest);
    for (unsigned i = 0; i < length; i++) sprintf_s(hex + 2 * i, 3, "%02x", hash[i]);
    char line[160];
    sprintf_s(line, sizeof line, "  \"body\": {\"size\": %llu, \"sha256\": \"%s\"}\n", size, hex);
    put_text(text, line);
    return !text->failed;
}

static BOOL answer(EXTENSION_CONTROL_BLOCK *ecb, const TEXT_BUFFER *text) {
    char header[128];
    sprintf_s(header, sizeof header, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
              text->length);
    HSE_SEND_HEADER_EX_INFO head = {"200 OK", header, 6, (DWORD)strlen(header), TRUE};
    DWORD length = (DWORD)text->length;
    return ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &head, NULL, NULL) &&
           ecb->WriteClient(ecb->ConnID, text->bytes, &length, HSE_IO_SYNC);
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    TEXT_BUFFER text = {NULL, 0, 0, FALSE};
    put_text(&text, "{\n");
    put_block(&text, ecb);
    put_variables(&text, ecb);
    BOOL sent = put_body(&text, ecb);
    put_text(&text, "}\n");
    sent = sent && !text.failed && answer(ecb, &text);
    free(text.bytes);
    return sent ? HSE_STATUS_SUCCESS : HSE_STATUS_ERROR;
}
