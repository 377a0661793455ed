/* A closed loop of requests over kept-alive connections: one thread, epoll. Prints one JSON object.
 *
 * usage: load PORT CONNECTIONS SECONDS FOLDER FIRST [HEADER...]
 *
 * FOLDER holds a body in three files, cut where the question stands: `head`, `questions` (one a line), `tail`.
 * FIRST is the number of the first question; each request takes the next one and adds its number, so that nobody has
 * asked it before. -1: always the first line, as it is.
 *
 * Times are in microseconds: `p50`, `p99` until the answer's last byte, `ttft_…` until the first byte of its body,
 * `lag_…` from an event's sending (@nanoseconds@ in it) to its arrival.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 30

typedef struct {
    double *values;
    size_t n, cap;
} Times;

enum { HEAD, LENGTH, CHUNK_SIZE, CHUNK, CHUNK_END, LAST_LINE };

typedef struct {
    int fd, state, busy, status, in_stamp, digits, closing;
    char head[8192], question[4096], line[32];
    size_t head_len, sent, line_len;
    struct iovec parts[4];
    long left;
    uint64_t begun, first, stamp;
} Conn;

static Times latency, ttft, lag;
static char *body_head, *body_tail, **questions, headers[4096];
static size_t head_size, tail_size, question_count;
static long next_question, done, failed, refused;
static int port, poller;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void add(Times *times, double value) {
    if (times->n == times->cap) {
        times->cap = times->cap ? 2 * times->cap : 4096;
        times->values = realloc(times->values, times->cap * sizeof(double));
    }
    times->values[times->n++] = value;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(Times *times, double q) {
    if (!times->n) return 0;
    qsort(times->values, times->n, sizeof(double), by_value);
    return times->values[(size_t)(q * (double)(times->n - 1) + 0.5)];
}

static char *read_file(const char *folder, const char *name, size_t *size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    if (fread(text, 1, *size, file) != *size) exit(2);
    text[*size] = 0;
    fclose(file);
    return text;
}

static void split_questions(char *text) {
    questions = malloc(sizeof(char *) * (strlen(text) + 1));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) questions[question_count++] = line;
}

static void connect_one(Conn *c) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&at, sizeof at)) {
        perror("load: connect");
        exit(2);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
}

static void send_more(Conn *c) {
    struct iovec rest[4];
    size_t skip = c->sent, total = 0;
    int n = 0;
    for (int i = 0; i < 4; i++) {
        size_t size = c->parts[i].iov_len;
        total += size;
        size_t cut = skip < size ? skip : size;
        skip -= cut;
        if (size > cut) rest[n++] = (struct iovec){(char *)c->parts[i].iov_base + cut, size - cut};
    }
    if (n) {
        ssize_t sent = writev(c->fd, rest, n);
        if (sent > 0) c->sent += (size_t)sent;
    }
    struct epoll_event e = {.events = EPOLLIN | (c->sent < total ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

static void begin(Conn *c) {
    static char heads[4096][1024]; /* one a connection: it may be sent piece by piece */
    char *head = heads[c->fd % 4096];
    if (next_question < 0) snprintf(c->question, sizeof c->question, "%s", questions[0]);
    else {
        snprintf(c->question, sizeof c->question, "%s %ld", questions[(size_t)next_question % question_count], next_question);
        next_question++;
    }
    size_t asked = strlen(c->question);
    int n = snprintf(head, 1024,
                     "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                     "Accept: application/json\r\nAuthorization: Bearer sk-bench\r\nUser-Agent: OpenAI/Python 2.0\r\n"
                     "%sContent-Length: %zu\r\n\r\n", port, headers, head_size + asked + tail_size);
    c->parts[0] = (struct iovec){head, (size_t)n};
    c->parts[1] = (struct iovec){body_head, head_size};
    c->parts[2] = (struct iovec){c->question, asked};
    c->parts[3] = (struct iovec){body_tail, tail_size};
    c->sent = c->head_len = c->line_len = 0;
    c->state = HEAD;
    c->first = 0;
    c->in_stamp = c->closing = 0;
    c->busy = 1;
    c->begun = now();
    send_more(c);
}

/* Find @nanoseconds@ in what came, over the borders of reads. */
static void find_stamps(Conn *c, const char *bytes, size_t n, uint64_t moment) {
    if (!c->first) c->first = moment;
    for (size_t i = 0; i < n; i++) {
        if (!c->in_stamp) {
            const char *at = memchr(bytes + i, '@', n - i);
            if (!at) return;
            i = (size_t)(at - bytes);
            c->in_stamp = 1;
            c->stamp = 0;
            c->digits = 0;
        } else if (bytes[i] >= '0' && bytes[i] <= '9') {
            c->stamp = c->stamp * 10 + (uint64_t)(bytes[i] - '0');
            c->digits++;
        } else {
            if (bytes[i] == '@' && c->digits > 8) add(&lag, (double)(int64_t)(moment - c->stamp) / 1e3);
            c->in_stamp = 0;
        }
    }
}

