//! Records behind the PostgreSQL protocol: one server, or a distributed engine that speaks it. Any number of receivers.
//!
//! A batch is one transaction that begins with the lock of its box's row; so the batches of one box stand in a row
//! whichever receivers they come to, and the boxes do not wait for each other. A transaction that the engine calls off
//! (40001, 40P01) is tried again. A receipt is made of what `COMMIT` has answered, never before.

use super::{
    stored::{Arrived, FleetBox, Heard, Kept, StoreError, StoredCall, Taken, take},
    tls,
};
use crate::{
    id::{BoxId, CallId, RecordingId},
    sync::wire::{Batch, ChainHead, Gaps, MAX_GAP_RANGES, RecordingReceipt, SignedSite},
    time::WallTime,
};
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Timeouts, Transaction,
};
use std::{collections::BTreeMap, path::Path, str::FromStr, time::Duration, time::SystemTime};
use tokio_postgres::{Row, error::SqlState, types::Json};

/// What makes the tables, in order; the position is the version.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001.sql")];
/// Connections of one receiver.
const CONNECTIONS: usize = 16;
/// How often a transaction that the engine called off is tried.
const ATTEMPTS: usize = 5;
/// How long a connection may be waited for or made.
const PATIENCE: Duration = Duration::from_secs(5);

/// Records in a database.
pub struct Postgres {
    pool: Pool,
}

