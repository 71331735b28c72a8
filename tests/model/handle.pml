/* Handles and expectations as a state machine: what keyd signs with the client's key while everybody else does as they
 * please. spin searches every interleaving within the bounds below; model_test.py runs it, and each mutation, which has
 * to be found. docs/adr/0018-a-model-of-what-is-signed.md says what this covers and what it does not.
 *
 * Hostile: web (it may have any transcript signed with the server's key and tell of any handshake) and the processes that
 * hold the handles (each may ask for anything on any of them). Honest: the broker. keyd may die at any moment. Time is a
 * clock of a few ticks. Nobody forges a signature or finds a collision: that is taken for granted.
 *
 * A step of keyd is one d_step: it is one thread, and serves a message to its end before it looks at the next. In which
 * order it comes to its channels is left open, which allows more than its loop does (keyd/keyd.c). */

/* The bounds. model_test.py searches several sets of them. */
#ifndef HANDLES
#define HANDLES 1 /* 0 is the browser's; the others are derived from it */
#endif
#ifndef CHAIN
#define CHAIN 0 /* 1: handle 2 is derived from handle 1; 0: both are from 0 */
#endif
#ifndef PIDS
#define PIDS 1
#endif
#ifndef DEATHS
#define DEATHS 0 /* how often keyd dies */
#endif
#ifndef TRANSCRIPTS
#define TRANSCRIPTS 2
#endif
#ifndef ROOM
#define ROOM 2 /* entries in either table of keyd/expectation.c; 1 or 2 */
#endif
#ifndef FLIGHT
#define FLIGHT HANDLES /* messages that wait in all handles' channels together */
#endif
#define LAST_TICK 2

/* What a mutated keyd, or broker, leaves out. */
#define TWICE 1            /* an expectation is not used up */
#define EXPECTED_LATE 2    /* an expectation does not expire */
#define ANY_DIGEST 3       /* a digest need not be expected */
#define ANY_SERVER 4       /* the server's certificate in a transcript is not compared */
#define ANY_PROOF 5        /* its CertificateVerify is not compared with those that keyd made */
#define PROOF_TWICE 6      /* a CertificateVerify is good for more than one expectation */
#define PROOF_LATE 7       /* a CertificateVerify does not age */
#define ANY_PID 8          /* the sender is not compared with the pinned process */
#define PIN_AGAIN 9        /* a pinned handle can be pinned again */
#define USED_LATE 10       /* a handle does not expire */
#define NO_MAXIMUM 11      /* its signatures are not limited */
#define NO_RATE 12         /* their rate is not limited */
#define NO_CHARGE 13       /* a use is not charged to the handle that it was derived from */
#define REVOKES_NOTHING 14 /* a revoked handle's channel is not closed */
#define REVOKES_ONE 15     /* those of the handles derived from it are not closed */
#define PARENT_GONE 16     /* a handle is derived from one that is gone */
#define ANSWERS_EARLY 17   /* the operator is told of a revocation before keyd has done it */
#define REMEMBERS 18       /* a new keyd has the expectations of the old one */
#ifndef MUTATE
#define MUTATE 0
#endif

#define NOBODY 0 /* no process */
#define NONE 255 /* no handle */

/* Transcripts: with the certificate that keyd's first life made for its server (0), and with that of its second (1), each of
 * which is a foreign server's to the other. keyd sees which in EXPECT_CLIENT, but not in what it signs for web, a hash. */
#define LIFE_OF(t) (t)

/* The terms of each handle. */
#define PARENT(h) ((h) == 0 -> NONE : ((h) == 2 && CHAIN -> 1 : 0))
#define MAX_SIGNATURES(h) ((h) == 2 -> 1 : 2)
#define RATE(h) ((h) == 1 -> 1 : 2) /* signatures in a tick */
#define EXPIRES(h) ((h) == 2 -> 1 : 2)

mtype = { KEYD_GRANT, KEYD_REVOKE, SIGN_TLS13_SERVER, EXPECT_CLIENT, PIN_HANDLE, SIGN_BROWSER_DIGEST };

/* Channels: FIFO queues, as socketpairs are, of one message: with more, what is hostile could do nothing that it cannot do a
 * moment later. keyd's answers to the hostile are left out, who learn nothing from them that
 * they could not guess here. */