/* Take the head in; give how many bytes of it there were, -1 for one that is too large. */
static ssize_t take_head(Conn *c, const char *bytes, size_t n) {
    size_t before = c->head_len, room = sizeof c->head - 1 - before, take = n < room ? n : room;
    memcpy(c->head + before, bytes, take);
    c->head_len += take;
    c->head[c->head_len] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) return take < n || !room ? -1 : (ssize_t)n;
    *end = 0;
    c->status = atoi(c->head + 9);
    char *length = strcasestr(c->head, "\ncontent-length:");
    c->closing = strcasestr(c->head, "\nconnection: close") != NULL;
    c->state = length ? LENGTH : CHUNK_SIZE;
    c->left = length ? atol(length + 16) : 0;
    return (ssize_t)((size_t)(end + 4 - c->head) - before);
}

/* Take an answer's bytes in; 1: it is whole, -1: it cannot be read. */
static int take(Conn *c, const char *bytes, size_t n, uint64_t moment) {
    const char *end = bytes + n;
    while (bytes < end || (c->state == LENGTH && !c->left)) {
        if (c->state == HEAD) {
            ssize_t used = take_head(c, bytes, (size_t)(end - bytes));
            if (used < 0) return -1;
            bytes += used;
        } else if (c->state == LENGTH || c->state == CHUNK) {
            size_t some = (size_t)(end - bytes) < (size_t)c->left ? (size_t)(end - bytes) : (size_t)c->left;
            if (some) find_stamps(c, bytes, some, moment);
            bytes += some;
            c->left -= (long)some;
            if (!c->left && c->state == LENGTH) return 1;
            if (!c->left) c->state = CHUNK_END;
        } else {
            char letter = *bytes++;
            if (letter != '\n') {
                if (c->state == CHUNK_SIZE && c->line_len < sizeof c->line - 1) c->line[c->line_len++] = letter;
                continue;
            }
            if (c->state == LAST_LINE) return 1;
            if (c->state == CHUNK_SIZE) {
                c->line[c->line_len] = 0;
                c->line_len = 0;
                c->left = strtol(c->line, NULL, 16);
                c->state = c->left ? CHUNK : LAST_LINE;
            } else c->state = CHUNK_SIZE;
        }
    }
    return 0;
}

static void finish(Conn *c, int broken, uint64_t moment) {
    c->busy = 0;
    if (broken) failed++;
    else if (c->status != 200) refused++;
    else {
        done++;
        add(&latency, (double)(moment - c->begun) / 1e3);
        add(&ttft, (double)((c->first ? c->first : moment) - c->begun) / 1e3);
    }
    if (broken || c->closing) {
        close(c->fd);
        connect_one(c);
    }
}

int main(int count, char **words) {
    static char buffer[1 << 18];
    if (count < 6) return 2;
    int connections = atoi(words[2]);
    port = atoi(words[1]);
    size_t size;
    body_head = read_file(words[4], "head", &head_size);
    body_tail = read_file(words[4], "tail", &tail_size);
    split_questions(read_file(words[4], "questions", &size));
    next_question = atol(words[5]);
    for (int i = 6; i < count; i++) strcat(strcat(headers, words[i]), "\r\n");
    poller = epoll_create1(0);
    Conn *conns = calloc((size_t)connections, sizeof(Conn));
    uint64_t started = now(), end = started + (uint64_t)(atof(words[3]) * 1e9), moment = started;
    for (int i = 0; i < connections; i++) {
        connect_one(&conns[i]);
        begin(&conns[i]);
    }
    int busy = connections;
    struct epoll_event events[256];
    while (busy && moment < end + PATIENCE_S * 1000000000ull && failed < 1000) {
        int n = epoll_wait(poller, events, 256, 100);
        for (int i = 0; i < n; i++) {
            Conn *c = events[i].data.ptr;
            if (!c->busy) continue;
            if (events[i].events & EPOLLOUT) send_more(c);
            if (!(events[i].events & ~(uint32_t)EPOLLOUT)) continue;
            ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
            moment = now();
            if (got < 0 && errno == EAGAIN) continue;
            int whole = got > 0 ? take(c, buffer, (size_t)got, moment) : -1;
            if (!whole) continue;
            finish(c, whole < 0, moment);
            if (moment < end) begin(c);
            else busy--;
        }
        moment = now();
    }
    double seconds = (double)(moment - started) / 1e9;
    printf("{\"done\":%ld,\"failed\":%ld,\"refused\":%ld,\"unfinished\":%d,\"seconds\":%.4f,\"rps\":%.2f,\"p50\":%.1f,\"p99\":%.1f,"
           "\"ttft_p50\":%.1f,\"ttft_p99\":%.1f,\"lag_p50\":%.1f,\"lag_p99\":%.1f,\"events\":%zu}\n",
           done, failed, refused, busy, seconds, (double)done / seconds, quantile(&latency, .5), quantile(&latency, .99),
           quantile(&ttft, .5), quantile(&ttft, .99), quantile(&lag, .5), quantile(&lag, .99), lag.n);
    return 0;
}