impl Postgres {
    /// Connects and brings the tables up to date.
    ///
    /// # Errors
    /// The address is wrong, nobody answers, or the server does not make durable what it says it has.
    pub(super) async fn open(url: &str, ca: Option<&Path>) -> Result<Self, StoreError> {
        let wrong = || StoreError::of("the database's address is not understood");
        let mut config = tokio_postgres::Config::from_str(url).map_err(wrong())?;
        config.connect_timeout(PATIENCE).application_name("ringside-upstream");
        let trust = tls::client_config(ca).map_err(StoreError::of("the database's authorities"))?;
        let tls = tokio_postgres_rustls::MakeRustlsConnect::new(trust);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, tls, recycling);
        let durable = Hook::async_fn(|client, _| {
            Box::pin(async move { commit_is_durable(client).await.map_err(HookError::message) })
        });
        let timeouts = Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(PATIENCE) };
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .timeouts(timeouts)
            .post_create(durable)
            .build()
            .map_err(StoreError::of("the database's connections"))?;
        let postgres = Self { pool };
        postgres.migrate().await?;
        Ok(postgres)
    }

    async fn client(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(StoreError::of("the database does not answer"))
    }

    /// Applies what is missing of [`MIGRATIONS`]. Receivers that start together wait for each other at one locked row:
    /// the advisory locks of PostgreSQL are not known to the other engines.
    async fn migrate(&self) -> Result<(), StoreError> {
        let mut tried = 0;
        loop {
            let mut client = self.client().await?;
            match migrate(&mut client).await {
                Ok(()) => return Ok(()),
                // Two that create the same table at once: one of them is told that it is there, in many ways.
                Err(error) if tried + 1 < ATTEMPTS && error.code().is_some() => tried += 1,
                Err(error) => return Err(StoreError::of("the tables could not be made")(said(&error))),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        self.query("SELECT 1", &[]).await.map(drop)
    }

    async fn query(
        &self,
        statement: &str,
        values: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(statement).await;
        let rows = match statement {
            Ok(statement) => client.query(&statement, values).await,
            Err(error) => Err(error),
        };
        rows.map_err(|error| StoreError::of("the database refused")(said(&error)))
    }

    pub(super) async fn admit(
        &self,
        id: BoxId,
        name: &str,
        token: Option<[u8; 32]>,
    ) -> Result<(), StoreError> {
        let token = token.map(Vec::from);
        let statement = "INSERT INTO box (box_id, name, token, added_at, last_hq_seq) VALUES ($1, $2, $3, $4, 0) \
             ON CONFLICT (box_id) DO UPDATE SET name = excluded.name, token = excluded.token";
        self.query(statement, &[&id.to_string(), &name, &token, &SystemTime::now()]).await.map(drop)
    }

    pub(super) async fn fleet_box(&self, id: BoxId) -> Result<Option<FleetBox>, StoreError> {
        let statement = "SELECT box_id, name, token, heard FROM box WHERE box_id = $1";
        let rows = self.query(statement, &[&id.to_string()]).await?;
        Ok(rows.iter().find_map(fleet_box))
    }

    pub(super) async fn fleet(&self) -> Result<Vec<FleetBox>, StoreError> {
        let rows = self.query("SELECT box_id, name, token, heard FROM box", &[]).await?;
        Ok(rows.iter().filter_map(fleet_box).collect())
    }

    pub(super) async fn take(
        &self,
        id: BoxId,
        batch: &Batch,
        records: &[Arrived],
        now: WallTime,
    ) -> Result<Vec<Taken>, StoreError> {
        let mut tried = 0;
        loop {
            let mut client = self.client().await?;
            match take_batch(&mut client, id, batch, records, now).await {
                Ok(taken) => return Ok(taken),
                Err(error) if tried + 1 < ATTEMPTS && is_called_off(&error) => tried += 1,
                Err(error) => return Err(StoreError::of("records could not be written")(said(&error))),
            }
        }
    }

    pub(super) async fn calls(
        &self,
        id: BoxId,
        below: u64,
        limit: usize,
    ) -> Result<Vec<StoredCall>, StoreError> {
        let statement = "SELECT seq, body FROM record WHERE box_id = $1 AND seq < $2 ORDER BY seq DESC, call_id DESC LIMIT $3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.query(statement, &[&id.to_string(), &signed(below), &limit]).await?;
        let call = |row: &Row| {
            let text = String::from_utf8(row.get::<_, Vec<u8>>(1)).ok()?;
            Some(StoredCall { seq: unsigned(row.get(0)), text })
        };
        Ok(rows.iter().filter_map(call).collect())
    }

    pub(super) async fn recording(
        &self,
        id: BoxId,
        recording: RecordingId,
    ) -> Result<Vec<RecordingReceipt>, StoreError> {
        let statement = "SELECT call_id, bytes, hash FROM recording WHERE box_id = $1 AND recording_id = $2 \
             ORDER BY received_at";
        let rows = self.query(statement, &[&id.to_string(), &recording.to_string()]).await?;
        let receipt = |row: &Row| {
            let call = row.get::<_, &str>(0).parse().ok()?;
            Some(RecordingReceipt { recording, call, bytes: unsigned(row.get(1)), hash: row.get(2) })
        };
        Ok(rows.iter().filter_map(receipt).collect())
    }

    pub(super) async fn receive_recording(
        &self,
        id: BoxId,
        receipt: &RecordingReceipt,
    ) -> Result<(), StoreError> {
        let statement = "INSERT INTO recording (box_id, recording_id, hash, call_id, bytes, received_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (box_id, recording_id, hash) DO NOTHING";
        let (own, recording, call) =
            (id.to_string(), receipt.recording.to_string(), receipt.call.to_string());
        let bytes = signed(receipt.bytes);
        let values = [
            &own as &(dyn tokio_postgres::types::ToSql + Sync),
            &recording,
            &receipt.hash,
            &call,
            &bytes,
            &SystemTime::now(),
        ];
        // Outside of a transaction the answer to a statement is that of its commit.
        self.query(statement, &values).await.map(drop)
    }

    pub(super) async fn gaps(&self, id: BoxId, calls: u64) -> Result<Gaps, StoreError> {
        const BETWEEN: &str = "SELECT before + 1, seq - 1 FROM (\
             SELECT seq, LAG(seq, 1, CAST(0 AS BIGINT)) OVER (ORDER BY seq) AS before FROM (\
               SELECT seq FROM record WHERE box_id = $1 AND seq <= $2 \
               UNION SELECT CAST($2 AS BIGINT) + 1) AS numbers) AS pairs \
             WHERE seq > before + 1 ORDER BY seq LIMIT $3";
        const MISSING: &str = "SELECT recording_id FROM record WHERE box_id = $1 AND recording_hash IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM recording WHERE recording.box_id = record.box_id \
               AND recording.recording_id = record.recording_id AND (recording.hash = record.recording_hash \
                 OR recording.hash = record.doc->'recording'->>'audio_hash')) \
             ORDER BY seq LIMIT $2";
        let own = id.to_string();
        let limit = i64::try_from(MAX_GAP_RANGES).unwrap_or(i64::MAX);
        let last = signed(calls).min(i64::MAX - 1);
        let between = self.query(BETWEEN, &[&own, &last, &limit]).await?;
        let missing = self.query(MISSING, &[&own, &limit]).await?;
        let newest = self.query("SELECT MAX(hq_seq) FROM record WHERE box_id = $1", &[&own]).await?;
        Ok(Gaps {
            calls: between.iter().map(|row| [unsigned(row.get(0)), unsigned(row.get(1))]).collect(),
            recordings: missing.iter().filter_map(|row| row.get::<_, &str>(0).parse().ok()).collect(),
            last_hq_seq: newest.first().and_then(|row| row.get::<_, Option<i64>>(0)).map_or(0, unsigned),
        })
    }

    pub(super) async fn site(&self, id: BoxId) -> Result<Option<SignedSite>, StoreError> {
        let statement =
            "SELECT version, toml, signature FROM site WHERE box_id = $1 ORDER BY version DESC LIMIT 1";
        let rows = self.query(statement, &[&id.to_string()]).await?;
        let site =
            |row: &Row| SignedSite { version: unsigned(row.get(0)), toml: row.get(1), signature: row.get(2) };
        Ok(rows.first().map(site))
    }

    pub(super) async fn set_site(&self, id: BoxId, site: &SignedSite) -> Result<(), StoreError> {
        let statement = "INSERT INTO site (box_id, version, toml, signature) VALUES ($1, $2, $3, $4)";
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&id.to_string(), &signed(site.version), &site.toml, &site.signature];
        self.query(statement, &values).await.map(drop)
    }
}

