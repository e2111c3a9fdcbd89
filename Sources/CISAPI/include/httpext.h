// The contract between Mortise and an extension.
// SPDX-License-Identifier: Apache-2.0
//
// An extension is a shared object that exports GetExtensionVersion and HttpExtensionProc, and if it likes
// TerminateExtension and GetExtensionThreadSafety. Names, values and layouts are those of ISAPI, so that
// existing sources compile:
//
//     cc -shared -fPIC -I…/CISAPI/include hello.c -o libhello.so
//
// How to read the comments: "host" is the program that loads the extension, be it the server's own process
// or a worker process of an isolated pool; the two give the same bytes. "During the request" means until
// HttpExtensionProc returns, or, when it returned HSE_STATUS_PENDING, until HSE_REQ_DONE_WITH_SESSION.
// Every function that returns BOOL returns exactly TRUE or FALSE; FALSE sets GetLastError on that thread.
#pragma once

#include "windows.h"

#ifdef __cplusplus
extern "C" {
#endif

// The entry points are visible whatever -fvisibility says.
#if defined(__GNUC__)
#define HSE_EXPORT __attribute__((visibility("default")))
#else
#define HSE_EXPORT
#endif

// ---- Version -----------------------------------------------------------------------------------------

#define HSE_VERSION_MAJOR 8
#define HSE_VERSION_MINOR 0
#define HSE_VERSION MAKELONG(HSE_VERSION_MINOR, HSE_VERSION_MAJOR)

#define HSE_LOG_BUFFER_LEN 80
#define HSE_MAX_EXT_DLL_NAME_LEN 256

/// What an extension says of itself. Owner: host. Lives: during GetExtensionVersion.
typedef struct _HSE_VERSION_INFO {
    DWORD dwExtensionVersion;                      ///< Out. HSE_VERSION, or any number: none is refused.
    CHAR lpszExtensionDesc[HSE_MAX_EXT_DLL_NAME_LEN]; ///< Out. NUL-terminated; shown to people.
} HSE_VERSION_INFO, *LPHSE_VERSION_INFO;

// ---- What HttpExtensionProc returns ------------------------------------------------------------------

#define HSE_STATUS_SUCCESS 1               ///< Finished. Without any output the client gets a 500.
#define HSE_STATUS_SUCCESS_AND_KEEP_CONN 2 ///< The same: the host decides on keep-alive.
#define HSE_STATUS_PENDING 3               ///< Goes on; HSE_REQ_DONE_WITH_SESSION will end it, or a deadline.
#define HSE_STATUS_ERROR 4                 ///< Failed: 500, or the connection cut when a head was sent.

#define HSE_TERM_ADVISORY_UNLOAD 0x00000001
#define HSE_TERM_MUST_UNLOAD 0x00000002

// ---- The extension control block ---------------------------------------------------------------------

/// Names one request. Owner: host. Not a pointer to follow: it is checked at every call, and one whose
/// request has ended is refused with ERROR_INVALID_PARAMETER, however late the call comes.
typedef LPVOID HCONN;

typedef struct _EXTENSION_CONTROL_BLOCK EXTENSION_CONTROL_BLOCK;

/// One request as the extension sees it.
///
/// Owner: host. Lives: during the request; afterwards the memory rests for a while, in which ConnID is
/// refused with ERROR_INVALID_PARAMETER, and then serves another request. All strings are NUL-terminated,
/// never NULL, owned by the host and alive as long as the block. Fields marked In must not be changed.
/// The four functions may be called from any thread during the request, one at a time: a thread waits
/// until another one is out of them, and gets ERROR_BUSY after a minute. HSE_REQ_DONE_WITH_SESSION alone
/// never waits: the request ends when the thread that is still inside leaves.
struct _EXTENSION_CONTROL_BLOCK {
    DWORD cbSize;                         ///< In. sizeof(EXTENSION_CONTROL_BLOCK), 192.
    DWORD dwVersion;                      ///< In. HSE_VERSION of the host: high word major, low word minor.
    HCONN ConnID;                         ///< In. First argument of the four functions.
    DWORD dwHttpStatusCode;               ///< Out. Status for the access log; 200 before. Sends nothing.
    CHAR lpszLogData[HSE_LOG_BUFFER_LEN]; ///< Out. Text for the access log; "" before. Cut at 80 bytes.

    LPSTR lpszMethod;         ///< In. REQUEST_METHOD.
    LPSTR lpszQueryString;    ///< In. What follows the "?", as the client sent it.
    LPSTR lpszPathInfo;       ///< In. PATH_INFO: the path behind the part that chose the extension.
    LPSTR lpszPathTranslated; ///< In. PATH_INFO as a path of the file system; "" without PATH_INFO.

    DWORD cbTotalBytes;    ///< In. Length of the body; 0xffffffff: 4 GiB or more, or unknown: read to the end.
    DWORD cbAvailable;     ///< In. How many of them are in lpbData; at most 48 KiB, fewer when they still arrive.
    LPBYTE lpbData;        ///< In. The body's first bytes, with a NUL behind them. ReadClient goes on after them.
    LPSTR lpszContentType; ///< In. CONTENT_TYPE.

    /// Copies a server variable and its NUL into `lpvBuffer`.
    /// `lpdwSize`: In, room in bytes; out, bytes copied, or needed (ERROR_INSUFFICIENT_BUFFER), NUL included.
    /// A NULL buffer with room 0 asks for the size. Names are not case-sensitive.
    /// FALSE: ERROR_INSUFFICIENT_BUFFER; ERROR_INVALID_INDEX no such variable, or a field the client did
    /// not send; ERROR_NO_DATA a variable that says nothing of this request; ERROR_INVALID_PARAMETER.
    BOOL(WINAPI *GetServerVariable)(HCONN hConn, LPSTR lpszVariableName, LPVOID lpvBuffer, LPDWORD lpdwSize);

    /// Sends body bytes to the client. The buffer is the extension's again when the call returns.
    /// `lpdwBytes`: In, how many; out, how many were taken: all of them. `dwReserved`: HSE_IO_ flags, ignored:
    /// every write is synchronous, and may wait for a slow client.
    /// Without a header call before, bytes that begin with "HTTP/1." or like a header block are taken as one
    /// up to its blank line, which may come in a later call; anything else is the body of a "200 OK",
    /// text/html.
    /// FALSE: ERROR_CONNECTION_ABORTED the client is gone; ERROR_INVALID_DATA a head that cannot be sent;
    /// ERROR_INVALID_PARAMETER.
    BOOL(WINAPI *WriteClient)(HCONN hConn, LPVOID lpvBuffer, LPDWORD lpdwBytes, DWORD dwReserved);

    /// Reads body bytes that follow those of lpbData; may wait for the client.
    /// `lpdwSize`: In, room; out, bytes read, perhaps fewer than asked for. TRUE with 0 is the end.
    /// The bytes never carry chunk encoding.
    /// FALSE: ERROR_READ_FAULT the client is gone before the end; ERROR_INVALID_PARAMETER.
    BOOL(WINAPI *ReadClient)(HCONN hConn, LPVOID lpvBuffer, LPDWORD lpdwSize);

    /// Everything else: one of the HSE_REQ_ codes below, which say what the other arguments are.
    /// FALSE: ERROR_INVALID_PARAMETER also for a code the host does not know.
    BOOL(WINAPI *ServerSupportFunction)(
        HCONN hConn, DWORD dwHSERequest, LPVOID lpvBuffer, LPDWORD lpdwSize, LPDWORD lpdwDataType);
};

typedef EXTENSION_CONTROL_BLOCK *LPEXTENSION_CONTROL_BLOCK;

// ---- What an extension exports -----------------------------------------------------------------------

/// Required. Called once after loading, before any request, on one thread. TRUE: ready.
/// FALSE: it cannot be used; SetLastError gives the reason to the host's log.
HSE_EXPORT BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *pVer);

