/* HTTP/1.1 messages as they arrive, in pieces of any size. Shared by load.c and upstream.c.

   Only what a benchmark meets on the loopback interface: nothing here is for hostile peers. */

#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_HEAD = 16384, READ_SIZE = 262144 };

typedef enum { HEAD, LENGTH, CHUNK_SIZE, CHUNK_LINE, CHUNK_DATA, CHUNK_END, TRAILER, UNTIL_CLOSE, COMPLETE } Part;

typedef struct {
    Part part;
    int is_response;
    long long left;      /* body bytes still to come, of the chunk or the whole */
    int line_bytes;      /* of the trailer line read so far */
    size_t head_bytes;
    char head[MAX_HEAD + 1];
} Message;

/* Called with each run of body bytes, without any framing. */
typedef void Payload(void *context, const char *bytes, size_t count);

static inline long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static inline void message_begin(Message *m, int is_response) {
    m->part = HEAD;
    m->is_response = is_response;
    m->head_bytes = 0;
    m->line_bytes = 0;
}

/* Returns the text behind "name:" in the head, or NULL; *name* begins with CR LF and ends with a colon. */
static inline const char *message_header(const Message *m, const char *name) {
    const char *found = strcasestr(m->head, name);
    if (!found) return NULL;
    found += strlen(name);
    while (*found == ' ') found++;
    return found;
}

static inline void head_is_complete(Message *m) {
    const char *length = message_header(m, "\r\ncontent-length:");
    m->left = length ? atoll(length) : 0;
    if (message_header(m, "\r\ntransfer-encoding:")) {
        m->part = CHUNK_SIZE;
        m->left = 0;
    } else if (m->is_response && !length) {
        m->part = UNTIL_CLOSE;
    } else {
        m->part = m->left ? LENGTH : COMPLETE;
    }
}

/* Takes head bytes; returns how many, or -1 if the head does not fit. */
static inline long take_head(Message *m, const char *bytes, size_t count) {
    size_t before = m->head_bytes, room = MAX_HEAD - before;
    size_t take = count < room ? count : room;
    memcpy(m->head + before, bytes, take);
    m->head[before + take] = 0;
    char *end = strstr(m->head + (before > 3 ? before - 3 : 0), "\r\n\r\n");
    if (!end) {
        m->head_bytes = before + take;
        return m->head_bytes == MAX_HEAD ? -1 : (long)take;
    }
    m->head_bytes = end + 4 - m->head;
    *(end + 4) = 0;
    head_is_complete(m);
    return m->head_bytes - before;
}

/* Takes one byte of what stands between the chunks; returns 0 if it is not legal. */
static inline int take_framing(Message *m, char c) {
    static const char digits[] = "0123456789abcdef";
    const char *digit;
    switch (m->part) {
    case CHUNK_SIZE:
        digit = c ? strchr(digits, c | 0x20) : NULL;
        if (digit && c != '\r') m->left = m->left * 16 + (digit - digits);
        else if (c == '\r' || c == ';' || c == ' ') m->part = CHUNK_LINE;
        else return 0;
        break;
    case CHUNK_LINE:
        if (c == '\n') m->part = m->left ? CHUNK_DATA : TRAILER;
        break;
    case CHUNK_END:
        if (c == '\n') m->part = CHUNK_SIZE;
        else if (c != '\r') return 0;
        break;
    default: /* TRAILER: ends with an empty line */
        if (c == '\n' && !m->line_bytes) m->part = COMPLETE;
        else if (c == '\n') m->line_bytes = 0;
        else if (c != '\r') m->line_bytes++;
    }
    return 1;
}

/* Takes bytes until the message is complete; returns how many, or -1 if it is broken. */
static inline long message_feed(Message *m, const char *bytes, size_t count, Payload *payload, void *context) {
    size_t at = 0;
    while (at < count && m->part != COMPLETE) {
        if (m->part == HEAD) {
            long taken = take_head(m, bytes + at, count - at);
            if (taken < 0) return -1;
            at += taken;
        } else if (m->part == LENGTH || m->part == CHUNK_DATA || m->part == UNTIL_CLOSE) {
            size_t take = count - at;
            if (m->part != UNTIL_CLOSE) {
                if (m->left < (long long)take) take = m->left;
                m->left -= take;
            }
            if (payload) payload(context, bytes + at, take);
            at += take;
            if (m->part == LENGTH && !m->left) m->part = COMPLETE;
            if (m->part == CHUNK_DATA && !m->left) m->part = CHUNK_END;
        } else if (!take_framing(m, bytes[at++])) {
            return -1;
        }
    }
    return at;
}

#endif
