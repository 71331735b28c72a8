/* Every cap on what a peer controls, in one place. A test stands at the edge of each. */
#ifndef KEYWARD_BASE_LIMITS_H
#define KEYWARD_BASE_LIMITS_H

/* Channels. */
#define LIMIT_PACKET 65536u     /* bytes in one packet, any channel */
#define LIMIT_SIGN_PACKET 1024u /* bytes in one packet, a signing channel */
#define LIMIT_TRANSCRIPT \
    16384u /* bytes of a handshake's messages that web tells of, ClientHello to server's Finished */
#define LIMIT_TRANSCRIPT_PACKET (LIMIT_TRANSCRIPT + 64u) /* bytes in one packet, a web worker's signing channel */
#define LIMIT_CLIENT_TRANSCRIPT 32768u /* bytes of those that a client shows: foreign servers send longer ones */
#define LIMIT_CLIENT_PACKET (LIMIT_CLIENT_TRANSCRIPT + 64u) /* bytes in one packet, a client's signing channel */
#define LIMIT_PACKET_FDS 4u                                 /* descriptors with one packet */
#define LIMIT_DECODE_ARENA (512u * 1024u)                   /* the fullest valid packet, decoded */
#define LIMIT_SIGN_ARENA (96u * 1024u)                      /* the same for a signing channel */

/* Fields. */
#define LIMIT_LABEL 64u
#define LIMIT_NAME 255u /* a DNS name (RFC 1035, 2.3.4) */
#define LIMIT_NAMES 16u
#define LIMIT_SUBJECT 256u
#define LIMIT_TEXT 1024u
#define LIMIT_PATH 1024u
#define LIMIT_LOG_STYLES 4u
#define LIMIT_URL 2048u
#define LIMIT_CLIENT_FIELDS 32u       /* header fields that a person adds to a command-line client's request */
#define LIMIT_CLIENT_FIELDS_LEN 8192u /* bytes of them */
#define LIMIT_CERTIFICATE 8192u       /* DER bytes */
#define LIMIT_CHAIN 4u
#define LIMIT_SERVER_CHAIN 8u     /* certificates that a server shows to a client of this system */
#define LIMIT_CHAIN_BYTES 10240u  /* of a chain that an operator brings: it is part of a handshake's LIMIT_TRANSCRIPT */
#define LIMIT_OCSP_RESPONSE 3072u /* DER bytes; it is stapled, and so part of LIMIT_TRANSCRIPT as well */
#define LIMIT_SERVER_CERTIFICATES 8u /* beside the default one */
#define LIMIT_SERVER_NAMES 128u      /* in one of them */
#define LIMIT_SERVER_SECTION 32u     /* bytes of what its section of the configuration is called */
#define LIMIT_CLIENT_CAS 8u
#define LIMIT_CERTIFICATES 16u
#define LIMIT_SIGNATURE 512u
#define LIMIT_GRANTS 16384u      /* channels to keyd: handles, and the web workers' own */
#define LIMIT_SERVER_GRANTS 256u /* of them the web workers' */
#define LIMIT_GRANT_DEPTH 8u     /* handles above one that was derived */
#define LIMIT_STATUS_HANDLES 48u /* rows of a status; beyond: their number alone */
#define LIMIT_HANDLE_PAGE 128u   /* rows of one HANDLE_LIST */
#define LIMIT_PROCESSES 136u
#define LIMIT_STATUS_PROCESSES 80u  /* rows of a status */
#define LIMIT_SERIAL 20u            /* bytes of a certificate's serial number (RFC 5280, 4.1.2.2) */
#define LIMIT_REVOKED_HANDLES 1024u /* handles in one message that revokes them */
#define LIMIT_REVOKED_SERIALS 1024u /* certificates that a broker keeps revoked until it ends */
#define LIMIT_ECDHE_POINT 133u      /* an uncompressed P-521 point */
#define LIMIT_LOADED 128u           /* files and directories that a configuration names */