/// Required. Called for each request: on many threads at once when the extension is thread-safe, else one
/// request at a time in a process of its own. An HSE_STATUS_.
HSE_EXPORT DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *pECB);

/// Optional. Called once before the process leaves, when no request is outstanding. The place to join
/// threads. `dwFlags`: HSE_TERM_MUST_UNLOAD. The result is ignored: nothing is ever unloaded.
HSE_EXPORT BOOL WINAPI TerminateExtension(DWORD dwFlags);

#define HSE_NOT_THREAD_SAFE 0
#define HSE_THREAD_SAFE 1

/// Optional, and Mortise's own. HSE_THREAD_SAFE: HttpExtensionProc may run on many threads at once. Called
/// once, after GetExtensionVersion. An extension without it counts as not thread-safe, and works: it runs
/// in worker processes, each with one request at a time. The configuration overrules both.
HSE_EXPORT DWORD WINAPI GetExtensionThreadSafety(void);

typedef BOOL(WINAPI *PFN_GETEXTENSIONVERSION)(HSE_VERSION_INFO *pVer);
typedef DWORD(WINAPI *PFN_HTTPEXTENSIONPROC)(EXTENSION_CONTROL_BLOCK *pECB);
typedef BOOL(WINAPI *PFN_TERMINATEEXTENSION)(DWORD dwFlags);
typedef DWORD(WINAPI *PFN_GETEXTENSIONTHREADSAFETY)(void);

