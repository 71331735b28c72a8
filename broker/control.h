/* The control socket's server: who asks, what is answered. */
#ifndef KEYWARD_BROKER_CONTROL_H
#define KEYWARD_BROKER_CONTROL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/link.h"

/* Clients at one time; the next waits in the kernel's queue. */
#define CONTROL_CLIENTS 16

/* How long a status waits for a process that does not answer. */
#define CONTROL_ROUND_MS 1000

/* A question that is answered later, if whoever asked is still there. */
struct control_ticket {
    size_t place;    /* of the client */
    uint64_t client; /* its number */
    uint64_t id;     /* of the question */
};

struct control_client {
    struct link link;  /* fd -1: free */
    uint64_t number;   /* never another client's */
    uint64_t deadline; /* on clock_monotonic_ms's scale */
    bool waits;        /* for the status that is being collected */
    uint64_t id;       /* of its question */
    /* A derived handle that keyd has to allow first: */
    uint64_t derived;    /* its number; 0: none */
    uint64_t derived_id; /* of the question */
    int derived_end;     /* what the client gets; -1: none */
};

struct control {
    int listener;
    uid_t owner; /* who started the broker; only that user and root are let in */
    struct control_client clients[CONTROL_CLIENTS];
    uint64_t last_number;
    uint64_t round_ends; /* the deadline of the status being collected; 0: none is */
};

struct broker;

void control_init(struct control *control, int listener, uid_t owner);

/* control_peer_fault says what is wrong with who connected, or NULL: it has to be owner or root (SO_PEERCRED, unix(7)),
 * and in the network namespace of host_cookie (broker/listener.h). The browser is in another one, and where owner is an
 * ordinary user it has that uid; a socket's file it reaches wherever its mount namespace covers nothing. */
const char *control_peer_fault(int fd, uid_t owner, uint64_t host_cookie);

/* control_polls adds what the server waits for and returns how many that are, at most 1 + CONTROL_CLIENTS;
 * control_serve takes the same rows back when they were polled. */
size_t control_polls(const struct control *control, struct pollfd *out);
void control_serve(struct broker *broker, const struct pollfd *polled, size_t num);

/* control_deadline returns the next deadline, 0 if there is none; control_expire acts on those that are over. */
uint64_t control_deadline(const struct control *control);
void control_expire(struct broker *broker, uint64_t now);

/* keyd's word on a derived handle: whoever waits for it gets it, or hears why not. */
void control_opened(struct broker *broker, uint64_t handle);
void control_not_opened(struct broker *broker, uint64_t handle, enum refusal reason);

/* control_none_opened: keyd is gone, and nobody gets what he waits for. */
void control_none_opened(struct broker *broker);
/* control_done and control_fail answer a question. */
void control_done(struct broker *broker, struct control_ticket ticket, uint64_t connections);
void control_fail(struct broker *broker, struct control_ticket ticket, enum err err, const char *text);

void control_explain(struct broker *broker, struct control_ticket ticket, const struct explanation *explanation);

/* control_begin_round asks every process for its counters, unless they have been asked already. */
void control_begin_round(struct broker *broker);

/* control_check_round answers those who wait for a status, or for metrics, as soon as every process that was asked has answered. */
void control_check_round(struct broker *broker);

#endif
