/* The load generator:  load -p PORT -f FILE [-c N] [-s S] [-w S] [-n N] [-e MS]

   Sends the request that stands in FILE, head and body, over N keep-alive connections
   (-c), each the next one when the answer is complete, or one every MS milliseconds (-e).
   Writes the line "begin" after S seconds of warm-up (-w), forgets what it saw until then,
   and writes one line of JSON after S more seconds (-s), or earlier, after N complete
   answers (-n; without a warm-up).

   Events of a stream carry the time when they were made; delay is how much later they
   arrive here. Latency is from before the first byte goes out until the answer is complete.

   One thread, one epoll: "busy" says how much of one core it used, near 1 it is the limit. */

#define _GNU_SOURCE
#include "http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LINE = 1024, STAMP_TAIL = 22 /* "19 digits"} */, SLOTS = 64 * 64 };

/* Nanoseconds in slots that are 1/64 of a power of two wide: percentiles within 1.6 %. */
typedef struct { long long counts[SLOTS], total, most; } Histogram;

typedef struct {
    int fd, wants_out, is_stream, is_waiting;
    Message response;
    size_t sent_bytes;
    long long started_ns, next_ns;
    char line[MAX_LINE];
    size_t line_bytes;
} Connection;

static struct {
    long long requests, errors, events, received, sent, begun_ns;
    double cpu_s;
    Histogram latency, delay;
} seen;

static int epoll_fd, port, connection_count = 1;
static long long every_ns, wanted, started;
static const char *request;
static size_t request_bytes;
static char input[READ_SIZE], first_error[256];

static void note(Histogram *h, long long ns) {
    if (ns < 1) ns = 1;
    int top = 63 - __builtin_clzll(ns);
    int slot = top < 6 ? ns : (top - 5) * 64 + (ns >> (top - 6)) - 64;
    h->counts[slot]++;
    h->total++;
    if (ns > h->most) h->most = ns;
}

static double microseconds(const Histogram *h, double share) {
    long long below = 0, rank = h->total * share;
    for (int slot = 0; slot < SLOTS; slot++)
        if ((below += h->counts[slot]) > rank) {
            int top = slot / 64 + 5;
            return (slot < 64 ? slot : (double)((slot % 64 + 64LL) << (top - 6))) / 1000;
        }
    return h->most / 1000.0;
}