/// A commit that answers before the disk does would make every receipt a lie.
async fn commit_is_durable(client: &tokio_postgres::Client) -> Result<(), String> {
    // Engines that do not know these settings have no such way to be careless.
    let setting =
        async |name: &str| client.query_one(name, &[]).await.ok().map(|row| row.get::<_, String>(0));
    if setting("SHOW fsync").await.as_deref() == Some("off") {
        return Err("the database runs with fsync = off, so that its commits are worth nothing: turn it on"
            .to_owned());
    }
    if matches!(setting("SHOW synchronous_commit").await.as_deref(), Some("off" | "local")) {
        let set = client.batch_execute("SET synchronous_commit = on").await;
        return set.map_err(|error| said(&error));
    }
    Ok(())
}

async fn migrate(client: &mut Object) -> Result<(), tokio_postgres::Error> {
    client
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS ringside_schema (id BIGINT PRIMARY KEY, version BIGINT NOT NULL)",
        )
        .await?;
    client.execute("INSERT INTO ringside_schema VALUES (1, 0) ON CONFLICT (id) DO NOTHING", &[]).await?;
    let work = client.transaction().await?;
    let row = work.query_one("SELECT version FROM ringside_schema WHERE id = 1 FOR UPDATE", &[]).await?;
    let version = usize::try_from(row.get::<_, i64>(0)).unwrap_or(usize::MAX);
    for migration in MIGRATIONS.iter().skip(version) {
        work.batch_execute(migration).await?;
        work.execute("UPDATE ringside_schema SET version = version + 1 WHERE id = 1", &[]).await?;
    }
    work.commit().await
}

async fn take_batch(
    client: &mut Object,
    id: BoxId,
    batch: &Batch,
    records: &[Arrived],
    now: WallTime,
) -> Result<Vec<Taken>, tokio_postgres::Error> {
    let own = id.to_string();
    let work = client.transaction().await?;
    let row =
        work.query_one("SELECT last_hq_seq, heard FROM box WHERE box_id = $1 FOR UPDATE", &[&own]).await?;
    let mut last = unsigned(row.get(0));
    let mut kept = kept(&work, &own, records).await?;
    let mut fresh = BTreeMap::new();
    let mut taken = Vec::with_capacity(records.len());
    for record in records {
        let decided = take(record, &mut kept, &mut last, now);
        if let Taken::New(receipt) = &decided {
            fresh.insert(record.call, (record, receipt.hq_seq));
        }
        taken.push(decided);
    }
    write_records(&work, &own, fresh.into_values(), now).await?;
    if let Some(head) = &batch.head {
        write_head(&work, &own, head, now).await?;
    }
    let before = row.get::<_, Option<Json<serde_json::Value>>>(1);
    let before = before.and_then(|json| serde_json::from_value::<Heard>(json.0).ok());
    let heard = Json(Heard::of(batch, before.map(|heard| heard.chain).unwrap_or_default(), now));
    work.execute(
        "UPDATE box SET last_hq_seq = $2, heard = $3 WHERE box_id = $1",
        &[&own, &signed(last), &heard],
    )
    .await?;
    work.commit().await?;
    Ok(taken)
}

