"""The bounds that a client, an operator or another process can meet: name, unit, reason. No queue, batch, wait or
message is without one; what only one module can meet stands there.

What an operator may want to change per installation is a setting (config/settings.py); what the contracts or
measurements fix stands here.
"""

from typing import Final

# --- every request
HEAD_BYTES_MAX: Final = 16 * 1024  # line and headers, of gateway and API: a browser sends the same cookies to both

# --- one WebSocket connection (rt/wire/asyncapi.yaml)
INBOUND_MESSAGE_BYTES_MAX: Final = 16 * 1024
SUBSCRIPTIONS_PER_CONNECTION_MAX: Final = 128
MESSAGE_ID_CHARS_MAX: Final = 64
CHANNEL_CHARS_MAX: Final = 200
EPOCH_CHARS_MAX: Final = 64
SLUG_CHARS_MAX: Final = 80
ERRORS_PER_WINDOW_MAX: Final = 20  # the 21st within ERROR_WINDOW_S closes 4505
ERROR_WINDOW_S: Final = 60
MESSAGES_PER_S: Final = 50  # token bucket: refill rate ...
MESSAGES_BURST: Final = 300  # ... and size
RATE_LIMITED_CLOSE_S: Final = 10  # limited for this long: 4008
RATE_LIMITED_PAUSE_S: Final = 1  # ... with no pause of this between two refusals
PIECES_PER_MESSAGE: Final = 16  # so many reads that end no frame count as one: a slow link cuts where it likes
FRAGMENTS_PER_MESSAGE_MAX: Final = 1_024  # of one message, empty ones too; then 1009
CONNECT_DEADLINE_S: Final = 5  # from accept to a valid `connect`, handshake included
SOCKET_LIFE_S_MAX: Final = 12 * 3600
CHANNEL_TOKEN_S_MAX: Final = 900
TOKEN_CHARS_MAX: Final = 8_192
CLOCK_LEEWAY_S: Final = 180  # the API's clock may be ahead by this: a token that is refused ends a client for good
CLOSE_WAIT_S: Final = 2  # after our close frame, before the transport is aborted

# --- keeping sockets and presence alive
HEARTBEAT_S: Final = 30
PRESENCE_TTL_S: Final = 120  # ≥ 2.5 × the interval: one lost heartbeat is no departure
HEARTBEAT_BACKGROUND_S: Final = 120
PRESENCE_TTL_BACKGROUND_S: Final = 300
PRESENCE_CLOSE_GRACE_S: Final = 15  # a reload is no departure
PING_AFTER_SILENCE_S: Final = 25
SILENT_CLOSE_S: Final = 60  # nothing at all received, pongs included: 4004
PING_AFTER_SILENCE_BACKGROUND_S: Final = 55  # a phone in a pocket should sleep; proxies cut what is silent for 60 s
SILENT_CLOSE_BACKGROUND_S: Final = 120

# --- what waits for one socket
FRAME_BYTES_MAX: Final = 256 * 1024  # of any frame of ours, header included: clients' libraries take 1 MiB or less
SEND_QUEUE_BYTES_MAX: Final = 256 * 1024  # unread, beside the part of an answer that is under way; then 4002
SEND_QUEUE_AGE_S_MAX: Final = 10  # a socket that is behind must take in this time ...
SEND_QUEUE_BYTES_PER_S_MIN: Final = 4 * 1024  # ... this much a second (a phone on 2G does); else 4002
ANSWERS_WAITING_MAX: Final = SUBSCRIPTIONS_PER_CONNECTION_MAX  # `subscribe`s of a client in line; then RATE_LIMITED
STREAM_COMMENT_S: Final = 15  # a stream of server-sent events is silent no longer: proxies cut what is, after 60 s
TCP_NOTSENT_LOWAT_BYTES: Final = 16 * 1024  # without it the kernel hides 3.9 MB of a stalled reader

# --- feeds in Redis (rt/wire/asyncapi.yaml)
FEED_STREAM_EVENTS: Final = 1_000  # community and app channels keep at least these ...
FEED_STREAM_S: Final = 600  # ... and at least this long
FEED_STREAM_EVENTS_MAX: Final = 10_000  # ... but never more than this
FEED_LIST_EVENTS: Final = 50  # user and profile channels
FEED_LIST_S: Final = 900
FEED_WINDOWS_MAX: Final = 10_000  # channels whose trimming by time a relay remembers; the rest keep by count
EPOCH_WAIT_S: Final = 5  # a gateway that knows no epoch holds `subscribe` this long
REFILL_WAIT_S: Final = 5  # a channel that Redis lost is refilled by the relay within this, or UNAVAILABLE

