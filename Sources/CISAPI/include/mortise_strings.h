// The string functions of Microsoft's C library that ISAPI sources call, inline over the standard ones.
// SPDX-License-Identifier: Apache-2.0
//
// The `_s` family is strict: what does not fit is not copied, the destination becomes "" and ERANGE (or -1
// from the printf functions) is returned; no handler is called and nothing aborts.
//
// Rationale for MORTISE_LENIENT_SECURE_CRT: some published sources pass `sizeof(pointer)` as the size of a
// longer buffer. Defined before the first #include, that size counts as "unknown" and is not checked.
#pragma once

#include "windef.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifdef MORTISE_LENIENT_SECURE_CRT
#define MORTISE_ROOM(size) ((size) == sizeof(void *) ? (size_t)1 << 30 : (size_t)(size))
#else
#define MORTISE_ROOM(size) ((size_t)(size))
#endif

#define _TRUNCATE ((size_t)-1)
#define STRUNCATE 80

#ifdef __cplusplus
extern "C" {
#endif

typedef int errno_t;

static inline size_t mortise_length(const char *text, size_t most) {
    const void *end = memchr(text, 0, most);
    return end ? (size_t)((const char *)end - text) : most;
}

/// Copies the string with its NUL. 0, EINVAL for NULL or no room, ERANGE when it does not fit.
static inline errno_t strcpy_s(char *destination, size_t size, const char *source) {
    if (!destination || size == 0) return EINVAL;
    if (!source || strlen(source) >= MORTISE_ROOM(size)) {
        *destination = 0;
        return source ? ERANGE : EINVAL;
    }
    memmove(destination, source, strlen(source) + 1);
    return 0;
}

/// Copies at most `count` bytes and a NUL; with _TRUNCATE as many as fit (STRUNCATE when it was cut).
static inline errno_t strncpy_s(char *destination, size_t size, const char *source, size_t count) {
    if (!destination || size == 0) return EINVAL;
    if (!source) {
        *destination = 0;
        return count == 0 ? 0 : EINVAL;
    }
    size_t room = MORTISE_ROOM(size);
    size_t length = mortise_length(source, count == _TRUNCATE ? room : count);
    if (length < room) {
        memmove(destination, source, length);
        destination[length] = 0;
        return 0;
    }
    if (count != _TRUNCATE) {
        *destination = 0;
        return ERANGE;
    }
    memmove(destination, source, room - 1);
    destination[room - 1] = 0;
    return STRUNCATE;
}

/// Appends the string. 0, EINVAL for NULL or an unterminated destination, ERANGE when it does not fit.
static inline errno_t strcat_s(char *destination, size_t size, const char *source) {
    if (!destination || size == 0) return EINVAL;
    size_t room = MORTISE_ROOM(size);
    size_t used = mortise_length(destination, room);
    if (!source || used == room) {
        *destination = 0;
        return EINVAL;
    }
    if (strlen(source) >= room - used) {
        *destination = 0;
        return ERANGE;
    }
    memmove(destination + used, source, strlen(source) + 1);
    return 0;
}

/// Formats into `size` bytes. The length without the NUL, or -1 with "" in the buffer.
static inline int vsprintf_s(char *buffer, size_t size, const char *format, va_list arguments) {
    if (!buffer || size == 0 || !format) return -1;
    int length = vsnprintf(buffer, MORTISE_ROOM(size), format, arguments);
    if (length >= 0 && (size_t)length < MORTISE_ROOM(size)) return length;
    *buffer = 0;
    return -1;
}

__attribute__((format(printf, 3, 4))) static inline int sprintf_s(
    char *buffer, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsprintf_s(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

/// Formats at most `count` bytes: the length, or -1 when it was cut. Unlike the original the result always
/// ends with a NUL, so a text of exactly `count` bytes is cut.
static inline int _vsnprintf(char *buffer, size_t count, const char *format, va_list arguments) {
    int length = vsnprintf(buffer, count, format, arguments);
    return length >= 0 && (size_t)length < count ? length : -1;
}

__attribute__((format(printf, 3, 4))) static inline int _snprintf(
    char *buffer, size_t count, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = _vsnprintf(buffer, count, format, arguments);
    va_end(arguments);
    return length;
}

static inline int _stricmp(const char *a, const char *b) { return strcasecmp(a, b); }
static inline int stricmp(const char *a, const char *b) { return strcasecmp(a, b); }
static inline int strcmpi(const char *a, const char *b) { return strcasecmp(a, b); }
static inline int _strnicmp(const char *a, const char *b, size_t n) { return strncasecmp(a, b, n); }
static inline int strnicmp(const char *a, const char *b, size_t n) { return strncasecmp(a, b, n); }

/// A copy in memory of malloc; the caller frees it.
static inline char *_strdup(const char *source) {
    size_t size = strlen(source) + 1;
    char *copy = (char *)malloc(size);
    return copy ? (char *)memcpy(copy, source, size) : copy;
}

#ifdef __cplusplus
}

/// The forms that know an array's size.
template <size_t Size>
inline errno_t strcpy_s(char (&destination)[Size], const char *source) {
    return source && strlen(source) < Size ? (strcpy(destination, source), 0)
                                           : (destination[0] = 0, source ? ERANGE : EINVAL);
}
template <size_t Size>
inline errno_t strncpy_s(char (&destination)[Size], const char *source, size_t count) {
    return strncpy_s(destination, Size, source, count);
}
template <size_t Size>
inline errno_t strcat_s(char (&destination)[Size], const char *source) {
    return strcat_s(destination, Size, source);
}
template <size_t Size>
inline int vsprintf_s(char (&buffer)[Size], const char *format, va_list arguments) {
    int length = vsnprintf(buffer, Size, format, arguments);
    return length >= 0 && (size_t)length < Size ? length : (buffer[0] = 0, -1);
}
template <size_t Size>
inline int sprintf_s(char (&buffer)[Size], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsprintf_s(buffer, format, arguments);
    va_end(arguments);
    return length;
}
#endif