chan broker_to_keyd = [1] of { mtype, byte /* handle */ };
chan keyd_to_broker = [HANDLES] of { byte /* the handle that is revoked now */ };
chan web_to_keyd = [1] of { mtype, byte /* transcript */ };
chan holder_to_keyd[HANDLES] = [1] of { mtype, byte /* transcript */, byte /* pid, by the kernel's word */ };

byte now;  /* clock_monotonic_ms */
byte life; /* which keyd this is */
byte flight; /* messages in holder_to_keyd */

/* ---- What keyd remembers ---- */

typedef grant_state {
    bool open;
    byte pinned;
    byte signatures;
    byte spent /* of its rate, in this tick */
};
typedef table_entry {
    byte transcript;
    bool live /* until_ms is in the future, and it is not used up */
};
grant_state grant[3];
table_entry made[ROOM];    /* CertificateVerify signatures made for web */
table_entry awaited[ROOM]; /* expectations */

/* ---- What has happened: the policy's own books ---- */

bool answered[3];          /* the operator was told that this handle is revoked */
byte charged[3];           /* signatures by it and by all that is derived from it */
byte recently[3];          /* those of this tick */
byte pinned_by[3];         /* who pinned it, or what it was derived from, first */
byte proofs[TRANSCRIPTS];  /* CertificateVerifys of this tick that no expectation has referred to */
byte allowed[TRANSCRIPTS]; /* client signatures that handshakes told of in this tick still wait for */

byte a, i, h, t, who; /* scratch of the d_steps, 0 outside of them */

#define add(counter) counter = (counter < ROOM -> counter + 1 : ROOM)

/* The policy. Each signature with the client's key is held against it. */
inline note_signature()
{
    assert(LIFE_OF(t) == life); /* a handshake with this keyd's own server */
    assert(allowed[t] > 0);     /* that web told of in time, and once for each time */
    allowed[t]--;
    a = h;
    do
    :: a == NONE -> break
    :: else ->
        assert(!answered[a]);
        assert(pinned_by[a] == who);
        assert(now < EXPIRES(a));
        assert(charged[a] < MAX_SIGNATURES(a));
        assert(recently[a] < RATE(a));
        charged[a]++;
        recently[a]++;
        a = PARENT(a)
    od
}

/* ---- keyd ---- */

/* keyd/channel_table.c, table_open; keyd/grant.c, grant_init and grant_derive. */
inline open_grant()
{
    if
    :: PARENT(h) == NONE -> grant[h].open = true
    :: PARENT(h) != NONE && (grant[PARENT(h)].open || MUTATE == PARENT_GONE) ->
        grant[h].open = true;
        grant[h].pinned = grant[PARENT(h)].pinned;
        pinned_by[h] = pinned_by[PARENT(h)]
    :: else
    fi
}

inline empty_channel(n)
{
    do
    :: nempty(holder_to_keyd[n]) -> holder_to_keyd[n] ? _, _, _; flight--
    :: empty(holder_to_keyd[n]) -> break
    od
}

/* keyd/channel_table.c, channel_table_revoke: the handle's channel and those of all that is derived from it. */
inline close_grant()
{
    for (i : 0 .. HANDLES - 1) {
        a = i;
        do
        :: a == NONE -> break
        :: a == h && MUTATE != REVOKES_NOTHING -> grant[i].open = false; empty_channel(i); break
        :: a == h && MUTATE == REVOKES_NOTHING -> break
        :: else -> a = (MUTATE == REVOKES_ONE -> NONE : PARENT(a))
        od
    }
}

/* A table of keyd/expectation.c: the newest is put in, the oldest falls out. */
#define put(table) \
    table[ROOM - 1].live = table[0].live; table[ROOM - 1].transcript = table[0].transcript; \
    table[0].live = true; table[0].transcript = t
/* What is used up, or too old, is forgotten at once: there are fewer states if it does not lie about. */
#define wipe(entry) entry.live = false; entry.transcript = 0

/* keyd/dispatch.c, on_sign_tls13_server; keyd/expectation.c, expectation_note_signature. */
inline sign_for_web()
{
    put(made);
    add(proofs[t])
}

/* keyd/binding.c, is_own_server; keyd/expectation.c, expectation_take_signature. Leaves in i which signature it is;
 * ROOM: none. */
inline find_proof()
{
    i = 0;
    do
    :: i == ROOM || (MUTATE != ANY_SERVER && LIFE_OF(t) != life) -> i = ROOM; break
    :: i < ROOM && (MUTATE == ANY_PROOF || (made[i].transcript == t && made[i].live)) -> break
    :: else -> i++
    od
}