async fn kept(
    work: &Transaction<'_>,
    own: &str,
    records: &[Arrived],
) -> Result<BTreeMap<CallId, Kept>, tokio_postgres::Error> {
    let statement = "SELECT call_id, rev, hash, hq_seq FROM record WHERE box_id = $1 AND call_id = ANY($2)";
    let calls: Vec<String> = records.iter().map(|record| record.call.to_string()).collect();
    let statement = work.prepare_cached(statement).await?;
    let rows = work.query(&statement, &[&own, &calls]).await?;
    let kept = |row: &Row| {
        let rev = u32::try_from(row.get::<_, i64>(1)).ok()?;
        let kept = Kept { rev, hash: row.get(2), hq_seq: unsigned(row.get(3)) };
        Some((row.get::<_, &str>(0).parse().ok()?, kept))
    };
    Ok(rows.iter().filter_map(kept).collect())
}

/// Writes the records of a batch; the statements are all under way at once. The condition on the revision is for those
/// who take the lock of the box away one day.
async fn write_records<'r>(
    work: &Transaction<'_>,
    own: &str,
    records: impl Iterator<Item = (&'r Arrived, u64)>,
    now: WallTime,
) -> Result<(), tokio_postgres::Error> {
    let statement = work.prepare_cached(include_str!("postgres_record.sql")).await?;
    let writing = records.map(|(record, hq_seq)| {
        let statement = &statement;
        async move {
            let doc = &record.doc;
            let number = |pointer: &str| doc.pointer(pointer).and_then(serde_json::Value::as_i64);
            let start = record.text_at("/start_time").and_then(WallTime::parse).map(system_time);
            let (recording, recording_hash) = record.recording.clone().unzip();
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 20] = [
                &own,
                &record.call.to_string(),
                &signed(record.seq),
                &i64::from(record.rev),
                &signed(hq_seq),
                &record.hash,
                &system_time(now),
                &record.text.as_bytes(),
                &Json(doc),
                &start,
                &record.text_at("/tracking_phone_number"),
                &record.text_at("/customer_phone_number"),
                &record.text_at("/campaign/id"),
                &record.text_at("/campaign/name"),
                &doc.pointer("/answered").and_then(serde_json::Value::as_bool),
                &record.text_at("/outcome/ended"),
                &number("/duration"),
                &number("/timing_ms/talk"),
                &recording.map(|id| id.to_string()),
                &recording_hash,
            ];
            work.execute(statement, &values).await
        }
    });
    futures_util::future::try_join_all(writing).await.map(drop)
}

async fn write_head(
    work: &Transaction<'_>,
    own: &str,
    head: &ChainHead,
    now: WallTime,
) -> Result<(), tokio_postgres::Error> {
    let statement = "INSERT INTO chain_head (box_id, segment, seq, digest, signature, public_key, received_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (box_id, segment, seq, digest) DO NOTHING";
    let statement = work.prepare_cached(statement).await?;
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] = [
        &own,
        &i64::from(head.segment),
        &signed(head.seq),
        &head.digest,
        &head.signature,
        &head.public_key,
        &system_time(now),
    ];
    work.execute(&statement, &values).await.map(drop)
}

fn fleet_box(row: &Row) -> Option<FleetBox> {
    Some(FleetBox {
        id: row.get::<_, &str>(0).parse().ok()?,
        name: row.get(1),
        token: row.get::<_, Option<Vec<u8>>>(2).and_then(|token| token.try_into().ok()),
        heard: row
            .get::<_, Option<Json<serde_json::Value>>>(3)
            .and_then(|json| serde_json::from_value(json.0).ok()),
    })
}

fn is_called_off(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code)
    })
}

/// What the server said; the error alone says only `db error`.
fn said(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn system_time(at: WallTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.0)
}
