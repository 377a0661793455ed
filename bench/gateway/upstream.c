/* A provider that costs next to nothing: one thread, epoll, HTTP/1.1 with keep-alive.
 *
 * usage: upstream PORT
 *
 * What a POST is answered with follows from a word in its body:
 *   "stream-N-D"  N events, D ms apart; each tells when it was sent: @nanoseconds of the monotonic clock@
 *   "flood-N"     N MiB, as fast as they are taken
 *   otherwise     a completion of 1 KB
 * A GET is answered with the body of the last POST.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 8192
#define FLOOD_PIECE 65536

typedef struct {
    char *in, *out;
    size_t in_len, in_cap, out_len, out_sent, out_cap;
    int open, events_left, number;
    long flood_left;
    uint64_t due, gap;
} Conn;

static Conn conns[MAX_FDS];
static char *last_body;
static size_t last_len;
static char completion[2048];
static int poller, highest;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void drop(int fd) {
    Conn *c = &conns[fd];
    free(c->in);
    free(c->out);
    memset(c, 0, sizeof *c);
    close(fd);
}

static void watch(int fd, int operation, uint32_t events) {
    struct epoll_event e = {.events = events, .data.fd = fd};
    epoll_ctl(poller, operation, fd, &e);
}

/* Send what is there; -1: the connection is gone. */
static int flush(int fd) {
    Conn *c = &conns[fd];
    while (c->out_sent < c->out_len) {
        ssize_t n = send(fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return 0;
        }
        if (n < 0) return -1;
        c->out_sent += (size_t)n;
    }
    c->out_len = c->out_sent = 0;
    return 0;
}

static void put(int fd, const char *bytes, size_t n) {
    Conn *c = &conns[fd];
    if (c->out_len + n > c->out_cap) {
        c->out_cap = 2 * (c->out_len + n);
        c->out = realloc(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_len, bytes, n);
    c->out_len += n;
}

static void put_head(int fd, const char *type, long length) {
    char head[512], size[64] = "Transfer-Encoding: chunked";
    if (length >= 0) snprintf(size, sizeof size, "Content-Length: %ld", length);
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s\r\nx-request-id: req_bench_0123456789\r\n"
                     "openai-processing-ms: 12\r\nx-ratelimit-remaining-requests: 4999\r\n\r\n", type, size);
    put(fd, head, (size_t)n);
}

static void put_event(int fd, const char *data) {
    char chunk[1024];
    int length = (int)strlen(data) + 8; /* "data: " and the empty line */
    put(fd, chunk, (size_t)snprintf(chunk, sizeof chunk, "%x\r\ndata: %s\n\n\r\n", length, data));
}

static int advance_stream(int fd) {
    Conn *c = &conns[fd];
    char data[512];
    if (c->events_left > 0) {
        snprintf(data, sizeof data,
                 "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\","
                 "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word %d @%llu@\"},\"finish_reason\":null}]}",
                 c->number++, (unsigned long long)now());
        put_event(fd, data);
        c->events_left--;
        c->due += c->gap;
        return flush(fd);
    }
    c->due = 0;
    put_event(fd, "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\","
                  "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}");
    put_event(fd, "[DONE]");
    put(fd, "0\r\n\r\n", 5);
    return flush(fd);
}

static int advance_flood(int fd) {
    static char piece[FLOOD_PIECE];
    Conn *c = &conns[fd];
    memset(piece, 'x', sizeof piece);
    while (c->flood_left > 0 && c->out_len == 0) {
        put(fd, piece, sizeof piece);
        c->flood_left -= FLOOD_PIECE;
        if (flush(fd) < 0) return -1;
    }
    return 0;
}

static int answer(int fd, const char *method, const char *body, size_t n) {
    Conn *c = &conns[fd];
    int events, gap, mib;
    if (!strncmp(method, "GET ", 4)) {
        put_head(fd, "application/json", (long)last_len);
        put(fd, last_body, last_len);
        return flush(fd);
    }
    last_body = realloc(last_body, n + 1);
    memcpy(last_body, body, n);
    last_body[n] = 0;
    last_len = n;
    const char *word = strstr(last_body, "stream-");
    if (word && sscanf(word, "stream-%d-%d", &events, &gap) == 2) {
        put_head(fd, "text/event-stream; charset=utf-8", -1);
        c->events_left = events;
        c->number = 0;
        c->gap = (uint64_t)gap * 1000000u;
        c->due = now();
        return advance_stream(fd);
    }
    word = strstr(last_body, "flood-");
    if (word && sscanf(word, "flood-%d", &mib) == 1) {
        c->flood_left = (long)mib << 20;
        put_head(fd, "text/event-stream", c->flood_left);
        return flush(fd) < 0 ? -1 : advance_flood(fd);
    }
    put_head(fd, "application/json", (long)strlen(completion));
    put(fd, completion, strlen(completion));
    return flush(fd);
}

