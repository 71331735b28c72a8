/* The inside of the gateway. Nobody outside this folder includes this. */
#ifndef KEYWARD_BROWSER_SHIM_GATEWAY_GATEWAY_INTERNAL_H
#define KEYWARD_BROWSER_SHIM_GATEWAY_GATEWAY_INTERNAL_H

#include <stdbool.h>

#include "base/log_rate.h"
#include "browser-shim/gateway/gateway.h"
#include "proto/link.h"
#include "tlsclient/tlsclient.h"

/* ---- A handle, and what it takes for handshakes ------------------------------------------------------------------ */

struct key {
    struct gateway *gateway;
    unsigned users; /* the gateway, and connections in their handshake; the last one frees it */
    ev_io io;
    struct link link;                /* while keyd is asked to describe it; fd -1: the signer has the handle */
    struct tlsclient_signer *signer; /* NULL: it is not described yet */
    struct tlsclient_server *server;
    bool ended;
};

/* key_new asks keyd what the handle is for; key_described or key_failed of the gateway is called later. The handle is its own,
 * whatever it returns. NULL: it failed, which is logged. */
struct key *key_new(struct gateway *gateway, int handle);

void key_release(struct key *key);

/* key_watch is called when a connection waits for a signature. */
void key_watch(struct key *key);

/* ---- A connection ------------------------------------------------------------------------------------------------ */

enum conn_state {
    CONN_SHAKING,  /* TLS with web */
    CONN_CARRYING, /* bytes, both ways */
    CONN_REFUSING, /* there is no web to speak to: what the browser asks is answered here */
    CONN_PARTING,  /* all is said, and the browser is to end its half */
};

/* Bytes that one side has sent and the other one has not taken. */
struct buffer {
    size_t start, len;
    uint8_t data[LIMIT_GATEWAY_BUFFER];
};

struct conn {
    struct gateway *gateway;
    struct conn *prev, *next;
    enum conn_state state;
    struct key *key; /* while shaking */
    struct tlsclient *tls;
    ev_io browser, web; /* fd -1: not connected */
    ev_timer timer;
    struct buffer up, down;
    bool browser_ended; /* its half */
    bool told_web;      /* that it has */
    bool web_ended;
    bool web_is_deaf; /* it takes no more; why is said where it is read */
    bool asked;       /* the browser has sent a byte that was taken */
    bool answered;    /* it has got one */
};

/* conn_new begins one for a browser's connection, which is its own from then on. */
void conn_new(struct gateway *gateway, int browser_fd);

/* conn_free tells the gateway (gateway_note_end). */
void conn_free(struct conn *conn);

/* ---- The gateway ------------------------------------------------------------------------------------------------- */

struct gateway {
    struct ev_loop *loop;
    struct gateway_config config;
    char host[LIMIT_NAME + 1];
    struct codec_arena *arena;
    struct key *key;  /* for new handshakes; NULL: there is none yet */
    struct key *next; /* that is being described; NULL: none is */
    struct conn *conns;
    unsigned num_conns;
    ev_io acceptor;
    ev_timer pause; /* after an accept for which the machine had no room */
    struct log_rate failures;
};

void gateway_key_described(struct gateway *gateway, struct key *key);
void gateway_key_failed(struct gateway *gateway, struct key *key, const char *why);
void gateway_note_end(struct gateway *gateway, struct conn *conn);

/* gateway_log_failure says why a connection to web failed, not too often. */
void gateway_log_failure(struct gateway *gateway, const char *why);

#endif