// ---- ServerSupportFunction: codes answered by this host ----------------------------------------------
// (buffer, size, type) are lpvBuffer, lpdwSize and lpdwDataType; what is not named is ignored.

/// Redirects with 302. buffer: the URL, NUL-terminated, at most *size bytes when size is given and not 0.
#define HSE_REQ_SEND_URL_REDIRECT_RESP 1
/// Sends the head. buffer: "401 Access denied", NULL = "200 OK". type: header lines, NUL-terminated, and
/// body bytes after their blank line; NULL = none. Once per request.
/// FALSE: ERROR_INVALID_DATA the lines are no header; ERROR_INVALID_FUNCTION a head was sent before.
#define HSE_REQ_SEND_RESPONSE_HEADER 3
/// Ends a request that is, or will be, HSE_STATUS_PENDING. buffer: NULL or a DWORD with the HSE_STATUS_.
/// After it the block is dead. From any thread; also before HttpExtensionProc has returned.
#define HSE_REQ_DONE_WITH_SESSION 4
#define HSE_REQ_END_RESERVED 1000
/// Turns a URL path into a path of the file system below the site's root. buffer: In the URL, out the path.
/// size: In room in bytes; out bytes of the path, or needed (ERROR_INSUFFICIENT_BUFFER), NUL included.
/// FALSE: also ERROR_FILE_NOT_FOUND, the site has no root, or the path leaves it.
#define HSE_REQ_MAP_URL_TO_PATH (HSE_REQ_END_RESERVED + 1)
/// Appends to the query in the access log. buffer: text, NUL-terminated.
#define HSE_APPEND_LOG_PARAMETER (HSE_REQ_END_RESERVED + 3)
/// buffer: a BOOL that becomes TRUE when the client wants the connection kept.
#define HSE_REQ_IS_KEEP_CONN (HSE_REQ_END_RESERVED + 8)
/// As HSE_REQ_SEND_RESPONSE_HEADER, with lengths. buffer: HSE_SEND_HEADER_EX_INFO.
#define HSE_REQ_SEND_RESPONSE_HEADER_EX (HSE_REQ_END_RESERVED + 16)
/// buffer: a BOOL that becomes FALSE when the client is known to be gone.
#define HSE_REQ_IS_CONNECTED (HSE_REQ_END_RESERVED + 18)
/// buffer: a DWORD that becomes an HSE_APP_FLAG_.
#define HSE_REQ_IS_IN_PROCESS (HSE_REQ_END_RESERVED + 30)
/// The extension is not well: within seconds another process takes over - the host's successor, or another
/// worker -, and this one finishes its requests. buffer: NULL or a reason for the error log, NUL-terminated;
/// 512 bytes of it are shown. Never waits; reported again and again it does nothing more.
#define HSE_REQ_REPORT_UNHEALTHY (HSE_REQ_END_RESERVED + 32)

#define HSE_APP_FLAG_IN_PROCESS 0
#define HSE_APP_FLAG_ISOLATED_OOP 1
#define HSE_APP_FLAG_POOLED_OOP 2

/// Owner: extension. Lives: during the call. A length may count a NUL at the end, and 0 means "up to the NUL".
typedef struct _HSE_SEND_HEADER_EX_INFO {
    LPCSTR pszStatus; ///< "200 OK"; NULL = that.
    LPCSTR pszHeader; ///< Header lines, and body bytes after their blank line; NULL = none.
    DWORD cchStatus;  ///< Length of pszStatus in bytes.
    DWORD cchHeader;  ///< Length of pszHeader in bytes.
    BOOL fKeepConn;   ///< FALSE closes the connection after the response; TRUE leaves it to the host.
} HSE_SEND_HEADER_EX_INFO, *LPHSE_SEND_HEADER_EX_INFO;