/* Take whole chunks out of a chunked body, in place; give where it ends, or NULL while it is not whole. */
static char *dechunk(char *start, char *end, size_t *length) {
    char *from = start, *to = start;
    for (;;) {
        char *line = memmem(from, (size_t)(end - from), "\r\n", 2);
        if (!line) return NULL;
        size_t n = strtoul(from, NULL, 16);
        from = line + 2;
        if ((size_t)(end - from) < n + 2) return NULL;
        memmove(to, from, n);
        to += n;
        from += n + 2;
        if (!n) break;
    }
    *length = (size_t)(to - start);
    return from;
}

static int read_requests(int fd) {
    Conn *c = &conns[fd];
    while (c->in_len && !c->due && c->flood_left <= 0) {
        char *head_end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
        if (!head_end) return 0;
        *head_end = 0;
        char *body = head_end + 4, *after, *end = c->in + c->in_len;
        char *announced = strcasestr(c->in, "\ncontent-length:"), *chunked = strcasestr(c->in, "\ntransfer-encoding: chunked");
        size_t n = announced ? strtoul(announced + 16, NULL, 10) : 0;
        *head_end = '\r';
        if (chunked) {
            /* The copy keeps the bytes as they came while more of them are to come. */
            size_t size = (size_t)(end - body);
            char *copy = malloc(size + 1);
            memcpy(copy, body, size);
            copy[size] = 0;
            char *stop = dechunk(copy, copy + size, &n);
            int failed = stop ? answer(fd, c->in, copy, n) : 0;
            after = stop ? body + (stop - copy) : NULL;
            free(copy);
            if (!after || failed) return failed;
        } else {
            if ((size_t)(end - body) < n) return 0;
            after = body + n;
            if (answer(fd, c->in, body, n)) return -1;
        }
        memmove(c->in, after, (size_t)(end - after));
        c->in_len = (size_t)(end - after);
    }
    return 0;
}

static int receive(int fd) {
    Conn *c = &conns[fd];
    for (;;) {
        if (c->in_cap - c->in_len < 65536) {
            c->in_cap = 2 * c->in_cap + 131072;
            c->in = realloc(c->in, c->in_cap);
        }
        ssize_t n = recv(fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
        if (n == 0) return -1;
        if (n < 0) return errno == EAGAIN ? read_requests(fd) : -1;
        c->in_len += (size_t)n;
    }
}

static void take_new(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_FDS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        conns[fd].open = 1;
        if (fd > highest) highest = fd;
        watch(fd, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void send_due(int timer) {
    uint64_t moment = now(), next = 0;
    for (int fd = 0; fd <= highest; fd++) {
        Conn *c = &conns[fd];
        if (c->open && c->due && c->due <= moment && (advance_stream(fd) < 0 || read_requests(fd) < 0)) drop(fd);
        if (c->due && (!next || c->due < next)) next = c->due;
    }
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(next / 1000000000u), .tv_nsec = (long)(next % 1000000000u)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

int main(int count, char **words) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
    last_body = calloc(1, 1);
    char text[701];
    for (int i = 0; i < 700; i++) text[i] = "seven hundred letters of an answer "[i % 35];
    text[700] = 0;
    snprintf(completion, sizeof completion,
             "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"bench\",\"choices\":"
             "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}],"
             "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":140,\"total_tokens\":159}}", text);
    at.sin_port = htons((uint16_t)(count > 1 ? atoi(words[1]) : 9000));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024)) {
        perror("upstream");
        return 1;
    }
    poller = epoll_create1(0);
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
    watch(timer, EPOLL_CTL_ADD, EPOLLIN);
    struct epoll_event events[256];
    for (;;) {
        int n = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd, failed = 0;
            uint64_t ticks;
            if (fd == listener) take_new(listener);
            else if (fd == timer) (void)!read(timer, &ticks, sizeof ticks);
            else if (conns[fd].open) {
                if (events[i].events & EPOLLOUT) {
                    failed = flush(fd) < 0 || advance_flood(fd) < 0;
                    if (!failed && !conns[fd].out_len) watch(fd, EPOLL_CTL_MOD, EPOLLIN);
                }
                if (!failed && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) failed = receive(fd) < 0;
                if (failed) drop(fd);
            }
        }
        send_due(timer);
    }
}
