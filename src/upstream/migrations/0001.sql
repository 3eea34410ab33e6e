-- Standard SQL and ON CONFLICT only: PostgreSQL, CockroachDB and YugabyteDB take it as it is.
CREATE TABLE box (
  box_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  token BYTEA,
  added_at TIMESTAMPTZ NOT NULL,
  last_hq_seq BIGINT NOT NULL,
  heard JSONB
);
CREATE TABLE record (
  box_id TEXT NOT NULL,
  call_id TEXT NOT NULL,
  seq BIGINT NOT NULL,
  rev BIGINT NOT NULL,
  hq_seq BIGINT NOT NULL,
  hash TEXT NOT NULL,
  received_at TIMESTAMPTZ NOT NULL,
  -- Byte for byte as it was hashed; doc is a copy of it for queries.
  body BYTEA NOT NULL,
  doc JSONB NOT NULL,
  start_time TIMESTAMPTZ,
  tracking_phone_number TEXT,
  customer_phone_number TEXT,
  campaign_id TEXT,
  campaign_name TEXT,
  answered BOOLEAN,
  ended TEXT,
  duration_s BIGINT,
  talk_ms BIGINT,
  recording_id TEXT,
  recording_hash TEXT,
  PRIMARY KEY (box_id, call_id),
  UNIQUE (box_id, hq_seq)
);
CREATE INDEX record_by_number ON record (box_id, seq);
CREATE INDEX record_by_time ON record (start_time);
CREATE INDEX record_by_tracking_number ON record (tracking_phone_number, start_time);
CREATE INDEX record_by_campaign ON record (campaign_id, start_time);
CREATE TABLE recording (
  box_id TEXT NOT NULL,
  recording_id TEXT NOT NULL,
  hash TEXT NOT NULL,
  call_id TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  received_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (box_id, recording_id, hash)
);
CREATE TABLE chain_head (
  box_id TEXT NOT NULL,
  segment BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  digest TEXT NOT NULL,
  signature TEXT NOT NULL,
  public_key TEXT NOT NULL,
  received_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (box_id, segment, seq, digest)
);
CREATE TABLE site (
  box_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  toml TEXT NOT NULL,
  signature TEXT NOT NULL,
  PRIMARY KEY (box_id, version)
);
