// The Win32 words that ISAPI sources use, with the sizes they have on Windows.
// SPDX-License-Identifier: Apache-2.0
//
// LONG, ULONG, DWORD and BOOL are 32 bits wide although `long` has 64 here, and WCHAR is 16 bits wide
// although `wchar_t` has 32: the structures of httpext.h keep the layout that extensions were written for.
// Neither _WIN32 nor _MSC_VER is defined: code for Linux inside an extension stays visible.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef int BOOL;
typedef unsigned char BYTE;
typedef char CHAR;
typedef unsigned char UCHAR;
typedef uint16_t WCHAR;
typedef char TCHAR;
typedef uint16_t WORD;
typedef int16_t SHORT;
typedef uint16_t USHORT;
typedef uint32_t DWORD;
typedef int INT;
typedef uint32_t UINT;
typedef int32_t LONG;
typedef uint32_t ULONG;
typedef int64_t LONGLONG;
typedef uint64_t ULONGLONG;
typedef int64_t INT64;
typedef uint64_t UINT64;
typedef uint64_t DWORD64;
typedef uintptr_t DWORD_PTR;
typedef uintptr_t ULONG_PTR;
typedef uintptr_t UINT_PTR;
typedef intptr_t LONG_PTR;
typedef intptr_t INT_PTR;
typedef size_t SIZE_T;
typedef int32_t HRESULT;

typedef void *PVOID;
typedef void *LPVOID;
typedef const void *LPCVOID;
typedef char *PSTR;
typedef char *LPSTR;
typedef char *PCHAR;
typedef char *LPTSTR;
typedef char *PTSTR;
typedef const char *PCSTR;
typedef const char *LPCSTR;
typedef const char *LPCTSTR;
typedef const char *PCTSTR;
typedef WCHAR *PWSTR;
typedef WCHAR *LPWSTR;
typedef const WCHAR *PCWSTR;
typedef const WCHAR *LPCWSTR;
typedef BYTE *PBYTE;
typedef BYTE *LPBYTE;
typedef DWORD *PDWORD;
typedef DWORD *LPDWORD;
typedef LONG *PLONG;
typedef BOOL *PBOOL;
typedef BOOL *LPBOOL;

typedef void *HANDLE;
typedef HANDLE *PHANDLE;
typedef HANDLE *LPHANDLE;
typedef void *HINSTANCE;
typedef void *HMODULE;

// `VOID f(VOID)` has to work in C and in C++, so this is no typedef.
#ifndef VOID
#define VOID void
#endif

// Calling conventions: x86-64 and aarch64 have one.
#define WINAPI
#define CALLBACK
#define APIENTRY
#define PASCAL
#ifndef __stdcall
#define __stdcall
#endif
#ifndef __cdecl
#define __cdecl
#endif

// __declspec(word): the words an extension uses. A word that is missing here is a compiler's error.
#ifndef _MSC_EXTENSIONS
#ifndef __declspec
#define __declspec(word) mortise_declspec_##word
#endif
#endif
#define mortise_declspec_dllexport __attribute__((visibility("default")))
#define mortise_declspec_dllimport
#define mortise_declspec_thread __thread
#define mortise_declspec_noinline __attribute__((noinline))
#define mortise_declspec_noreturn __attribute__((noreturn))
#define mortise_declspec_nothrow
#define mortise_declspec_novtable
#define mortise_declspec_selectany __attribute__((weak))
#define mortise_declspec_align(bytes) __attribute__((aligned(bytes)))
#define mortise_declspec_deprecated __attribute__((deprecated))

#ifndef IN
#define IN
#endif
#ifndef OUT
#define OUT
#endif
#ifndef OPTIONAL
#define OPTIONAL
#endif
#ifndef CONST
#define CONST const
#endif
#ifndef FAR
#define FAR
#endif
#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

#define MAX_PATH 260
#define _MAX_PATH 260

#define MAKEWORD(low, high) ((WORD)(((BYTE)(low)) | (WORD)((WORD)(BYTE)(high) << 8)))
#define MAKELONG(low, high) ((LONG)(((DWORD)(WORD)(low)) | ((DWORD)(WORD)(high) << 16)))
#define LOWORD(value) ((WORD)((DWORD_PTR)(value)&0xffff))
#define HIWORD(value) ((WORD)(((DWORD_PTR)(value) >> 16) & 0xffff))
#define LOBYTE(value) ((BYTE)((DWORD_PTR)(value)&0xff))
#define HIBYTE(value) ((BYTE)(((DWORD_PTR)(value) >> 8) & 0xff))

// Reasons given to a DllMain. It is compiled, and not called.
#define DLL_PROCESS_DETACH 0
#define DLL_PROCESS_ATTACH 1
#define DLL_THREAD_ATTACH 2
#define DLL_THREAD_DETACH 3

#define UNREFERENCED_PARAMETER(parameter) ((void)(parameter))
#define ZeroMemory(destination, length) memset((destination), 0, (length))
#define CopyMemory(destination, source, length) memcpy((destination), (source), (length))
#define MoveMemory(destination, source, length) memmove((destination), (source), (length))
#define FillMemory(destination, length, byte) memset((destination), (byte), (length))

// C++ has std::min and std::max, which these would destroy.
#if !defined(__cplusplus) && !defined(NOMINMAX)
#ifndef min
#define min(a, b) (((a) < (b)) ? (a) : (b))
#endif
#ifndef max
#define max(a, b) (((a) > (b)) ? (a) : (b))
#endif
#endif