/* keyd. */
#define LIMIT_LEAF_LIFETIME_S (90u * 86400u)
#define LIMIT_CA_LIFETIME_S (398u * 86400u)
#define LIMIT_HANDLE_LINES 100u           /* log lines a second of what handles are used for */
#define LIMIT_HANDLE_LIFETIME_S 3600u     /* a command-line client's handle */
#define LIMIT_KEY_FILE 8192u              /* a private key that an operator brings; RSA 4096 has about 3300, PEM */
#define LIMIT_SECRET_HEAP (1024u * 1024u) /* all that BoringSSL may allocate in keyd */
#define LIMIT_ASIDE_HEAP (512u * 1024u)   /* what it may allocate while it reads the certificates of a foreign server */
#define LIMIT_SECRET_STACK (512u * 1024u) /* what keyd computes on; only what is used takes memory */
#define LIMIT_KEYD_SETUPS 64u /* of which keyd keeps the server's keys, as workers of earlier configurations use them */
#define LIMIT_KEYD_BATCH 2u   /* packets that keyd reads from one channel before it turns to the next */
#define LIMIT_KEYD_EVENTS 32768u     /* reports to the broker that wait for it */
#define LIMIT_KEYD_EVENTS_EACH 64u   /* of them about uses and refusals of one channel */
#define LIMIT_KEYD_CATCH_UP 128u     /* packets read from one server channel because a browser came first */
#define LIMIT_KEYD_SIGNED 1024u      /* a server channel's signatures that an expectation may refer to */
#define LIMIT_KEYD_EXPECTATIONS 512u /* client signatures that one server channel's handshakes wait for */

/* The audit log. */
#define LIMIT_AUDIT_LINE 5120u              /* bytes of a record; none is longer, by what can be in it */
#define LIMIT_AUDIT_TEXT 256u               /* bytes of a record's words */
#define LIMIT_AUDIT_KEY 128u                /* DER bytes of the public key that heads are signed with */
#define LIMIT_AUDIT_PENDING (1024u * 1024u) /* bytes that wait for a file which cannot be written; refusals: half */
#define LIMIT_AUDIT_TAIL (256u * 1024u)     /* bytes of an existing file that are checked before it is continued */
#define LIMIT_AUDIT_LAG 1024u               /* records between a head and the record that has its signature */
#define LIMIT_AUDIT_MERGES 256u             /* refusals that are being counted together */
#define LIMIT_AUDIT_INTERVAL_S 86400u       /* between signed heads */
#define LIMIT_AUDIT_KEYS 16u                /* that verify is told, and heads as well */

/* web. */
#define LIMIT_WORKERS 64u
#define LIMIT_WORKER_NUMBERS \
    128u /* as many again, while those of an earlier configuration finish what they have begun */
#define LIMIT_LISTENERS 16u
#define LIMIT_CONNECTIONS 16384u      /* for each worker */
#define LIMIT_ADDRESSES 16384u        /* clients' addresses that a worker keeps count of */
#define LIMIT_HANDSHAKES 2048u        /* of them, those whose client is not known yet; beyond: the oldest is cut */
#define LIMIT_SIGN_PENDING 4096u      /* signatures a worker waits for */
#define LIMIT_EXPECT_PENDING 64u      /* handshakes whose messages wait because the channel to keyd is full */
#define LIMIT_CLIENT_CHAIN 10u        /* certificates a client may send */
#define LIMIT_VERIFIED_CHAINS 1024u   /* clients' chains that a worker remembers to have verified */
#define LIMIT_TLS_KEPT 65536u         /* bytes of records that wait to be sent together */
#define LIMIT_TICKET_KEY 48u          /* bytes of a key for session tickets, with its name */
#define LIMIT_TICKET_KEYS 2u          /* the one that is used, and the one before */
#define LIMIT_TICKET_KEY_S 1800u      /* how long one is used; it is known for as long again */
#define LIMIT_TICKET_LIFETIME_S 3600u /* from a client's proof of its key to the last resumption */
#define LIMIT_CLIENT_CA_FILE (1024u * 1024u)
#define LIMIT_CRL_FILE (4u * 1024u * 1024u) /* revocation lists of the client CAs; about 100,000 certificates */
#define LIMIT_CRLS 64u                      /* lists in it */
#define LIMIT_VERDICTS 128u                 /* kinds of failed handshakes that a worker remembers, for broker explain */
#define LIMIT_VERDICTS_EACH 8u              /* of them those of one client address */
#define LIMIT_VERDICT_REASON 512u           /* bytes */
#define LIMIT_VERDICT_REMEDY 256u           /* bytes */
#define LIMIT_EXPLANATION 32u               /* verdicts in one answer */
#define LIMIT_METRICS 49152u                /* bytes of what /metrics shows */
#define LIMIT_MONITORS 16u /* connections to a worker for /metrics and /healthz; beyond: the oldest is cut */

