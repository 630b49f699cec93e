/* A model server that costs next to nothing:  upstream PORT

   The request header X-Bench says what is answered:

       (absent)        a small chat completion
       stream MICROS   server-sent events, one each MICROS microseconds (0: as fast as the
                       client takes them) until the client leaves; each has its own send and
                       tells when it was made: "sent_ns", CLOCK_MONOTONIC, in 19 digits
       bytes N         N bytes (at least 32); audio below /v1/audio/, else JSON: one string

   One thread, one epoll. Streams of one rate are spread evenly over their interval. */

#define _GNU_SOURCE
#include "http.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { MAX_STREAMS = 4096, FIREHOSE_TURN = 32, STAMP_DIGITS = 19 };

#define EVENT_TEXT \
    "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\" token\"}}]," \
    "\"created\":1795631698,\"id\":\"chatcmpl-Zb1q0nP5yTq4bOz2\",\"model\":\"m\"," \
    "\"system_fingerprint\":\"bench\",\"object\":\"chat.completion.chunk\",\"sent_ns\":\"0000000000000000000\"}\n\n"
#define AUDIO_BEGIN "RIFFsizeWAVE"
#define JSON_BEGIN "{\"data\":[{\"b64_json\":\""
#define JSON_END "\"}]}"
#define SMALL_TEXT \
    "{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":" \
    "\"The capital of France is Paris. It lies on the Seine, and about two million people live there.\"}}]," \
    "\"created\":1795631698,\"model\":\"m\",\"system_fingerprint\":\"bench\",\"object\":\"chat.completion\"," \
    "\"usage\":{\"completion_tokens\":21,\"prompt_tokens\":14,\"total_tokens\":35}," \
    "\"id\":\"chatcmpl-Zb1q0nP5yTq4bOz2\",\"timings\":{\"cache_n\":0,\"prompt_n\":14,\"prompt_ms\":11.2," \
    "\"prompt_per_second\":1250.0,\"predicted_n\":21,\"predicted_ms\":190.4,\"predicted_per_second\":110.3}}"

typedef struct Connection {
    int fd, wants_out, is_stream, is_audio;
    Message request;
    char out[4096]; /* what the socket did not take */
    size_t out_bytes;
    long long bulk_left;
    long long due_ns, interval_ns;
    struct Connection *next_dead;
} Connection;

static int epoll_fd, timer_fd;
static Connection *dead; /* freed after the turn: an event for one may be in the same batch */
static Connection *streams[MAX_STREAMS];
static int stream_count, streams_ever;
static char event_chunk[512], small_answer[2048], filler[READ_SIZE], input[READ_SIZE];
static int event_bytes, stamp_at, small_bytes;

static void prepare(void) {
    event_bytes = sprintf(event_chunk, "%zx\r\n" EVENT_TEXT "\r\n", strlen(EVENT_TEXT));
    stamp_at = strstr(event_chunk, "sent_ns") + 10 - event_chunk;
    small_bytes = sprintf(small_answer,
                          "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/json; charset=utf-8\r\n"
                          "Content-Length: %zu\r\n\r\n%s", strlen(SMALL_TEXT), SMALL_TEXT);
    memset(filler, 'A', sizeof filler); /* base64 of zeros */
}

static void watch(Connection *c, int wants_out) {
    if (c->wants_out == wants_out) return;
    struct epoll_event e = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
    c->wants_out = wants_out;
}

static void forget_stream(Connection *c) {
    for (int i = 0; i < stream_count; i++)
        if (streams[i] == c) streams[i] = streams[--stream_count];
    c->is_stream = 0;
}

static void drop(Connection *c) {
    if (c->is_stream) forget_stream(c);
    close(c->fd);
    c->fd = -1;
    c->next_dead = dead;
    dead = c;
}

/* Sends, or keeps what the socket does not take; the caller has seen that nothing is kept yet. */
static void put(Connection *c, const char *bytes, size_t count) {
    ssize_t sent = send(c->fd, bytes, count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        drop(c);
        return;
    }
    c->out_bytes = count - (sent > 0 ? sent : 0);
    memcpy(c->out, bytes + count - c->out_bytes, c->out_bytes);
    if (c->out_bytes) watch(c, 1);
}

static void put_event(Connection *c) {
    long long stamp = now_ns();
    for (int i = STAMP_DIGITS - 1; i >= 0; i--, stamp /= 10) event_chunk[stamp_at + i] = '0' + stamp % 10;
    put(c, event_chunk, event_bytes);
}

static void put_bulk(Connection *c) {
    while (c->fd >= 0 && c->bulk_left) {
        size_t tail = c->is_audio ? 0 : sizeof JSON_END - 1;
        const char *from = c->bulk_left > (long long)tail ? filler : JSON_END + sizeof JSON_END - 1 - c->bulk_left;
        size_t count = from != filler ? c->bulk_left : c->bulk_left - (long long)tail < READ_SIZE ? c->bulk_left - tail : READ_SIZE;
        ssize_t sent = send(c->fd, from, count, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) drop(c);
        if (sent < 0) break;
        c->bulk_left -= sent;
    }
    if (c->fd >= 0) watch(c, c->bulk_left > 0);
}