static double cpu_s(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void begin(void) {
    memset(&seen, 0, sizeof seen);
    first_error[0] = 0;
    seen.begun_ns = now_ns();
    seen.cpu_s = cpu_s();
    puts("begin");
    fflush(stdout);
}

static void tell(const char *name, const Histogram *h) {
    printf("\"%s_us\": {\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f}, ", name,
           microseconds(h, 0.5), microseconds(h, 0.9), microseconds(h, 0.99), h->most / 1000.0);
}

static void finish(void) {
    double seconds = (now_ns() - seen.begun_ns) / 1e9;
    printf("{\"requests\": %lld, \"errors\": %lld, \"events\": %lld, \"received\": %lld, \"sent\": %lld, ",
           seen.requests, seen.errors, seen.events, seen.received, seen.sent);
    tell("latency", &seen.latency);
    tell("delay", &seen.delay);
    printf("\"busy\": %.3f, \"seconds\": %.6f, \"first_error\": \"%s\"}\n", (cpu_s() - seen.cpu_s) / seconds, seconds, first_error);
    fflush(stdout);
    exit(0);
}

static void watch(Connection *c, int wants_out) {
    if (c->wants_out == wants_out) return;
    struct epoll_event e = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
    c->wants_out = wants_out;
}

static void reconnect(Connection *c) {
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (c->fd >= 0) close(c->fd);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
    c->wants_out = 0;
}

static void push(Connection *c) {
    while (c->sent_bytes < request_bytes) {
        ssize_t sent = send(c->fd, request + c->sent_bytes, request_bytes - c->sent_bytes, MSG_NOSIGNAL);
        if (sent < 0) break; /* if it is not EAGAIN, reading will tell */
        c->sent_bytes += sent;
        seen.sent += sent;
    }
    watch(c, c->sent_bytes < request_bytes);
}

static void start(Connection *c) {
    if (wanted && started == wanted) return;
    long long now = now_ns();
    if (c->next_ns > now) {
        c->is_waiting = 1;
        return;
    }
    c->next_ns = every_ns ? (now - c->next_ns < every_ns ? c->next_ns : now) + every_ns : 0;
    c->is_waiting = 0;
    c->started_ns = now;
    c->sent_bytes = c->line_bytes = c->is_stream = 0;
    message_begin(&c->response, 1);
    started++;
    push(c);
}

static void fail(Connection *c, const char *why) {
    int line = c->response.part == HEAD ? 0 : strcspn(c->response.head, "\r");
    if (!first_error[0]) snprintf(first_error, sizeof first_error, "%s %.*s", why, line, c->response.head);
    for (char *p = first_error; *p; p++)
        if (*p == '"' || *p == '\\' || *p < ' ') *p = '\'';
    if (++seen.errors >= 1000) finish();
    started -= wanted > 0;
    reconnect(c);
    start(c);
}

static void line_is_complete(const char *line, size_t count, long long now) {
    if (count <= STAMP_TAIL || line[count - 1] != '}' || line[count - 1 - STAMP_TAIL] != ':') return;
    long long stamp = 0;
    for (const char *digit = line + count - STAMP_TAIL + 1; *digit != '"'; digit++) stamp = stamp * 10 + (*digit - '0');
    seen.events++;
    note(&seen.delay, now - stamp);
}

static void take_payload(void *context, const char *bytes, size_t count) {
    Connection *c = context;
    seen.received += count;
    if (!c->is_stream) return;
    long long now = now_ns();
    const char *end;
    while ((end = memchr(bytes, '\n', count))) {
        size_t taken = end - bytes;
        if (!c->line_bytes) {
            line_is_complete(bytes, taken, now);
        } else if (c->line_bytes + taken <= MAX_LINE) {
            memcpy(c->line + c->line_bytes, bytes, taken);
            line_is_complete(c->line, c->line_bytes + taken, now);
        }
        c->line_bytes = 0;
        count -= taken + 1;
        bytes = end + 1;
    }
    if (c->line_bytes + count > MAX_LINE) count = 0;
    memcpy(c->line + c->line_bytes, bytes, count);
    c->line_bytes += count;
}

static void is_answered(Connection *c) {
    if (strncmp(c->response.head + 8, " 200", 4)) {
        fail(c, "status");
        return;
    }
    if (c->sent_bytes < request_bytes) {
        fail(c, "answered before the request was out");
        return;
    }
    seen.requests++;
    note(&seen.latency, now_ns() - c->started_ns);
    if (wanted && seen.requests == wanted) finish();
    start(c);
}

static void on_readable(Connection *c) {
    ssize_t count = recv(c->fd, input, sizeof input, 0);
    if (count < 0 && errno == EAGAIN) return;
    int is_idle = c->is_waiting || c->response.part == COMPLETE;
    if (count <= 0 && is_idle) { /* the server closed a connection nobody used */
        reconnect(c);
    } else if (count <= 0 && c->response.part == UNTIL_CLOSE) {
        c->response.part = COMPLETE;
        reconnect(c);
        is_answered(c);
    } else if (count <= 0) {
        fail(c, count ? strerror(errno) : "connection closed after");
    } else {
        const char *rest = input;
        if (c->response.part == HEAD) { /* the head first: it says whether this is a stream */
            long taken = take_head(&c->response, rest, count);
            if (taken < 0) return fail(c, "head too long");
            rest += taken;
            const char *type = c->response.part == HEAD ? NULL : message_header(&c->response, "\r\ncontent-type:");
            c->is_stream = type && !strncmp(type, "text/event-stream", 17);
        }
        if (message_feed(&c->response, rest, input + count - rest, take_payload, c) != input + count - rest) fail(c, "bytes behind or in the answer");
        else if (c->response.part == COMPLETE) is_answered(c);
    }
}

static void read_request(const char *path) {
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about)) die(path);
    request_bytes = about.st_size;
    request = mmap(NULL, request_bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (request == MAP_FAILED) die(path);
}

/* Turns the events until the end; *end_ns* and *begin_ns* are moments of the monotonic clock. */
static void run(Connection *connections, long long begin_ns, long long end_ns) {
    if (begin_ns <= now_ns()) begin(); /* without a warm-up: before the first request */
    for (int i = 0; i < connection_count; i++) start(connections + i);
    for (int has_begun = seen.begun_ns != 0;;) {
        long long now = now_ns(), next_ns = has_begun ? end_ns : begin_ns;
        if (now >= next_ns) {
            if (has_begun) finish();
            has_begun = 1;
            begin();
            continue;
        }
        for (int i = 0; every_ns && i < connection_count; i++) {
            Connection *c = connections + i;
            if (c->is_waiting && c->next_ns <= now) start(c);
            if (c->is_waiting && c->next_ns < next_ns) next_ns = c->next_ns;
        }
        struct epoll_event events[256];
        int count = epoll_wait(epoll_fd, events, 256, (next_ns - now) / 1000000 + 1);
        for (int i = 0; i < count; i++) {
            Connection *c = events[i].data.ptr;
            if (events[i].events & ~EPOLLOUT) on_readable(c);
            else push(c);
        }
    }
}

int main(int argc, char **argv) {
    double seconds = 1, warm_up_s = 0;
    for (int option; (option = getopt(argc, argv, "p:f:c:s:w:n:e:")) != -1;) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'f': read_request(optarg); break;
        case 'c': connection_count = atoi(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'w': warm_up_s = atof(optarg); break;
        case 'n': wanted = atoll(optarg); break;
        case 'e': every_ns = atoll(optarg) * 1000000; break;
        default: return 2;
        }
    }
    if (!port || !request) return fprintf(stderr, "load: -p PORT and -f FILE are needed\n"), 2;
    epoll_fd = epoll_create1(0);
    Connection *connections = calloc(connection_count, sizeof *connections);
    if (!connections) die("memory");
    for (int i = 0; i < connection_count; i++) {
        connections[i].fd = -1;
        reconnect(connections + i);
    }
    long long begin_ns = now_ns() + (long long)(warm_up_s * 1e9);
    run(connections, begin_ns, begin_ns + (long long)(seconds * 1e9));
}