/* keyd/binding.c, binding_expect; keyd/expectation.c, expectation_add. */
inline expect_client()
{
    find_proof();
    if
    :: i < ROOM ->
        if :: MUTATE != PROOF_TWICE -> wipe(made[i]) :: else fi;
        put(awaited)
    :: else
    fi;
    if :: LIFE_OF(t) == life && proofs[t] > 0 -> proofs[t]--; add(allowed[t]) :: else fi /* the policy's own books */
}

/* keyd/grant.c, grant_check: whether the sender may have a signature now. Leaves in i whether it may. */
inline check_grant()
{
    i = 1;
    a = h;
    do
    :: a == NONE -> break
    :: else ->
        if
        :: (MUTATE != ANY_PID && grant[a].pinned != who) ||
           (MUTATE != USED_LATE && now >= EXPIRES(a)) ||
           (MUTATE != NO_MAXIMUM && grant[a].signatures >= MAX_SIGNATURES(a)) ||
           (MUTATE != NO_RATE && grant[a].spent >= RATE(a)) -> i = 0
        :: else
        fi;
        a = PARENT(a)
    od
}

/* keyd/expectation.c, expectations_take. Leaves in i which one it is, used up; ROOM: none. */
inline take_expectation()
{
    i = 0;
    do
    :: i == ROOM -> break
    :: i < ROOM && awaited[i].live && (MUTATE == ANY_DIGEST || awaited[i].transcript == t) ->
        if :: MUTATE != TWICE -> wipe(awaited[i]) :: else fi;
        break
    :: else -> i++
    od
}

/* keyd/grant.c, grant_charge. */
inline charge()
{
    a = h;
    do
    :: a == NONE -> break
    :: else ->
        grant[a].signatures++;
        grant[a].spent++;
        a = (MUTATE == NO_CHARGE -> NONE : PARENT(a))
    od
}

/* keyd/dispatch.c, answer_request, on_sign_browser_digest and sign. */
inline sign_for_browser()
{
    check_grant();
    if :: i == 1 -> take_expectation() :: else -> i = ROOM fi;
    if :: i < ROOM -> charge(); note_signature() :: else fi /* otherwise refused */
}

/* keyd/dispatch.c, on_pin_handle; keyd/grant.c, check_pin and grant_pin: once, and to nobody whom a parent is not for. */
inline pin()
{
    i = (grant[h].pinned == NOBODY || MUTATE == PIN_AGAIN);
    a = PARENT(h);
    do
    :: a == NONE -> break
    :: else -> i = (grant[a].pinned == NOBODY || grant[a].pinned == who -> i : 0); a = PARENT(a)
    od;
    if :: i == 1 -> grant[h].pinned = who :: else fi;
    if :: i == 1 && pinned_by[h] == NOBODY -> pinned_by[h] = who :: else fi /* the policy's own books */
}

#define done a = 0; i = 0; h = 0; t = 0; who = 0

/* ---- The processes. keyd is three of them, one for each kind of channel: what is woken when a channel is readable. ---- */

/* keyd/channel_table.c, channel_step. A channel without a grant is read by nobody. */
active [HANDLES] proctype keyd_from_holder()
{
end:
    do
    :: d_step {
           grant[_pid].open && nempty(holder_to_keyd[_pid]) -> h = _pid; flight--;
           if
           :: holder_to_keyd[_pid] ? PIN_HANDLE, t, who -> pin()
           :: holder_to_keyd[_pid] ? SIGN_BROWSER_DIGEST, t, who -> sign_for_browser()
           fi;
           done
       }
    od
}

#define QUEUE_OF_MINE holder_to_keyd[_pid - HANDLES]
#define ask(kind, transcript, process) \
    flight < FLIGHT && nfull(QUEUE_OF_MINE) -> flight++; QUEUE_OF_MINE ! kind(transcript, process)

active [HANDLES] proctype holder()
{
end:
    do
    :: d_step { ask(PIN_HANDLE, 0, 1) }
    :: d_step { ask(SIGN_BROWSER_DIGEST, 0, 1) }
    :: d_step { TRANSCRIPTS > 1 && ask(SIGN_BROWSER_DIGEST, 1, 1) }
    :: d_step { PIDS > 1 && ask(PIN_HANDLE, 0, 2) }
    :: d_step { PIDS > 1 && ask(SIGN_BROWSER_DIGEST, 0, 2) }
    :: d_step { PIDS > 1 && TRANSCRIPTS > 1 && ask(SIGN_BROWSER_DIGEST, 1, 2) }
    od
}

