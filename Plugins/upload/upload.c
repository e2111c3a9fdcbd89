// Streams a request body of any size into a file, and tells its size and SHA-256.
// SPDX-License-Identifier: Apache-2.0
//
// Settings: UPLOAD_FOLDER, where the file goes (/tmp); UPLOAD_KEEP, "1" keeps it after the answer.
#define _GNU_SOURCE
#include <httpext.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    char path[512];
    int file;
    EVP_MD_CTX *digest;
    unsigned long long size;
} UPLOAD;

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy_s(version->lpszExtensionDesc, sizeof version->lpszExtensionDesc,
             "Upload: streams a body to a file, with size and SHA-256");
    return TRUE;
}

DWORD WINAPI GetExtensionThreadSafety(void) { return HSE_THREAD_SAFE; }

// A setting of the configuration, or `fallback`.
static void setting(EXTENSION_CONTROL_BLOCK *ecb, char *name, char *room, DWORD size, const char *fallback) {
    if (!ecb->GetServerVariable(ecb->ConnID, name, room, &size)) strcpy(room, fallback);
}

static DWORD answer(EXTENSION_CONTROL_BLOCK *ecb, const char *status, const char *body) {
    char header[128];
    sprintf_s(header, sizeof header, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
              strlen(body));
    HSE_SEND_HEADER_EX_INFO head = {status, header, (DWORD)strlen(status), (DWORD)strlen(header), TRUE};
    DWORD length = (DWORD)strlen(body);
    if (!ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &head, NULL, NULL) ||
        !ecb->WriteClient(ecb->ConnID, (LPVOID)body, &length, HSE_IO_SYNC))
        return HSE_STATUS_ERROR;
    return HSE_STATUS_SUCCESS;
}

static BOOL begin(UPLOAD *upload, EXTENSION_CONTROL_BLOCK *ecb) {
    char folder[480];
    setting(ecb, "UPLOAD_FOLDER", folder, sizeof folder, "/tmp");
    sprintf_s(upload->path, sizeof upload->path, "%s/upload-XXXXXX", folder);
    upload->size = 0;
    upload->file = mkostemp(upload->path, 02000000 /* O_CLOEXEC */);
    upload->digest = EVP_MD_CTX_new();
    return upload->file >= 0 && upload->digest && EVP_DigestInit_ex(upload->digest, EVP_sha256(), NULL);
}

static BOOL take(UPLOAD *upload, const BYTE *bytes, size_t length) {
    upload->size += length;
    EVP_DigestUpdate(upload->digest, bytes, length);
    while (length > 0) {
        ssize_t written = write(upload->file, bytes, length);
        if (written < 0) return FALSE;
        bytes += written;
        length -= (size_t)written;
    }
    return TRUE;
}

// First what lpbData holds, then ReadClient until it gives nothing.
static const char *receive(UPLOAD *upload, EXTENSION_CONTROL_BLOCK *ecb) {
    BYTE buffer[65536];
    if (!take(upload, ecb->lpbData, ecb->cbAvailable)) return "507 Insufficient Storage";
    for (;;) {
        DWORD count = sizeof buffer;
        if (!ecb->ReadClient(ecb->ConnID, buffer, &count)) return "400 Bad Request";
        if (count == 0) return NULL;
        if (!take(upload, buffer, count)) return "507 Insufficient Storage";
    }
}

static void describe(UPLOAD *upload, char *text, size_t room) {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    EVP_DigestFinal_ex(upload->digest, hash, &length);
    for (unsigned i = 0; i < length; i++) sprintf_s(hex + 2 * i, 3, "%02x", hash[i]);
    sprintf_s(text, room, "{\"size\": %llu, \"sha256\": \"%s\"}\n", upload->size, hex);
}

static void end(UPLOAD *upload, EXTENSION_CONTROL_BLOCK *ecb) {
    char keep[8];
    setting(ecb, "UPLOAD_KEEP", keep, sizeof keep, "0");
    EVP_MD_CTX_free(upload->digest);
    if (upload->file < 0) return;
    close(upload->file);
    if (strcmp(keep, "1") != 0) unlink(upload->path);
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    UPLOAD upload;
    char text[256] = "{\"error\": \"the body could not be stored\"}\n";
    const char *failure = "500 Internal Server Error";
    if (begin(&upload, ecb)) failure = receive(&upload, ecb);
    if (!failure) describe(&upload, text, sizeof text);
    end(&upload, ecb);
    return answer(ecb, failure ? failure : "200 OK", text);
}