# --- fan-out of one gateway process
FLUSH_WRITES_PER_TURN: Final = 128  # then the loop gets a turn: 5-12 µs of system call each
FULL_COLLECTION_CLIENTS_MAX: Final = 1_000  # with more, none: it stops the loop for 2-4 µs a socket, and finds nothing
DIGEST_BURST_S: Final = 30  # seconds of a hot channel's rate that go out one by one after a rest
JOINS_WAITING_MAX: Final = 50_000  # then UNAVAILABLE
BUS_RECONNECT_S: Final = (0.05, 1.0)  # from, to
CANARY_EVERY_S: Final = 2
CANARY_WAIT_S: Final = 2  # a canary that is not heard by then: the subscription is replaced
FACTS_EVERY_S: Final = (1, 5)  # while something is missing, and else
REVOCATIONS_MAX: Final = 100_000
CHANNELS_ENDED_MAX: Final = 50_000  # readers who lost a channel; beyond them all tokens of that time are void
ENDED_KEPT_S: Final = CHANNEL_TOKEN_S_MAX + CLOCK_LEEWAY_S  # ... by when no token that they void is left
REVOCATIONS_KEPT_S: Final = 37 * 3600  # a socket of 12 h that a token of 24 h opened in its last minute, and clocks

# --- one gateway process
FILES_RESERVED: Final = 128  # open files that are no client's: Redis, listener, libraries
LOBBY_PLACES: Final = 128  # connections beyond the clients: for /health and /ready of a full gateway, and who is ending
STRANGERS_PER_ADDRESS_MAX: Final = 64  # connections of one address that have not upgraded; then its oldest goes
LOOPBACK_SHARE: Final = 7 / 8  # of the clients, for those that no limit by address counts: others find a place
FAREWELLS_KEPT_S: Final = 900  # whose socket ended, and why, is known to operators for so long ...
FAREWELLS_MAX: Final = 2_000  # ... of the newest of a process
INQUIRIES_WAITING_MAX: Final = 8  # of operators, in one process; then the oldest is not answered
INQUIRY_STEPS_PER_TURN: Final = 1_000  # channels or sockets looked at in a turn of the loop: about 1 ms
INQUIRY_CHANNELS_MAX: Final = 20  # in one answer, ...
INQUIRY_SLOW_MAX: Final = 50  # ... slow readers, ...
INQUIRY_SOCKETS_MAX: Final = 100  # ... sockets of a user with a place each, ...
INQUIRY_ANSWER_S: Final = 2  # ... which all processes have given by then
ANSWERS_KEPT_S: Final = 10
KEY_WAITS_MAX: Final = 10_000  # whose token names a key that is being fetched; then 1013
KEY_WAIT_MESSAGES_MAX: Final = 10  # of one of them, `connect` included; then 1013
PAUSE_S: Final = 1  # a tick that is late by more: the process was paused, and deadlines of others do not pass meanwhile
TCP_USER_TIMEOUT_MS: Final = 30_000  # unacknowledged data for this long: the peer is gone
TCP_KEEPALIVE_S: Final = 60

# --- presence in Redis
CELL_RESOLUTION: Final = 7  # the finest place that is taken from a client or stored; about 5 km²
PRESENCE_SCRIPT_MEMBERS_MAX: Final = 100  # 1,000 members block Redis for 17-27 ms
PRESENCE_CLOCK_JUMP_S: Final = 5  # a Redis clock that moved further than ours by this is not believed
PRESENCE_OUTAGE_HOLD_S: Final = 15  # after an outage nobody is taken away while gateways write back
PRESENCE_SPEED_MPS_MAX: Final = 300  # faster than an airliner: such a place is made up
PRESENCE_SPEED_SLACK_M: Final = 10_000  # two cells side by side may be this far apart, centre to centre, and more
PRESENCE_PLACE_KEPT_S: Final = 21_600  # the last place of a user: a new connection is no way around the speed
KEEPER_LEASE_S: Final = 4  # another keeper takes over within 5 s
GATEWAY_LEASE_RENEW_S: Final = 2
GATEWAY_LEASE_LATE_S: Final = 8
MAP_SLOT_S: Final = (60, 43_200)  # what a cell has reached is shown this long: where thousands are, where a few are
MAP_WHOLE_S: Final = 30  # each tile comes whole this often
MAP_TILES_PER_VIEWPORT_MAX: Final = 128  # the whole world is 122 tiles; a larger view gets a coarser resolution
MAP_WRITE_BYTES_MAX: Final = 16 * 1024  # of frames of the map in one write; a larger one goes alone
ONLINE_EVERY_S: Final = 3
NOW_KEPT_S: Final = 1_800  # a minute of "who trains now" is shown this long
NOW_RAW_S: Final = 240  # the people behind its counts: until the keeper, or the next one, has rendered them
NOW_EVERY_S: Final = 5  # gateways tell, and the keeper renders, this often