// ---- ServerSupportFunction: codes this host refuses with ERROR_INVALID_PARAMETER ---------------------
// Declared so that sources which try them, and go on when they are refused, compile.

#define HSE_REQ_SEND_URL 2
#define HSE_REQ_GET_SSPI_INFO (HSE_REQ_END_RESERVED + 2)
#define HSE_REQ_IO_COMPLETION (HSE_REQ_END_RESERVED + 5)
#define HSE_REQ_TRANSMIT_FILE (HSE_REQ_END_RESERVED + 6)
#define HSE_REQ_REFRESH_ISAPI_ACL (HSE_REQ_END_RESERVED + 7)
#define HSE_REQ_ASYNC_READ_CLIENT (HSE_REQ_END_RESERVED + 10)
#define HSE_REQ_GET_IMPERSONATION_TOKEN (HSE_REQ_END_RESERVED + 11)
#define HSE_REQ_MAP_URL_TO_PATH_EX (HSE_REQ_END_RESERVED + 12)
#define HSE_REQ_ABORTIVE_CLOSE (HSE_REQ_END_RESERVED + 14)
#define HSE_REQ_GET_CERT_INFO_EX (HSE_REQ_END_RESERVED + 15)
#define HSE_REQ_CLOSE_CONNECTION (HSE_REQ_END_RESERVED + 17)
#define HSE_REQ_EXTENSION_TRIGGER (HSE_REQ_END_RESERVED + 20)
#define HSE_REQ_MAP_UNICODE_URL_TO_PATH (HSE_REQ_END_RESERVED + 23)
#define HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX (HSE_REQ_END_RESERVED + 24)
#define HSE_REQ_EXEC_UNICODE_URL (HSE_REQ_END_RESERVED + 25)
#define HSE_REQ_EXEC_URL (HSE_REQ_END_RESERVED + 26)
#define HSE_REQ_GET_EXEC_URL_STATUS (HSE_REQ_END_RESERVED + 27)
#define HSE_REQ_SEND_CUSTOM_ERROR (HSE_REQ_END_RESERVED + 28)
#define HSE_REQ_NORMALIZE_URL (HSE_REQ_END_RESERVED + 33)
#define HSE_REQ_VECTOR_SEND (HSE_REQ_END_RESERVED + 37)
#define HSE_REQ_GET_ANONYMOUS_TOKEN (HSE_REQ_END_RESERVED + 38)
#define HSE_REQ_GET_CACHE_INVALIDATION_CALLBACK (HSE_REQ_END_RESERVED + 40)
#define HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN (HSE_REQ_END_RESERVED + 41)
#define HSE_REQ_GET_TRACE_INFO (HSE_REQ_END_RESERVED + 42)
#define HSE_REQ_SET_FLUSH_FLAG (HSE_REQ_END_RESERVED + 43)
#define HSE_REQ_GET_TRACE_INFO_EX (HSE_REQ_END_RESERVED + 44)
#define HSE_REQ_RAISE_TRACE_EVENT (HSE_REQ_END_RESERVED + 45)
#define HSE_REQ_GET_CONFIG_OBJECT (HSE_REQ_END_RESERVED + 46)
#define HSE_REQ_GET_WORKER_PROCESS_SETTINGS (HSE_REQ_END_RESERVED + 47)
#define HSE_REQ_GET_PROTOCOL_MANAGER_CUSTOM_INTERFACE_CALLBACK (HSE_REQ_END_RESERVED + 48)
#define HSE_REQ_CANCEL_IO (HSE_REQ_END_RESERVED + 49)
#define HSE_REQ_GET_CHANNEL_BINDING_TOKEN (HSE_REQ_END_RESERVED + 50)

// ---- Flags and structures of those codes -------------------------------------------------------------
// Owner: extension, during the call and until its completion, unless a line says otherwise.

#define HSE_IO_SYNC 0x00000001
#define HSE_IO_ASYNC 0x00000002
#define HSE_IO_DISCONNECT_AFTER_SEND 0x00000004
#define HSE_IO_SEND_HEADERS 0x00000008
#define HSE_IO_FINAL_SEND 0x00000010
#define HSE_IO_CACHE_RESPONSE 0x00000020
#define HSE_IO_TRY_SKIP_CUSTOM_ERRORS 0x00000040
#define HSE_IO_NODELAY 0x00001000