/* HTTP. */
#define LIMIT_HEADERS 16u /* header fields that an operator sets, changes or takes away */
#define LIMIT_HEADER_NAME 64u
#define LIMIT_HEADER_VALUE 1024u
#define LIMIT_HTTP_TARGET 8192u           /* bytes of a request's target; beyond: 414 */
#define LIMIT_HTTP_HEADER 32768u          /* bytes of a request's header section; beyond: 431 */
#define LIMIT_HTTP_FIELDS 100u            /* header fields of a request; beyond: 431 */
#define LIMIT_HTTP_TRAILERS 32u           /* of those behind a body that are passed on */
#define LIMIT_HTTP_BODY 65536u            /* a body that nobody asked for; beyond: 413 */
#define LIMIT_HTTP_METHOD 32u             /* the longest registered one has 17 letters; beyond: 501 */
#define LIMIT_HTTP_EMPTY_LINES 2u         /* before a request (RFC 9112, 2.2) */
#define LIMIT_HTTP_CHUNK_LINE 96u         /* a chunk's size and extensions */
#define LIMIT_HTTP_RANGES 16u             /* parts of a file in one answer; beyond: the whole file */
#define LIMIT_HTTP_PENDING (256u * 1024u) /* bytes that came while a response is being given */
/* Log lines about requests, for each worker: a client that is let in must not fill the disk with them. */
#define LIMIT_HTTP_LOG_BURST 2000u
#define LIMIT_HTTP_LOG_PER_SECOND 200u
#define LIMIT_HTTP_STATUS_LINE 512u /* of an application's answer */
#define LIMIT_OPEN_FILES 128u       /* of the root directory that stay open, for each worker */
#define LIMIT_OPEN_FILE_MS 1000u    /* how long one stays without being opened again */
#define LIMIT_UPLOADS 512u          /* open at once, for each worker; beyond: 503 */
#define LIMIT_UPLOAD_NAME 128u
#define LIMIT_QUOTA_PAGE 4096u                /* bytes of the memory that all workers share */
#define LIMIT_QUOTA_COUNTS_MS 10000u          /* after so long an upload's end counts the directory again */
#define LIMIT_QUOTA_RETRY_MS 1000u            /* and so long after the last count an upload that finds no room does */
#define LIMIT_H2_STREAMS 100u                 /* concurrent streams of a connection */
#define LIMIT_H2_STREAM_WINDOW (256u * 1024u) /* bytes of a body that may be under way */
#define LIMIT_H2_CONNECTION_WINDOW (1024u * 1024u) /* of all bodies */
#define LIMIT_H2_SETTINGS 32u                      /* entries of a SETTINGS frame */
#define LIMIT_H2_CONTINUATIONS 8u                  /* frames that a header section goes on in; beyond: cut */
#define LIMIT_H2_OUTBOUND_ACKS 128u                /* answers to SETTINGS and PING that the peer does not fetch */
#define LIMIT_H2_OUTBOUND_FRAMES 512u              /* beyond: no more is read until the peer reads */
/* A browser that leaves a page resets what it still waits for, at most a connection's streams at once. */
#define LIMIT_H2_RESET_BURST 200u
#define LIMIT_H2_RESETS_PER_SECOND 20u
/* PING, SETTINGS and empty DATA frames: they make work and carry nothing. */
#define LIMIT_H2_CONTROL_BURST 200u
#define LIMIT_H2_CONTROLS_PER_SECOND 20u
/* All other frames: of what a peer sends, one byte in so many belongs to requests and answers, after a start. */
#define LIMIT_H2_OVERHEAD_FACTOR 8u
#define LIMIT_H2_OVERHEAD (1024u * 1024u)
#define LIMIT_H2_HEADER_BOMB (4u * LIMIT_HTTP_HEADER) /* beyond: not even a 431 */
#define LIMIT_OUTPUT_BUFFER (256u * 1024u)

/* The gateway of browsers that cannot use a key in keyd. */
#define LIMIT_GATEWAY_CONNECTIONS 256u  /* the browser's; beyond: they wait in the listener's queue */
#define LIMIT_GATEWAY_BUFFER 16384u     /* bytes between the browser and web, each way: a record of TLS */
#define LIMIT_GATEWAY_LOG_PER_SECOND 5u /* lines about connections that failed */

/* The proxy. */
#define LIMIT_PROXIES 16u             /* prefixes that lead to an application */
#define LIMIT_PROXY_PREFIX 128u       /* bytes of one */
#define LIMIT_PROXY_UPSTREAM 128u     /* bytes of its address as a text */
#define LIMIT_UPSTREAM_ADDRESSES 8u   /* of a name, that are tried */
#define LIMIT_UPSTREAM_CHAIN 2u       /* certificates that an application elsewhere is shown: keyd signs for no more */
#define LIMIT_PROXY_CONNECTING 16u    /* connections that the broker is making for one worker */
#define LIMIT_PROXY_CONNECTIONS 1024u /* to applications, for each worker */
#define LIMIT_PROXY_IDLE 32u          /* of them, those that wait for a request, for each application */
#define LIMIT_PROXY_WAITING 1024u     /* requests of a worker that wait for a connection; beyond: 503 */
#define LIMIT_PROXY_BUFFER 65536u     /* bytes of a body that wait, each way; beyond: no more is read of it */
#define LIMIT_PROXY_CONNECTION 512u   /* bytes of what the Connection fields of a message say */
#define LIMIT_PROXY_INTERIM 8u        /* answers 1xx before the answer */