# --- relay
RELAY_BATCH: Final = 50
RELAY_IDLE_POLL_S: Final = 0.25  # how often an idle relay looks: a wake-up can be lost; a look costs 0.5 ms
RELAY_LEASE_S: Final = 4  # a second relay takes over within 5 s
RELAY_PAGE: Final = 500  # channels or positions read at once while catching up
RELAY_REFILLS: Final = 100  # channels refilled between two batches: about 20 ms
RELAY_RETRY_S: Final = 0.2  # between tries while a store is away
TRACES_PER_BATCH_MAX: Final = 8  # that travel on with one message of the bus
RELAY_DEPTH_MAX: Final = 10_000  # the outbox is counted no further
AUDIT_LATE_S: Final = 600  # from the time in an id to the commit of its row, at most: retries and clocks apart
AUDIT_WINDOWS_RECOUNTED: Final = 3  # the newest, by each audit; an audit of everything counts all again

# --- transactions, repeated whole with full jitter
REPLICA_LAG_S_MAX: Final = 2.0  # a replica that is further behind is not asked
TRANSACTION_TRIES: Final = 10
CONNECTION_WAIT_S: Final = 5  # for a connection of the pool, then RETRY_LATER
ANONYMOUS_READS_WAITING_MAX: Final = 200  # statements that wait for their half of the pool, then RETRY_LATER
REQUEST_STATEMENTS_WAITING_MAX: Final = 100  # of one request, while another one of it runs
REQUEST_TURN_S: Final = 30  # ... and how long each waits for its turn, as long as a statement may take
LANE_WAITING_MAX: Final = 100  # writes of one user that wait for each other in one process, then RETRY_LATER
LANE_WAIT_S: Final = 5
SLOW_SAID_EVERY_S: Final = 10  # a slow statement is logged this often, by its name; each one counts, ...
SLOW_PLAN_EVERY_S: Final = 600  # ... and its plan this often
RELAY_WAKE_S: Final = 0.5  # the wake-up of the relay may take this long; it polls anyway