#define HSE_URL_FLAGS_READ 0x00000001
#define HSE_URL_FLAGS_WRITE 0x00000002
#define HSE_URL_FLAGS_EXECUTE 0x00000004
#define HSE_URL_FLAGS_SSL 0x00000008
#define HSE_URL_FLAGS_DONT_CACHE 0x00000010
#define HSE_URL_FLAGS_NEGO_CERT 0x00000020
#define HSE_URL_FLAGS_REQUIRE_CERT 0x00000040
#define HSE_URL_FLAGS_MAP_CERT 0x00000080
#define HSE_URL_FLAGS_SSL128 0x00000100
#define HSE_URL_FLAGS_SCRIPT 0x00000200
#define HSE_URL_FLAGS_MASK 0x000003ff

#define HSE_EXEC_URL_NO_HEADERS 0x02
#define HSE_EXEC_URL_IGNORE_CURRENT_INTERCEPTOR 0x04
#define HSE_EXEC_URL_IGNORE_VALIDATION_AND_RANGE 0x10
#define HSE_EXEC_URL_DISABLE_CUSTOM_ERROR 0x20
#define HSE_EXEC_URL_SSI_CMD 0x40
#define HSE_EXEC_URL_HTTP_CACHE_ELIGIBLE 0x80

#define HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER 0
#define HSE_VECTOR_ELEMENT_TYPE_FILE_HANDLE 1

/// Tells of a finished asynchronous operation: bytes moved and an ERROR_ number.
typedef VOID(WINAPI *PFN_HSE_IO_COMPLETION)(
    EXTENSION_CONTROL_BLOCK *pECB, PVOID pContext, DWORD cbIO, DWORD dwError);

typedef HRESULT(WINAPI *PFN_HSE_CACHE_INVALIDATION_CALLBACK)(WCHAR *pszUrl);

typedef HRESULT(WINAPI *PFN_HSE_GET_PROTOCOL_MANAGER_CUSTOM_INTERFACE_CALLBACK)(
    LPCWSTR pszProtocolManagerDll, LPCWSTR pszProtocolManagerDllInitFunction,
    DWORD dwCustomInterfaceId, PVOID *ppCustomInterface);

/// Where a URL leads (HSE_REQ_MAP_URL_TO_PATH_EX); filled in by the host.
typedef struct _HSE_URL_MAPEX_INFO {
    CHAR lpszPath[MAX_PATH]; ///< Out. NUL-terminated.
    DWORD dwFlags;           ///< Out. HSE_URL_FLAGS_.
    DWORD cchMatchingPath;   ///< Out. Bytes of the path that are the mapped folder.
    DWORD cchMatchingURL;    ///< Out. Bytes of the URL that chose it.
    DWORD dwReserved1;
    DWORD dwReserved2;
} HSE_URL_MAPEX_INFO, *LPHSE_URL_MAPEX_INFO;

/// The same with 16-bit characters.
typedef struct _HSE_UNICODE_URL_MAPEX_INFO {
    WCHAR lpszPath[MAX_PATH];
    DWORD dwFlags;
    DWORD cchMatchingPath;
    DWORD cchMatchingURL;
} HSE_UNICODE_URL_MAPEX_INFO, *LPHSE_UNICODE_URL_MAPEX_INFO;

/// A file to send (HSE_REQ_TRANSMIT_FILE).
typedef struct _HSE_TF_INFO {
    PFN_HSE_IO_COMPLETION pfnHseIO; ///< Completion; NULL = the one of HSE_REQ_IO_COMPLETION.
    PVOID pContext;                 ///< Its context.
    HANDLE hFile;                   ///< The file; stays the extension's, its offset is not moved.
    LPCSTR pszStatusCode;           ///< Status with HSE_IO_SEND_HEADERS.
    DWORD BytesToWrite;             ///< 0 = to the end of the file.
    DWORD Offset;                   ///< Where in the file to begin.
    PVOID pHead;                    ///< Bytes before the file: header lines with HSE_IO_SEND_HEADERS.
    DWORD HeadLength;
    PVOID pTail;                    ///< Bytes after the file.
    DWORD TailLength;
    DWORD dwFlags;                  ///< HSE_IO_.
} HSE_TF_INFO, *LPHSE_TF_INFO;

typedef struct _HSE_EXEC_URL_USER_INFO {
    HANDLE hImpersonationToken;
    LPSTR pszCustomUserName;
    LPSTR pszCustomAuthType;
} HSE_EXEC_URL_USER_INFO, *LPHSE_EXEC_URL_USER_INFO;

