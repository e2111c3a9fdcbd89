// Datagrams that carry descriptors (man 7 unix, SCM_RIGHTS).
// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { mostDescriptors = 64 };

ssize_t cplatform_send_message(int socket, const void *bytes, size_t length, const int *descriptors,
                               size_t count, int flags) {
    if (count > mostDescriptors) {
        errno = EINVAL;
        return -1;
    }
    struct iovec piece = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    union {
        char bytes[CMSG_SPACE(mostDescriptors * sizeof(int))];
        struct cmsghdr align;
    } control;
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    return sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

ssize_t cplatform_receive_message(int socket, void *bytes, size_t room, int *descriptors,
                                  size_t *count, int *truncated, int flags) {
    size_t space = *count;
    *count = 0;
    *truncated = 0;
    struct iovec piece = {.iov_base = bytes, .iov_len = room};
    union {
        char bytes[CMSG_SPACE(mostDescriptors * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    ssize_t received = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    if (received < 0) return -1;
    if (message.msg_flags & MSG_TRUNC) *truncated |= CPLATFORM_CUT_BYTES;
    if (message.msg_flags & MSG_CTRUNC) *truncated |= CPLATFORM_CUT_DESCRIPTORS;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t arrived = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < arrived; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
            if (*count < space) {
                descriptors[(*count)++] = descriptor;
            } else {
                close(descriptor);
                *truncated |= CPLATFORM_CUT_DESCRIPTORS;
            }
        }
    }
    return received;
}