# --- HTTP and GraphQL
HTTP_BODY_BYTES_MAX: Final = 256 * 1024
HTTP_DISCARD_BYTES_MAX: Final = 8 * 1024 * 1024  # of a refused body: read away, so that its sender hears the 413
HTTP_HEADERS_MAX: Final = 100
HTTP_HEAD_S: Final = 10  # from accept, or the first byte of the next request, to the end of its headers
HTTP_BODY_S: Final = 10  # from the headers to the last byte of the body
HTTP_KEEP_ALIVE_S: Final = 75  # proxies end an idle one after 60 s, and must be the first: see config/deploy
HTTP_CONNECTIONS_MAX: Final = 4_000  # open at once in one process; then the oldest idle one gives way ...
HTTP_CONNECTIONS_RESERVE: Final = 128  # ... and where none is idle, so many more may ask for /health and /ready
HTTP_SWEEP_S: Final = 1  # how often these deadlines are looked at
HTTP_RESERVE_S: Final = 5  # the life of one of these
HTTP_PIPELINED_BYTES_MAX: Final = 16 * 1024 * 1024  # of a process, sent ahead of the answer before; then it is the last
HTTP_UNSENT_BYTES_HIGH: Final = 16 * 1024  # of answers that wait for one reader: above it nothing more is asked
HTTP_UNREAD_BYTES_MAX: Final = 64 * 1024 * 1024  # of a process; then whoever has waited longest is ended
HTTP_UNREAD_BYTES_PER_S_MIN: Final = 1_024  # what a reader takes at least, ...
HTTP_UNREAD_LOOK_S: Final = 5  # ... looked at this often
HTTP_BODIES_BYTES_MAX: Final = 16 * 1024 * 1024  # of half-sent bodies in a process; then the oldest is refused
HTTP_BODIES_BYTES_PER_ADDRESS_MAX: Final = 2 * 1024 * 1024
HTTP_COMPRESS_BYTES_MIN: Final = 1_000  # smaller answers gain nothing from gzip
VITALS_BYTES_MAX: Final = 512  # of a page's report of how fast it was ...
VITALS_PER_MINUTE: Final = 30  # ... of which an address may send so many
GRAPHQL_DEPTH_MAX: Final = 10
GRAPHQL_ALIASES_MAX: Final = 10
GRAPHQL_TOKENS_MAX: Final = 500  # of a document: 10 µs each to parse, 25 to validate; the largest of ours has 70
GRAPHQL_DOCUMENT_BYTES_MAX: Final = 16 * 1024  # 7 ms of the parser at worst
GRAPHQL_LINES_MAX: Final = 1_000  # each error of a document counts lines anew
GRAPHQL_SELECTIONS_MAX: Final = 2_000  # of all operations of a document, fragments counted where they are spread
GRAPHQL_FIELDS_PER_COST: Final = 60  # of an answer: 3 times what pages of PAGE_DEFAULT have; some 5 µs each
GRAPHQL_ANSWER_BYTES_MAX: Final = 1024 * 1024
VARIABLES_MAX: Final = 4_000  # values of one request: 1,300 sets; 2 µs each to coerce, twice where they are refused
VARIABLES_SIGNED_IN_MAX: Final = 16_000  # 100 workouts of 8 exercises and 32 sets
VARIABLES_DEPTH_MAX: Final = 16
VARIABLE_CHARS_MAX: Final = 4_096  # of one text
GRAPHQL_ERRORS_MAX: Final = 20  # in one answer
GRAPHQL_DOCUMENT_ERRORS_MAX: Final = 5  # found in a document: each prints the whole literal that it is about
GRAPHQL_ERROR_CHARS_MAX: Final = 300  # of one message: it repeats what the client wrote
PERSISTED_S: Final = 24 * 3600  # a document that nobody has run for so long is forgotten
PERSISTED_MAX: Final = 1_000  # in the memory of one process, 16 MB at worst ...
PERSISTED_IN_REDIS_MAX: Final = 4_000  # ... and in Redis, 64 MB; then the longest unused give way
PERSISTED_AGAIN_S: Final = 600  # one that is run is written to Redis again after this
PERSISTED_WAITING_MAX: Final = 1_000  # on the way to Redis; what comes then is known here alone
ANSWERS_BYTES_MAX: Final = 16 * 1024 * 1024  # kept answers of one process, half of it for those of one viewer each
ANSWER_KEPT_BYTES_MAX: Final = 256 * 1024  # a larger one is made anew each time
ANSWER_WAIT_S: Final = 5  # for one that somebody else is making; then one's own
DROPS_EVERY_S: Final = 0.5  # each API says that it is there, and ...
DROPS_HEARD_S: Final = 2  # ... where nobody is heard for so long, nothing is kept
DROPS_RETRY_S: Final = 0.2
PAGE_DEFAULT: Final = 20
PAGE_MAX: Final = 100
FOLLOWING_MAX: Final = 5_000  # by one user, requests included: a merged feed looks at each of them
FOLLOW_REQUESTS_MAX: Final = 500  # of one user, that nobody has answered yet
BLOCKS_MAX: Final = 10_000  # by one user
CHANNEL_TOKENS_MAX: Final = 100  # in one request: 0.1 ms of signing each
IDEMPOTENCY_KEY_CHARS_MAX: Final = 200
HIGH_FIVES_PER_HOUR_MAX: Final = 500  # of one sender, repeats counted: each new one tells somebody
HIGH_FIVE_SHARES: Final = 8  # of the senders of one event: in a process one of each writes at a time
CREDITS_PER_PURCHASE_MAX: Final = 1_000_000  # and per grant; with an amount of money a product that fits a bigint
FLAGS_EVERY_S: Final = 2  # flags are read from PostgreSQL and told to gateways this often, whatever Redis has lost
PASSWORD_CHARS_MIN: Final = 8
PASSWORD_CHARS_MAX: Final = 256
EMAIL_CHARS_MAX: Final = 254
NAME_CHARS_MAX: Final = 80
NOTE_CHARS_MAX: Final = 2_000
EXERCISES_PER_WORKOUT_MAX: Final = 100
SETS_PER_EXERCISE_MAX: Final = 100
REPS_PER_SET_MAX: Final = 10_000
WEIGHT_KG_MAX: Final = 2_000.0
SYNC_WORKOUTS_MAX: Final = 100  # in one request
SYNC_S: Final = 20  # ... and so long; what is left then is told to come again
CHALLENGE_WORKOUTS_MAX: Final = 1_000  # of a week, that count when a challenge is joined
TIME_ZONE_CHANGES_MAX: Final = 10  # within 30 days: each may keep a streak over a date that it cuts short
TIME_ZONE_RETRY_S: Final = 86_400
PERFORMED_AT_FUTURE_S_MAX: Final = 300  # a phone's clock may be a little ahead
RIVALS_MAX: Final = 10  # of a user
PLACES_MAX: Final = 100  # of a leaderboard
REVOCATIONS_EVERY_S: Final = 2  # Redis is compared with PostgreSQL: what it missed reaches sockets after this
REVOCATION_LATE_S: Final = 120  # from the time that an ended session carries to its commit, and clocks of APIs apart
ARGON2_CONCURRENCY: Final = 2  # 64 MiB and a core each
SESSIONS_PER_USER_MAX: Final = 100  # the newest stay; each sign-in on a device is one
SESSIONS_ENDED_PER_USER_MAX: Final = 1_000  # of those that ended lately, kept for a Redis that loses their end
ARGON2_WAIT_S_MAX: Final = 5  # whoever would wait longer, by what the last ones took: RETRY_LATER at once
ARGON2_SHARE: Final = 0.25  # of such a line for one address
PROOF_S: Final = 3_600  # a link of a mail is good for this long, ...
PROOFS_PER_ADDRESS_MAX: Final = 3  # ... and so many are mailed to an address within that time
MAILS_WAITING_MAX: Final = 1_000  # of all addresses, while the mail server is away; what comes then is not mailed
MAIL_TRIES: Final = 4
PASSWORD_TRIES_MAX: Final = 5  # of somebody who is signed in, an hour: whoever has found a token guesses no further
EXPORTS_PER_DAY_MAX: Final = 5  # of one user
EXPORTS_AT_ONCE_MAX: Final = 2  # in one process, which holds each whole: then RETRY_LATER
EXPORT_BYTES_MAX: Final = 32 * 1024 * 1024  # of one answer: some 12,000 workouts, one a day for 30 years
ERASURE_SETTLE_S: Final = 60  # sockets and their grace, a relay that was paused: then Redis knows nobody any more
PUBLISH_TO_REDIS_S: Final = 5  # keys and vocabulary written again, so that a wiped Redis has them soon
RETRY_AFTER_S: Final = 1  # what a 503 asks for
BATCH_MAX: Final = 10  # operations of one request
LIMITS_WAIT_S: Final = 1  # for Redis to count a request; then the process counts by itself ...
LIMITS_PAUSE_S: Final = 5  # ... and asks again after this