typedef struct _HSE_EXEC_UNICODE_URL_USER_INFO {
    HANDLE hImpersonationToken;
    LPWSTR pszCustomUserName;
    LPSTR pszCustomAuthType;
} HSE_EXEC_UNICODE_URL_USER_INFO, *LPHSE_EXEC_UNICODE_URL_USER_INFO;

typedef struct _HSE_EXEC_URL_ENTITY_INFO {
    DWORD cbAvailable;
    LPVOID lpbData;
} HSE_EXEC_URL_ENTITY_INFO, *LPHSE_EXEC_URL_ENTITY_INFO;

typedef struct _HSE_EXEC_URL_STATUS {
    USHORT uHttpStatusCode;
    USHORT uHttpSubStatus;
    DWORD dwWin32Error;
} HSE_EXEC_URL_STATUS, *LPHSE_EXEC_URL_STATUS;

/// A request of the extension's own to another URL of the site (HSE_REQ_EXEC_URL).
typedef struct _HSE_EXEC_URL_INFO {
    LPSTR pszUrl;          ///< NULL = the same URL again.
    LPSTR pszMethod;       ///< NULL = the same method.
    LPSTR pszChildHeaders; ///< Replaces all header lines; NULL = the same.
    LPHSE_EXEC_URL_USER_INFO pUserInfo;
    LPHSE_EXEC_URL_ENTITY_INFO pEntity;
    DWORD dwExecUrlFlags; ///< HSE_EXEC_URL_.
} HSE_EXEC_URL_INFO, *LPHSE_EXEC_URL_INFO;

/// The same with a URL of 16-bit characters.
typedef struct _HSE_EXEC_UNICODE_URL_INFO {
    LPWSTR pszUrl;
    LPSTR pszMethod;
    LPSTR pszChildHeaders;
    LPHSE_EXEC_UNICODE_URL_USER_INFO pUserInfo;
    LPHSE_EXEC_URL_ENTITY_INFO pEntity;
    DWORD dwExecUrlFlags;
} HSE_EXEC_UNICODE_URL_INFO, *LPHSE_EXEC_UNICODE_URL_INFO;

typedef struct _HSE_CUSTOM_ERROR_INFO {
    CHAR *pszStatus;
    USHORT uHttpSubError;
    BOOL fAsync;
} HSE_CUSTOM_ERROR_INFO, *LPHSE_CUSTOM_ERROR_INFO;

/// One piece of a response (HSE_REQ_VECTOR_SEND).
typedef struct _HSE_VECTOR_ELEMENT {
    DWORD ElementType;  ///< HSE_VECTOR_ELEMENT_TYPE_.
    PVOID pvContext;    ///< The bytes, or the file's handle.
    ULONGLONG cbOffset; ///< Where in them to begin.
    ULONGLONG cbSize;   ///< How many; 0 = the whole file.
} HSE_VECTOR_ELEMENT, *LPHSE_VECTOR_ELEMENT;

typedef struct _HSE_RESPONSE_VECTOR {
    DWORD dwFlags;   ///< HSE_IO_.
    LPSTR pszStatus; ///< With HSE_IO_SEND_HEADERS, else NULL.
    LPSTR pszHeaders;
    DWORD nElementCount;
    HSE_VECTOR_ELEMENT *lpElementArray;
} HSE_RESPONSE_VECTOR, *LPHSE_RESPONSE_VECTOR;

typedef struct _HSE_TRACE_INFO {
    BOOL fTraceRequest;
    BYTE TraceContextId[16];
    DWORD dwReserved1;
    DWORD dwReserved2;
} HSE_TRACE_INFO, *LPHSE_TRACE_INFO;

#ifndef MORTISE_CERT_CONTEXT
#define MORTISE_CERT_CONTEXT
typedef struct _CERT_CONTEXT {
    DWORD dwCertEncodingType;
    BYTE *pbCertEncoded;
    DWORD cbCertEncoded;
    PVOID pCertInfo;
    HANDLE hCertStore;
} CERT_CONTEXT, *PCERT_CONTEXT;
#endif

/// The client's certificate (HSE_REQ_GET_CERT_INFO_EX).
typedef struct _CERT_CONTEXT_EX {
    CERT_CONTEXT CertContext;
    DWORD cbAllocated;
    DWORD dwCertificateFlags;
} CERT_CONTEXT_EX;

#ifdef __cplusplus
}
#endif