active proctype keyd_from_web()
{
end:
    do
    :: d_step { web_to_keyd ? SIGN_TLS13_SERVER, t -> sign_for_web(); done }
    :: d_step { web_to_keyd ? EXPECT_CLIENT, t -> expect_client(); done }
    od
}

active proctype web()
{
end:
    do
    :: web_to_keyd ! SIGN_TLS13_SERVER(0)
    :: TRANSCRIPTS > 1 -> web_to_keyd ! SIGN_TLS13_SERVER(1)
    :: web_to_keyd ! EXPECT_CLIENT(0)
    :: TRANSCRIPTS > 1 -> web_to_keyd ! EXPECT_CLIENT(1)
    od
}

/* keyd/keyd.c, on_broker_message. */
active proctype keyd_from_broker()
{
end:
    do
    :: d_step { broker_to_keyd ? KEYD_GRANT, h -> open_grant(); done }
    :: d_step { broker_to_keyd ? KEYD_REVOKE, h -> close_grant(); keyd_to_broker ! h; done }
    od
}

/* broker/keyd_link.c and broker/revocation.c: lends each handle once in keyd's life, and revokes any at the operator's word. It
 * does not look whether what it derives from has just been revoked: keyd has to. */
#define can_tell(n) (known_life == life && nfull(broker_to_keyd) && n < HANDLES)
#define lend(n) can_tell(n) && !lent[n] -> broker_to_keyd ! KEYD_GRANT(n); lent[n] = true
#define revoke(n) can_tell(n) && lent[n] && !revoked[n] -> \
        broker_to_keyd ! KEYD_REVOKE(n); revoked[n] = true; answered[n] = (MUTATE == ANSWERS_EARLY)

active proctype broker()
{
    byte known_life; /* the keyd that it has a channel to */
    bool lent[3], revoked[3];
    byte n;
end:
    do
    :: d_step { lend(0) }
    :: d_step { lend(1) }
    :: d_step { lend(2) }
    :: d_step { revoke(0) }
    :: d_step { revoke(1) }
    :: d_step { revoke(2) }
    :: d_step { keyd_to_broker ? n -> answered[n] = true; n = 0 }
    :: d_step {
           known_life != life -> known_life = life;
           for (n : 0 .. 2) { lent[n] = false; revoked[n] = false }
           n = 0
       }
    od
}

/* Time passes; and keyd dies, with its channels and what is in them, its keys, and what it remembers. */
inline pass_tick()
{
    now++;
    for (i : 0 .. ROOM - 1) {
        if :: MUTATE != PROOF_LATE -> wipe(made[i]) :: else fi;
        if :: MUTATE != EXPECTED_LATE -> wipe(awaited[i]) :: else fi
    }
    for (i : 0 .. TRANSCRIPTS - 1) { proofs[i] = 0; allowed[i] = 0 }
    for (i : 0 .. HANDLES - 1) { grant[i].spent = 0; recently[i] = 0 }
}

inline die()
{
    life++;
    for (i : 0 .. HANDLES - 1) {
        grant[i].open = false; grant[i].pinned = NOBODY; grant[i].signatures = 0; grant[i].spent = 0; recently[i] = 0;
        answered[i] = false; charged[i] = 0; pinned_by[i] = NOBODY;
        empty_channel(i)
    }
    do :: nempty(broker_to_keyd) -> broker_to_keyd ? _, _ :: empty(broker_to_keyd) -> break od;
    do :: nempty(keyd_to_broker) -> keyd_to_broker ? _ :: empty(keyd_to_broker) -> break od;
    do :: nempty(web_to_keyd) -> web_to_keyd ? _, _ :: empty(web_to_keyd) -> break od;
    for (i : 0 .. ROOM - 1) {
        wipe(made[i]);
        if :: MUTATE != REMEMBERS -> wipe(awaited[i]) :: else fi
    }
    for (i : 0 .. TRANSCRIPTS - 1) { proofs[i] = 0; allowed[i] = 0 }
}

active proctype world()
{
end:
    do
    :: d_step { now < LAST_TICK -> pass_tick(); done }
    :: d_step { life < DEATHS -> die(); done }
    od
}
