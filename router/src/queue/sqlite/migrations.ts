/**
 * The schema, one entry per version: entry n takes `user_version` from n to n + 1. Entries that have been released are
 * never changed, only followed by others.
 *
 * `ended_at IS NULL` means open. The indexes are few because each one is paid for by every message.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE conversations (
    id TEXT NOT NULL PRIMARY KEY,
    namespace TEXT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    name TEXT,
    is_group INTEGER NOT NULL,
    served_by_router INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    UNIQUE (namespace, channel, address)
  ) STRICT;

  CREATE TABLE identities (
    id TEXT NOT NULL PRIMARY KEY,
    display_name TEXT,
    last_seen_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE sessions (
    session TEXT NOT NULL PRIMARY KEY,
    agent_group TEXT NOT NULL,
    key_kind TEXT NOT NULL,
    conversation TEXT,
    thread TEXT,
    max_running INTEGER NOT NULL,
    wanted INTEGER NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL DEFAULT 0,
    unsettled INTEGER NOT NULL DEFAULT 0,
    pod_uid TEXT,
    instance TEXT,
    draining INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    retry_at INTEGER,
    reason TEXT,
    last_seq INTEGER NOT NULL DEFAULT 0,
    open_rows INTEGER NOT NULL DEFAULT 0,
    full_told INTEGER NOT NULL DEFAULT 0,
    last_active_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_wanted ON sessions (agent_group) WHERE wanted = 1;
  CREATE INDEX sessions_waiting ON sessions (agent_group, waiting) WHERE waiting IS NOT NULL;

  CREATE TABLE destinations (
    session TEXT NOT NULL REFERENCES sessions (session),
    name TEXT NOT NULL,
    conversation TEXT NOT NULL REFERENCES conversations (id),
    PRIMARY KEY (session, name),
    UNIQUE (session, conversation)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX destinations_conversation ON destinations (conversation);

  CREATE TABLE messages_in (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    session TEXT NOT NULL,
    dedupe_key TEXT NOT NULL,
    seq INTEGER,
    kind TEXT NOT NULL,
    trigger INTEGER NOT NULL,
    state TEXT NOT NULL,
    due INTEGER NOT NULL,
    retry_at INTEGER,
    attempt INTEGER NOT NULL DEFAULT 0,
    holder TEXT,
    conversation TEXT NOT NULL,
    thread TEXT,
    sender TEXT,
    sender_name TEXT,
    body TEXT NOT NULL,
    trace TEXT,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    code TEXT,
    reason TEXT,
    UNIQUE (session, dedupe_key)
  ) STRICT;
  CREATE INDEX messages_in_lane ON messages_in (session, state, seq);
  CREATE INDEX messages_in_ended ON messages_in (ended_at) WHERE ended_at IS NOT NULL;
  CREATE INDEX messages_in_dead ON messages_in (id) WHERE state = 'dead';
  CREATE INDEX messages_in_context ON messages_in (session, seq) WHERE trigger = 0 AND state = 'pending';
  CREATE INDEX messages_in_delayed ON messages_in (due) WHERE seq IS NULL AND ended_at IS NULL AND kind <> 'control';
  CREATE INDEX messages_in_retry ON messages_in (session) WHERE retry_at IS NOT NULL;
  CREATE INDEX messages_in_control ON messages_in (session) WHERE kind = 'control' AND ended_at IS NULL;

  CREATE TABLE messages_out (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    session TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    seq INTEGER,
    kind TEXT NOT NULL,
    turn INTEGER,
    in_reply_to TEXT,
    destination TEXT,
    channel TEXT NOT NULL,
    conversation TEXT NOT NULL,
    thread TEXT,
    state TEXT NOT NULL,
    retry_at INTEGER,
    attempt INTEGER NOT NULL DEFAULT 0,
    uncertain INTEGER NOT NULL DEFAULT 0,
    holder TEXT,
    platform_message_id TEXT,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    code TEXT,
    reason TEXT,
    UNIQUE (session, idempotency_key)
  ) STRICT;
  CREATE INDEX messages_out_lane ON messages_out (channel, conversation, position) WHERE ended_at IS NULL;
  CREATE INDEX messages_out_expiry ON messages_out (expires_at) WHERE ended_at IS NULL;
  CREATE INDEX messages_out_leased ON messages_out (channel) WHERE state = 'leased';
  CREATE INDEX messages_out_conversation ON messages_out (conversation);
  CREATE INDEX messages_out_ended ON messages_out (ended_at) WHERE ended_at IS NOT NULL;
  CREATE INDEX messages_out_parked ON messages_out (id) WHERE state IN ('dead', 'unknown');

  CREATE TABLE channels (
    channel TEXT NOT NULL PRIMARY KEY,
    cursor TEXT,
    host TEXT
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE ended_holders (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    ended_at INTEGER NOT NULL,
    PRIMARY KEY (owner, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX ended_holders_ended ON ended_holders (ended_at);

  CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX audit_created ON audit (created_at);
  `,
  `
  CREATE TABLE usage (
    session TEXT NOT NULL,
    id TEXT NOT NULL,
    agent_group TEXT NOT NULL,
    identity TEXT,
    credential TEXT NOT NULL,
    model TEXT NOT NULL,
    status INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cost_micros INTEGER,
    duration_ms INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (session, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX usage_created ON usage (created_at);
  `,
  // Files of messages. A reference goes with its row, whoever deletes that; a blob without any is removed later.
  `
  CREATE TABLE blobs (
    hash TEXT NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    referred INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blobs_unused ON blobs (used_at) WHERE referred = 0;

  CREATE TABLE blob_uploads (
    hash TEXT NOT NULL REFERENCES blobs (hash) ON DELETE CASCADE,
    session TEXT NOT NULL,
    PRIMARY KEY (hash, session)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE blob_references (
    hash TEXT NOT NULL,
    session TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (hash, session, message)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blob_references_message ON blob_references (message);

  CREATE TRIGGER blob_referred AFTER INSERT ON blob_references BEGIN
    UPDATE blobs SET referred = 1 WHERE hash = NEW.hash;
  END;
  CREATE TRIGGER blob_released AFTER DELETE ON blob_references BEGIN
    UPDATE blobs SET referred = 0
    WHERE hash = OLD.hash AND NOT EXISTS (SELECT 1 FROM blob_references WHERE hash = OLD.hash);
  END;
  CREATE TRIGGER messages_in_deleted AFTER DELETE ON messages_in BEGIN
    DELETE FROM blob_references WHERE message = OLD.id;
  END;
  CREATE TRIGGER messages_out_deleted AFTER DELETE ON messages_out BEGIN
    DELETE FROM blob_references WHERE message = OLD.id;
  END;
  `,
  "CREATE INDEX blob_uploads_session ON blob_uploads (session);",
  // Agent groups and sessions that people have paused, as `group <row key>` and `session <row key>`.
  "CREATE TABLE paused (subject TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;",
];
