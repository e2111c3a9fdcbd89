// An extension that does what the query string says, most of it what no extension should do.
// SPDX-License-Identifier: Apache-2.0
//
//   segv abort exit       the process ends within the call
//   sleep=MILLISECONDS    the thread is held, then 200
//   pending               PENDING and never a completion
//   later=MILLISECONDS    PENDING, completed from another thread
//   twice                 completed twice, then SUCCESS
//   ended                 uses its handle after the end, from another thread; the next request tells
//   ghost                 the same through the block itself, in which a later request's handle may stand
//   pieces=MILLISECONDS   200 in two pieces, without a length
//   nothing               SUCCESS without a response
//   error                 HSE_STATUS_ERROR without a response
//   stale                 what the call after the end returned: "0" means FALSE
#include <httpext.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int stale_result = -1;

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy(version->lpszExtensionDesc, "Does what the query says");
    return TRUE;
}

static void answer(EXTENSION_CONTROL_BLOCK *ecb, const char *text) {
    char header[128];
    snprintf(header, sizeof header, "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", strlen(text));
    HSE_SEND_HEADER_EX_INFO head = {"200 OK", header, 6, (DWORD)strlen(header), TRUE};
    DWORD size = (DWORD)strlen(text);
    ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &head, NULL, NULL);
    ecb->WriteClient(ecb->ConnID, (void *)text, &size, HSE_IO_SYNC);
}

static void done(EXTENSION_CONTROL_BLOCK *ecb) {
    DWORD state = HSE_STATUS_SUCCESS_AND_KEEP_CONN;
    ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_DONE_WITH_SESSION, &state, NULL, NULL);
}

struct later {
    EXTENSION_CONTROL_BLOCK *ecb;
    HCONN connection;
    int milliseconds;
};

static void *complete_later(void *argument) {
    struct later *later = argument;
    usleep((useconds_t)later->milliseconds * 1000);
    answer(later->ecb, "later\n");
    done(later->ecb);
    free(later);
    return NULL;
}

/// The handle by value and the functions copied: only the handle is stale, not this code's memory.
struct stale {
    HCONN connection;
    BOOL (WINAPI *write)(HCONN, LPVOID, LPDWORD, DWORD);
};

static void *use_after_end(void *argument) {
    struct stale *stale = argument;
    usleep(300 * 1000);
    DWORD size = 5;
    stale_result = stale->write(stale->connection, (void *)"ghost", &size, HSE_IO_SYNC);
    free(stale);
    return NULL;
}

static void *use_block_after_end(void *argument) {
    EXTENSION_CONTROL_BLOCK *ecb = argument;
    usleep(300 * 1000);
    DWORD size = 5;
    stale_result = ecb->WriteClient(ecb->ConnID, (void *)"ghost", &size, HSE_IO_SYNC);
    return NULL;
}

static void start(void *(*routine)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, routine, argument) == 0)
        pthread_detach(thread);
}

static int number(const char *query, const char *name) {
    size_t length = strlen(name);
    return strncmp(query, name, length) == 0 && query[length] == '=' ? atoi(query + length + 1) : -1;
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    const char *query = ecb->lpszQueryString;
    int milliseconds;
    if (strcmp(query, "segv") == 0)
        raise(SIGSEGV);
    if (strcmp(query, "abort") == 0)
        abort();
    if (strcmp(query, "exit") == 0)
        _exit(3);
    if (strcmp(query, "pending") == 0)
        return HSE_STATUS_PENDING;
    if (strcmp(query, "nothing") == 0)
        return HSE_STATUS_SUCCESS;
    if (strcmp(query, "error") == 0)
        return HSE_STATUS_ERROR;
    if ((milliseconds = number(query, "sleep")) >= 0) {
        usleep((useconds_t)milliseconds * 1000);
        answer(ecb, "slept\n");
        return HSE_STATUS_SUCCESS_AND_KEEP_CONN;
    }
    if ((milliseconds = number(query, "later")) >= 0) {
        struct later *later = malloc(sizeof *later);
        *later = (struct later){ecb, ecb->ConnID, milliseconds};
        start(complete_later, later);
        return HSE_STATUS_PENDING;
    }
    if (strcmp(query, "twice") == 0) {
        answer(ecb, "twice\n");
        done(ecb);
        done(ecb);
        return HSE_STATUS_SUCCESS;
    }
    if (strcmp(query, "ended") == 0) {
        struct stale *stale = malloc(sizeof *stale);
        *stale = (struct stale){ecb->ConnID, ecb->WriteClient};
        stale_result = -1;
        start(use_after_end, stale);
        answer(ecb, "ended\n");
        return HSE_STATUS_SUCCESS_AND_KEEP_CONN;
    }
    if (strcmp(query, "ghost") == 0) {
        stale_result = -1;
        start(use_block_after_end, ecb);
        answer(ecb, "ghost\n");
        return HSE_STATUS_SUCCESS_AND_KEEP_CONN;
    }
    if ((milliseconds = number(query, "pieces")) >= 0) {
        DWORD size = 6;
        ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER, NULL, NULL, (LPDWORD)"\r\n");
        ecb->WriteClient(ecb->ConnID, (void *)"first ", &size, HSE_IO_SYNC);
        usleep((useconds_t)milliseconds * 1000);
        size = 5;
        ecb->WriteClient(ecb->ConnID, (void *)"last\n", &size, HSE_IO_SYNC);
        return HSE_STATUS_SUCCESS_AND_KEEP_CONN;
    }
    if (strcmp(query, "stale") == 0) {
        char text[16];
        snprintf(text, sizeof text, "%d\n", stale_result);
        answer(ecb, text);
        return HSE_STATUS_SUCCESS_AND_KEEP_CONN;
    }
    answer(ecb, "ready\n");
    return HSE_STATUS_SUCCESS_AND_KEEP_CONN;
}
