#include "broker_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_TRIES = 5, WAIT_MS = 10000 };

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct sockaddr_in address_of(uint16_t port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

int connect_to(uint16_t port) {
    struct sockaddr_in address = address_of(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* A port that nobody has; somebody may take it before the broker does, hence START_TRIES. */
static uint16_t free_port(void) {
    struct sockaddr_in address = address_of(0);
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void run_broker(const broker_process_t *self, const char *binary, int log_fd) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(log_fd, STDERR_FILENO);
    setenv("BROKERS", self->endpoint, 1);
    setenv("ADMIN_LISTEN", "127.0.0.1:0", 1);
    setenv("LOG_LEVEL", "info", 1);
    setenv("BUS_KEYS", self->keys, 1);
    execl(binary, binary, (char *)NULL);
    _exit(127);
}

/* Reads what the log has by then; false at its end or when nothing came. */
static bool read_log(broker_process_t *self, int64_t until_ms) {
    struct pollfd wait = {.fd = self->log_fd, .events = POLLIN};
    int64_t left_ms = until_ms - now_ms();
    if (left_ms < 0 || poll(&wait, 1, (int)left_ms) <= 0)
        return false;
    ssize_t n = read(self->log_fd, strbuf_reserve(&self->log, 4096), 4096);
    if (n <= 0)
        return false;
    self->log.n += (size_t)n;
    return true;
}

static bool wait_for(broker_process_t *self, const char *text) {
    int64_t until_ms = now_ms() + WAIT_MS;
    while (!strstr(strbuf_cstr(&self->log), text)) {
        if (!read_log(self, until_ms))
            return false;
    }
    return true;
}

static bool try_start(broker_process_t *self, const char *binary) {
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    self->port = free_port();
    snprintf(self->endpoint, sizeof(self->endpoint), "tcp://127.0.0.1:%u", self->port);
    self->pid = fork();
    assert_true(self->pid >= 0);
    if (self->pid == 0)
        run_broker(self, binary, pipe_fds[1]);
    close(pipe_fds[1]);
    self->log_fd = pipe_fds[0];
    if (wait_for(self, "event=started"))
        return true;
    close(self->log_fd);
    waitpid(self->pid, NULL, 0);
    return false;
}

void broker_process_start(broker_process_t *self, const char *binary, const char *keys) {
    *self = (broker_process_t){0};
    snprintf(self->keys, sizeof(self->keys), "%s", keys ? keys : "");
    for (size_t i = 0; i < START_TRIES; i++) {
        if (try_start(self, binary)) {
            const char *port = strstr(self->log.p, "event=admin_listening");
            self->admin_port = (uint16_t)strtoul(strstr(port, "port=") + 5, NULL, 10);
            return;
        }
        fprintf(stderr, "%s", strbuf_cstr(&self->log));
        strbuf_clear(&self->log);
    }
    fail_msg("the broker doesn't start");
}

void broker_process_stop(broker_process_t *self) {
    int status;
    assert_int_equal(kill(self->pid, SIGTERM), 0);
    broker_process_expect(self, "event=stopped");
    while (read_log(self, now_ms() + WAIT_MS))
        continue;
    assert_int_equal(waitpid(self->pid, &status, 0), self->pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("status %d\n%s", status, strbuf_cstr(&self->log));
    close(self->log_fd);
    strbuf_fini(&self->log);
}

void broker_process_expect(broker_process_t *self, const char *text) {
    if (!wait_for(self, text))
        fail_msg("no \"%s\" in the log:\n%s", text, strbuf_cstr(&self->log));
}

key_pair_t broker_process_keys(const broker_process_t *self, role_t role) {
    char path[512];
    key_pair_t pair;
    strbuf_t problem = {0};
    snprintf(path, sizeof(path), "%s/%s" KEYRING_SECRET_SUFFIX, self->keys, role_name(role));
    assert_int_equal(keyring_read_secret(path, role, &pair, &problem), OK);
    return pair;
}

unsigned long broker_process_metric(const broker_process_t *self, const char *series) {
    char line[256];
    snprintf(line, sizeof(line), "\n%s ", series);
    const char *at = strstr(broker_process_get(self, "/metrics"), line);
    return at ? strtoul(at + strlen(line), NULL, 10) : 0;
}

const char *broker_process_get(const broker_process_t *self, const char *path) {
    static char response[65536];
    char request[128];
    size_t n = 0;
    ssize_t got;
    int fd = connect_to(self->admin_port);
    int length = snprintf(request, sizeof(request),
                          "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    assert_int_equal(write(fd, request, (size_t)length), length);
    while (n < sizeof(response) - 1 && (got = read(fd, response + n, sizeof(response) - 1 - n)) > 0)
        n += (size_t)got;
    response[n] = 0;
    close(fd);
    return response;
}
