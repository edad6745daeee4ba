/*
 * The executable that a container runtime starts: forwards the CNI request to the node's agent and prints its answer.
 *
 * The agent's socket is found beside the executable: `weft-cni.sock` in the same directory (a symbolic link, so that its
 * length does not matter). What travels is described in cni/serve.py. Any failure is told as a CNI error document with
 * code 11, "try again later": the agent may be starting.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "weft-cni.sock"
#define MOST (1 << 20)
#define TIMEOUT_SECONDS 60

extern char **environ;

static int fail(const char *what)
{
    char text[512];
    int length = snprintf(text, sizeof text,
                          "{\"cniVersion\":\"1.0.0\",\"code\":11,\"msg\":\"cannot %s: %s (is `weft network` running on "
                          "this node?)\"}\n",
                          what, strerror(errno));
    (void)!write(STDOUT_FILENO, text, (size_t)length);
    return 1;
}

static int send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -1;
        data += sent;
        length -= (size_t)sent;
    }
    return 0;
}

static int write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        data += written;
        length -= (size_t)written;
    }
    return 0;
}

/* Reads to the end; returns the number of bytes, or -1. */
static ssize_t read_all(int fd, char *data, size_t room)
{
    size_t total = 0;
    while (total < room) {
        ssize_t got = read(fd, data + total, room - total);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            return (ssize_t)total;
        total += (size_t)got;
    }
    errno = EMSGSIZE;
    return -1;
}

static int connect_beside(void)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return -1;
    self[length] = '\0';
    if (chdir(dirname(self)) < 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct timeval limit = {.tv_sec = TIMEOUT_SECONDS};
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET_NAME};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
        return -1;
    return connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -1 : fd;
}

int main(void)
{
    static char data[MOST];
    ssize_t length = read_all(STDIN_FILENO, data, sizeof data);
    if (length < 0)
        return fail("read the network configuration");
    int fd = connect_beside();
    if (fd < 0)
        return fail("reach the node's network agent");
    for (char **entry = environ; *entry; entry++)
        if (strncmp(*entry, "CNI_", 4) == 0 && send_all(fd, *entry, strlen(*entry) + 1) < 0)
            return fail("send the request");
    if (send_all(fd, "", 1) < 0 || send_all(fd, data, (size_t)length) < 0 || shutdown(fd, SHUT_WR) < 0)
        return fail("send the request");

    length = read_all(fd, data, sizeof data - 1);
    if (length < 0)
        return fail("read the answer");
    data[length] = '\0';
    char *output;
    long status = strtol(data, &output, 10);
    if (output == data || *output != '\n') {
        errno = EPROTO;
        return fail("understand the answer");
    }
    output++;
    if (write_all(STDOUT_FILENO, output, (size_t)(data + length - output)) < 0)
        return 1;
    return (int)status;
}
