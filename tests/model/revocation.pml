/* The revocation of a handle, as far as its live connections go: when the operator is told that it is done, none is open and
 * none opens any more. model_test.py searches it, and each mutation, which has to be found.
 *
 * Hostile: the client, who holds the handle and may ask and finish whenever it likes. Honest: keyd, web and the broker, as
 * in ADR 15. keyd may die at any moment. Every order in which they come to their channels is searched. */

/* What a mutated process leaves out. */
#define SIGNS_FIRST 1     /* keyd: tells the worker after the client has its signature */
#define UNTOLD 2          /* keyd: signs though the worker was not told; web: opens all the same (each alone is no harm) */
#define REVOKES_NOTHING 3 /* keyd: says that a handle is closed and goes on with it */
#define NO_CATCH_UP 4     /* web: does not read what keyd has said before it looks for connections */
#define ASKS_ONCE 5       /* broker: does not ask the workers again when keyd has closed the handle */
#define FORGETS_KEYD 6    /* broker: does not wait for keyd */
#ifndef MUTATE
#define MUTATE 0
#endif

#define CONNECTIONS 2

mtype = { KEYD_REVOKE, WEB_REVOKE, CLIENT_BOUND, SIGN, FINISHED };
mtype = { HANDSHAKE, OPEN, ENDED };

chan broker_to_keyd = [1] of { mtype };
chan keyd_to_broker = [1] of { bool /* the handle is closed */ };
chan broker_to_web = [2] of { mtype };
chan web_to_broker = [2] of { bool /* WEB_REVOKED */ };
chan client_to_keyd = [1] of { byte /* connection */ };
chan keyd_to_web = [1] of { byte /* connection: CLIENT_BOUND */ };
chan client_to_web[CONNECTIONS] = [1] of { bool /* the client's Finished */ };

bool keyd_lives = true;
bool is_lent = true;               /* keyd's: the handle's channel is open */
bool has_signature[CONNECTIONS];   /* the client's */
bool is_bound[CONNECTIONS];        /* web's, conn.handle */
mtype state[CONNECTIONS] = HANDSHAKE; /* web's */
bool is_done;                      /* the operator was told */
byte c, i;                         /* scratch, 0 outside of d_steps */

inline expect_none_open()
{
    for (i : 0 .. CONNECTIONS - 1) { assert(!is_done || state[i] != OPEN) }
    i = 0
}

/* ---- keyd ---- */

/* keyd/dispatch.c, bind_to_handshake and sign; keyd/channel_table.c, tell_bound: into the channel at once, or not at all. */
active proctype keyd_from_client()
{
end:
    do
    :: d_step {
           keyd_lives && is_lent && MUTATE != SIGNS_FIRST && client_to_keyd ? [c] -> client_to_keyd ? c;
           if
           :: nfull(keyd_to_web) -> keyd_to_web ! c; has_signature[c] = true
           :: full(keyd_to_web) -> has_signature[c] = (MUTATE == UNTOLD) /* REFUSAL_BUSY */
           fi;
           c = 0
       }
    :: MUTATE == SIGNS_FIRST && keyd_lives && is_lent && nempty(client_to_keyd) ->
        byte n;
        client_to_keyd ? n;
        has_signature[n] = true;
        if
        :: keyd_to_web ! n
        :: !keyd_lives
        fi;
        n = 0
    od
}

/* keyd/channel_table.c, channel_table_revoke: what keyd says of it is behind all that it has said of its use. */
active proctype keyd_from_broker()
{
end:
    do
    :: d_step {
           keyd_lives && broker_to_keyd ? [KEYD_REVOKE] && nfull(keyd_to_broker) -> broker_to_keyd ? _;
           is_lent = (MUTATE == REVOKES_NOTHING);
           keyd_to_broker ! true
       }
    od
}

/* What it has said into web's channel and the broker's can still be read. */
active proctype death()
{
end:
    keyd_lives -> keyd_lives = false
}

/* ---- The client: what it holds, it uses whenever it likes ---- */

active proctype client()
{
end:
    do
    :: client_to_keyd ! 0
    :: client_to_keyd ! 1
    :: has_signature[0] && nfull(client_to_web[0]) -> client_to_web[0] ! true
    :: has_signature[1] && nfull(client_to_web[1]) -> client_to_web[1] ! true
    od
}

/* ---- web ---- */

/* web/signer.c, signer_catch_up; web/conn_handshake.c, conn_bound. */
inline catch_up()
{
    do
    :: nempty(keyd_to_web) -> keyd_to_web ? i; is_bound[i] = true
    :: empty(keyd_to_web) -> break
    od;
    i = 0
}

active proctype web_from_keyd()
{
end:
    do
    :: d_step { nempty(keyd_to_web) -> catch_up() }
    od
}

/* web/conn_handshake.c, handshake_done and is_accounted_for. */
active [CONNECTIONS] proctype web_from_client()
{
end:
    do
    :: d_step {
           nempty(client_to_web[_pid - 5]) -> client_to_web[_pid - 5] ? _;
           c = _pid - 5;
           if
           :: state[c] == HANDSHAKE ->
               if
               :: !is_bound[c] -> catch_up()
               :: else
               fi;
               state[c] = (is_bound[c] || MUTATE == UNTOLD -> OPEN : ENDED)
           :: else
           fi;
           c = 0;
           expect_none_open()
       }
    od
}

/* web/conn_revoke.c, conn_revoke: what is in a handshake ends as well. */
active proctype web_from_broker()
{
end:
    do
    :: d_step {
           broker_to_web ? [WEB_REVOKE] && nfull(web_to_broker) -> broker_to_web ? _;
           if
           :: MUTATE != NO_CATCH_UP -> catch_up()
           :: else
           fi;
           for (c : 0 .. CONNECTIONS - 1) { state[c] = (is_bound[c] -> ENDED : state[c]) }
           c = 0;
           web_to_broker ! true
       }
    od
}

/* ---- The broker: broker/revocation.c. The operator is told when nobody has yet to answer. ---- */

active proctype broker()
{
    byte waits = 0;
    bool is_closed = false;
    broker_to_web ! WEB_REVOKE; /* revocation_handle */
    waits = 1;
    if
    :: broker_to_keyd ! KEYD_REVOKE
    :: !keyd_lives
    fi;
end:
    do
    /* revocation_note_closed, revocation_note_keyd_gone */
    :: !is_closed && MUTATE != FORGETS_KEYD && (nempty(keyd_to_broker) || !keyd_lives) ->
        is_closed = true;
        if
        :: MUTATE != ASKS_ONCE -> broker_to_web ! WEB_REVOKE; waits++
        :: else
        fi
    :: web_to_broker ? _ -> waits--
    :: d_step {
           (is_closed || MUTATE == FORGETS_KEYD) && waits == 0 && !is_done -> is_done = true; /* check_done */
           expect_none_open()
       }
    od
}