static void on_writable(Connection *c) {
    if (c->out_bytes) {
        char kept[sizeof c->out];
        size_t count = c->out_bytes;
        memcpy(kept, c->out, count);
        put(c, kept, count);
        if (c->fd < 0 || c->out_bytes) return;
    }
    if (c->bulk_left) {
        put_bulk(c);
    } else if (c->is_stream && !c->interval_ns) {
        for (int i = 0; i < FIREHOSE_TURN && c->fd >= 0 && !c->out_bytes; i++) put_event(c);
    } else {
        watch(c, 0);
    }
}

static void begin_stream(Connection *c, long long interval_us) {
    if (stream_count == MAX_STREAMS) die("too many streams");
    static const char head[] = "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/event-stream\r\n"
                               "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
    c->is_stream = 1;
    streams[stream_count++] = c;
    c->interval_ns = interval_us * 1000;
    /* multiples of the golden ratio fall evenly into the interval, however many follow */
    c->due_ns = now_ns() + (long long)(c->interval_ns * (1 + streams_ever * 0.6180339887 - (int)(streams_ever * 0.6180339887)));
    streams_ever++;
    put(c, head, sizeof head - 1);
    if (c->fd >= 0 && !c->interval_ns) watch(c, 1);
}

static void answer(Connection *c) {
    const char *wish = message_header(&c->request, "\r\nx-bench:");
    int line = strcspn(c->request.head, "\r");
    dprintf(STDOUT_FILENO, "request: %.*s\n", line, c->request.head); /* model servers do that */
    if (wish && !strncmp(wish, "stream ", 7)) {
        begin_stream(c, atoll(wish + 7));
    } else if (wish && !strncmp(wish, "bytes ", 6)) {
        c->is_audio = strstr(c->request.head, " /v1/audio/") != NULL;
        char head[256];
        const char *begin = c->is_audio ? AUDIO_BEGIN : JSON_BEGIN;
        int count = sprintf(head, "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: %s\r\nContent-Length: %lld\r\n\r\n%s",
                            c->is_audio ? "audio/wav" : "application/json", atoll(wish + 6), begin);
        put(c, head, count);
        c->bulk_left = atoll(wish + 6) - (long long)strlen(begin);
        if (c->fd >= 0) watch(c, 1);
    } else {
        put(c, small_answer, small_bytes);
    }
    message_begin(&c->request, 0);
}

static void on_readable(Connection *c) {
    ssize_t count = recv(c->fd, input, sizeof input, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0 || message_feed(&c->request, input, count, NULL, NULL) != count) drop(c);
    else if (c->request.part == COMPLETE) answer(c);
}

static void accept_all(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Connection *c = calloc(1, sizeof *c);
        if (!c) die("memory");
        c->fd = fd;
        message_begin(&c->request, 0);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

static void bury(void) {
    while (dead) {
        Connection *c = dead;
        dead = c->next_dead;
        free(c);
    }
}

/* Sends the events that are due and sets the timer for the next one. */
static void tick(void) {
    static int is_armed;
    long long next_ns = 0, now = now_ns();
    for (int i = stream_count - 1; i >= 0; i--) { /* downwards: dropping one moves the last here */
        Connection *c = streams[i];
        if (!c->interval_ns) continue;
        while (c->fd >= 0 && !c->out_bytes && c->due_ns <= now) {
            put_event(c);
            c->due_ns += c->interval_ns;
        }
        if (c->fd >= 0 && !c->out_bytes && (!next_ns || c->due_ns < next_ns)) next_ns = c->due_ns;
    }
    if (!next_ns && !is_armed) return;
    struct itimerspec when = {.it_value = {next_ns / 1000000000, next_ns % 1000000000}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL); /* forgets that it had fired */
    is_armed = next_ns != 0;
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: upstream PORT\n"), 2;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) die("listen");
    signal(SIGPIPE, SIG_IGN); /* a log nobody reads any more */
    prepare();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event on_listener = {.events = EPOLLIN, .data.ptr = &listener};
    struct epoll_event on_timer = {.events = EPOLLIN, .data.ptr = &timer_fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &on_listener);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &on_timer);
    for (;;) {
        struct epoll_event events[256];
        int count = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < count; i++) {
            void *who = events[i].data.ptr;
            if (who == &listener) accept_all(listener);
            if (who == &listener || who == &timer_fd) continue;
            Connection *c = who;
            if (c->fd >= 0 && events[i].events & ~EPOLLOUT) on_readable(c);
            if (c->fd >= 0 && events[i].events & EPOLLOUT) on_writable(c);
        }
        tick();
        bury();
    }
}
