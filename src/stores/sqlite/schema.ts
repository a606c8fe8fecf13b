/** Marks the file as ours (`PRAGMA application_id`): "veva" in ASCII. */
export const APPLICATION_ID = 0x76657661

/**
 * One entry per version of the file, each taking it from the version before. `PRAGMA user_version` says how many have been applied;
 * an entry that has been released is never changed.
 */
export const MIGRATIONS: readonly string[] = [
  // seal: the checksum of a record, see seal.ts
  `
  CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, seal INTEGER NOT NULL) STRICT;

  CREATE TABLE runs (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    experiment INTEGER NOT NULL REFERENCES names,
    name TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    record TEXT NOT NULL,
    seal INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX runs_newest ON runs (started_at);
  CREATE INDEX runs_by_name ON runs (name, started_at);

  CREATE TABLE traces (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    experiment INTEGER NOT NULL REFERENCES names,
    name TEXT,
    status TEXT NOT NULL,
    request_ms INTEGER NOT NULL,
    request_sub_ns INTEGER NOT NULL,
    duration_ns INTEGER,
    session TEXT,
    inputs ANY,
    outputs ANY,
    spans ANY,
    -- how many there are of this trace
    assessments INTEGER NOT NULL,
    seal INTEGER NOT NULL,
    spans_seal INTEGER
  ) STRICT;
  CREATE INDEX traces_newest ON traces (request_ms, experiment);

  -- kind 0: tags, which may change; kind 1: metadata, which may not
  CREATE TABLE labels (
    trace INTEGER NOT NULL REFERENCES traces,
    kind INTEGER NOT NULL,
    key INTEGER NOT NULL REFERENCES names,
    value TEXT NOT NULL,
    PRIMARY KEY (trace, kind, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX labels_by_value ON labels (key, kind, substr(value, 1, 40));

  CREATE TABLE trials (
    run INTEGER NOT NULL REFERENCES runs,
    position INTEGER NOT NULL,
    repeat INTEGER NOT NULL,
    trace INTEGER NOT NULL REFERENCES traces,
    row_id TEXT NOT NULL,
    failed INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT,
    parent TEXT,
    -- 48 bits of SHA-256
    outputs_digest INTEGER,
    expectations_digest INTEGER,
    seal INTEGER NOT NULL,
    PRIMARY KEY (run, position, repeat)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX trials_of_trace ON trials (trace);

  -- kind 0: feedback, 1: expectation
  -- type 0: no value, 1: boolean and 2: number (num), 3: string (text), 4: encoded data (text), 5: encoded string (text)
  CREATE TABLE assessments (
    trace INTEGER NOT NULL REFERENCES traces,
    ordinal INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name INTEGER NOT NULL REFERENCES names,
    type INTEGER NOT NULL,
    num REAL,
    text TEXT,
    valid INTEGER NOT NULL,
    run INTEGER,
    scorer INTEGER,
    duration_ms REAL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    extra TEXT,
    seal INTEGER NOT NULL,
    PRIMARY KEY (trace, ordinal)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX assessments_by_value ON assessments (name, kind, type, num, substr(text, 1, 40));
  `,
  // Traces that no evaluation made, in the order of their arrival and of their last change; what is kept for monitoring.
  `
  CREATE TABLE arrivals (
    trace INTEGER PRIMARY KEY REFERENCES traces,
    experiment INTEGER NOT NULL REFERENCES names,
    arrived INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX arrivals_in_order ON arrivals (arrived);
  CREATE UNIQUE INDEX arrivals_by_change ON arrivals (changed);
  INSERT INTO arrivals SELECT seq, experiment, seq, seq, request_ms FROM traces
    WHERE NOT EXISTS (SELECT 1 FROM trials WHERE trials.trace = traces.seq);

  -- One per registered name; rate 0: stopped.
  CREATE TABLE watches (
    key INTEGER PRIMARY KEY,
    experiment INTEGER NOT NULL REFERENCES names,
    name TEXT NOT NULL,
    rate REAL NOT NULL,
    filter TEXT,
    -- when the rate went up from 0 last
    started_at INTEGER,
    position INTEGER NOT NULL,
    examined INTEGER NOT NULL,
    sampled INTEGER NOT NULL,
    unfit INTEGER NOT NULL,
    scored INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    usd REAL NOT NULL,
    last_at INTEGER NOT NULL,
    UNIQUE (experiment, name)
  ) STRICT;

  CREATE TABLE scorers (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    watch INTEGER NOT NULL REFERENCES watches,
    version INTEGER NOT NULL,
    record TEXT NOT NULL,
    seal INTEGER NOT NULL,
    UNIQUE (watch, version)
  ) STRICT;

  -- entity: seq of a trace, or the id of a session
  -- state 0: waits until due_at, 1: claimed until due_at, 2: done, 3: dead
  -- again_at: when there is more to do, found while it was claimed; placed: the trace that its assessments belong to
  CREATE TABLE units (
    scorer INTEGER NOT NULL REFERENCES scorers,
    entity ANY NOT NULL,
    state INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    due_at INTEGER,
    again_at INTEGER,
    attempts INTEGER NOT NULL,
    crashed INTEGER NOT NULL,
    owner TEXT,
    placed INTEGER,
    error TEXT,
    PRIMARY KEY (scorer, entity)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX units_due ON units (due_at) WHERE state < 2;
  CREATE INDEX units_dead ON units (scorer) WHERE state = 3;

  CREATE TABLE notes (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    data TEXT NOT NULL,
    seal INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  `,
  // What is done is most by far: nobody who looks for work, or keeps it, may pass through it.
  `
  DROP INDEX units_due;
  CREATE INDEX units_due ON units (scorer, due_at) WHERE state < 2;
  CREATE INDEX units_claimed ON units (owner) WHERE state = 1;
  `,
]