# --- other apps
APPS_MAX: Final = 100  # namespaces of an installation: each gateway knows all of them
APP_KEYS_MAX: Final = 10  # of a JWKS: one replaces another
APP_CHANNELS_MAX: Final = 100_000  # of a namespace, for ever: a number is never given twice
APP_EVENTS_PER_REQUEST_MAX: Final = 100
APP_EVENT_ID_CHARS_MAX: Final = 64
APP_EVENT_TYPE_CHARS_MAX: Final = 64
APP_EVENT_IDS_DAYS: Final = 7  # an event that is sent again within this is published once
APP_RATE: Final = (1, 100_000)  # events a second, from, to
APP_EVENT_BYTES: Final = (2, 32 * 1024)  # of `data` of one
APP_HISTORY: Final = (1, 10_000)  # events
APP_PAGE_MAX: Final = 1_000  # events of a history in one answer, ...
APP_PAGE_BYTES_MAX: Final = 1024 * 1024  # ... and their bytes, about
APP_SERVER_KEY_CHARS_MAX: Final = 128
APP_SOCKETS_MAX: Final = 20_000  # of one app's users in one gateway process
APP_STREAM_S: Final = 900  # Redis keeps a channel of an app this long after its last event; PostgreSQL has it longer
APPS_EVERY_S: Final = 2  # Redis is compared with PostgreSQL this often
APP_PRESENT_S: Final = 90  # a member counts this long after its gateway wrote it, ...
APP_PRESENT_AGAIN_S: Final = 30  # ... which it does this often
APP_PRESENT_SHOWN_MAX: Final = 1_000
WIDGET_TOKENS_MAX: Final = 1_000  # of an installation, that are good
WIDGET_TOKEN_DAYS: Final = 400
WIDGET_SOCKETS_MAX: Final = 5_000  # of one widget token in one gateway process

# --- migrations
DDL_LOCK_S: Final = 2  # a file waits for its locks this long in all, and whoever comes after it waits with it; then ...
DDL_TRIES_S: Final = 600  # ... and tries again, for so long

# --- stopping
SHUTDOWN_S_MAX: Final = 10
