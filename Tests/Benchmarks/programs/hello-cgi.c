// A CGI program as small as one can be: the same 13 bytes as the hello extension.
// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

int main(void) {
    static const char text[] = "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n";
    return write(1, text, sizeof text - 1) == (ssize_t)(sizeof text - 1) ? 0 : 1;
}