/* Streams. */
#define LIMIT_STREAMS 8u
#define LIMIT_STREAM_UPSTREAM 128u  /* bytes of its address as a text */
#define LIMIT_STREAM_CONNECTING 16u /* connections that the broker is making for one worker's streams */
#define LIMIT_CONNECTING (LIMIT_PROXY_CONNECTING + LIMIT_STREAM_CONNECTING) /* for one worker */
#define LIMIT_STREAM_IDLE_S 604800u /* how long one may be silent, if its operator says so */

/* echo. */
#define LIMIT_ECHO_LINE 4096u
#define LIMIT_ECHO_LINES 1000u /* a connection */

/* How long the browser's page may be silent before the browser is restarted, if its operator wants that at all. */
#define LIMIT_HEARTBEAT_MIN_S 5u
#define LIMIT_HEARTBEAT_S 86400u

/* Deadlines, in milliseconds. */
#define DEADLINE_HANDSHAKE_MS 10000u
#define DEADLINE_HEADER_MS 10000u
#define DEADLINE_BODY_MS 30000u /* without a byte */
#define DEADLINE_WRITE_MS 30000u
#define DEADLINE_IDLE_MS 60000u
#define DEADLINE_SIGN_MS 5000u
#define DEADLINE_SIGNED_MS 5000u         /* from keyd's signature for a server to the expectation that refers to it */
#define DEADLINE_EXPECTATION_MS 5000u    /* from an expectation to the browser's request that it stands for */
#define DEADLINE_PROXY_CONNECT_MS 5000u  /* a connection to an application, waiting for a place included */
#define DEADLINE_PROXY_TLS_MS 5000u      /* the handshake with an application that is elsewhere */
#define DEADLINE_PROXY_WRITE_MS 30000u   /* for an application that does not take what it is sent */
#define DEADLINE_PROXY_ANSWER_MS 60000u  /* from a request to its answer's head */
#define DEADLINE_PROXY_BODY_MS 60000u    /* without a byte of the answer's body */
#define DEADLINE_PROXY_TUNNEL_MS 120000u /* a WebSocket, without a byte either way */
#define DEADLINE_PROXY_IDLE_MS 15000u    /* a connection that waits for a request */
#define DEADLINE_STREAM_CONNECT_MS 5000u /* to a stream's upstream, waiting for a place included */
#define DEADLINE_STREAM_IDLE_MS 600000u  /* a stream without a byte either way, unless its operator says otherwise */
#define DEADLINE_STREAM_END_MS 60000u    /* a client that has heard its upstream's end, and is silent */
#define DEADLINE_GATEWAY_HALF_MS 30000u  /* a connection whose browser has ended its half, without a byte */
#define DEADLINE_GATEWAY_LINGER_MS 2000u /* for the browser to end its half when web has ended its own */
#define DEADLINE_ECHO_MS 60000u
#define DEADLINE_SHUTDOWN_MS 1000u
#define DEADLINE_DRAIN_MS 100u    /* for a request that was on its way when a worker was told to stop */
#define DEADLINE_MODULE_MS 5000u  /* the PKCS#11 module, one exchange */
#define DEADLINE_SUPPLY_MS 1000u  /* a new handle, from the broker to where the browser finds it */
#define DEADLINE_CONTROL_MS 5000u /* a control client, one exchange */
#define DEADLINE_AUDIT_MS 500u    /* keyd's signature of the closing head */
#define DEADLINE_REVOKE_MS 2000u  /* a process that was told of a revocation; beyond, it is replaced */
#define DEADLINE_REOPEN_MS 2000u  /* a worker that was given the access log's new file */
#define DEADLINE_MONITOR_MS 5000u /* a connection for /metrics or /healthz, from its beginning to its end */
#define DEADLINE_RETIRE_MS \
    30000u /* a worker of an earlier configuration, until it has finished; beyond, its connections are cut */
#define DEADLINE_RETIRE_IDLE_MS 5000u /* of these a connection that nothing is asked on */
#define DEADLINE_RELOAD_MS 10000u     /* reading a configuration and having workers ready with it */
#define DEADLINE_START_MS 10000u      /* a process, from start to ready */
#define WATCHDOG_INTERVAL_MS 10000u   /* how often each process is asked whether it does its work */
#define DEADLINE_PONG_MS 5000u        /* its answer; beyond, it is replaced */
#define DEADLINE_STOP_MS 1500u        /* a process, from being told to stop to being killed */

#endif
