//! Recordings: behind the S3 API, or in a directory with every write fsynced. The only file naming `object_store`.
//!
//! ```text
//! parts/box_…/rec_…/HASH-LENGTH/OFFSET-BYTES     one piece, as it came
//! recordings/box_…/rec_…/HASH.ogg                the whole, under the digest that it was announced with
//! ```
//! How far an upload is follows from the names of its pieces, so any receiver takes the next one. What is proven before
//! a receipt: the store confirmed the write against a SHA-256 sent with it (S3), or fsynced file and folder
//! (directory); then the whole is read back, and has the announced length and BLAKE3.

use super::stored::StoreError;
use crate::id::{BoxId, RecordingId};
use axum::body::{Body, Bytes};
use futures_util::{StreamExt, TryStreamExt};
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig, WriteMultipart,
    aws::{AmazonS3Builder, Checksum},
    local::LocalFileSystem,
    path::Path,
};
use std::{collections::BTreeSet, ops::Range, sync::Arc, time::Duration};

/// Up to so many bytes a recording is written in one request; above, in parts of this size (S3 wants 5 MiB at least).
const WRITE_BYTES: u64 = 8 << 20;
/// A store that does not answer for so long fails the request; the box asks again.
const RETRY: Duration = Duration::from_secs(15);
/// An upload that nobody goes on with for so long is given up.
const ABANDONED: Duration = Duration::from_secs(7 * 24 * 3600);

/// Recordings in a store of objects.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
}

/// One recording of one box, as it was announced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announced {
    /// The box.
    pub(super) from: BoxId,
    /// The recording.
    pub(super) recording: RecordingId,
    /// BLAKE3 of the whole.
    pub(super) hash: blake3::Hash,
    /// Bytes of the whole.
    pub(super) bytes: u64,
}

/// A piece that is there: where it begins and ends.
type Piece = Range<u64>;

/// Where a bucket is.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Address of the store; `None` for the one of the region.
    pub endpoint: Option<String>,
    /// Region.
    pub region: String,
}

impl Announced {
    fn parts(&self) -> Path {
        let folder = format!("{}-{}", self.hash.to_hex(), self.bytes);
        Path::from_iter(["parts", &self.from.to_string(), &self.recording.to_string(), &folder])
    }

    fn part(&self, piece: &Piece) -> Path {
        self.parts().join(format!("{:010}-{}", piece.start, piece.end - piece.start))
    }

    fn whole(&self) -> Path {
        let name = format!("{}.ogg", self.hash.to_hex());
        Path::from_iter(["recordings", &self.from.to_string(), &self.recording.to_string(), &name])
    }
}

impl Objects {
    /// Recordings below a directory.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn directory(root: &std::path::Path) -> Result<Self, StoreError> {
        let why = "the directory of recordings";
        std::fs::create_dir_all(root).map_err(StoreError::of(why))?;
        let local = LocalFileSystem::new_with_prefix(root).map_err(StoreError::of(why))?;
        let local = local.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(local) })
    }

    /// Recordings in a bucket. Credentials come from the usual environment variables.
    ///
    /// # Errors
    /// The address is not understood.
    pub fn bucket(bucket: &Bucket) -> Result<Self, StoreError> {
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&bucket.name)
            .with_region(&bucket.region)
            .with_checksum_algorithm(Checksum::SHA256)
            .with_retry(RetryConfig { max_retries: 3, retry_timeout: RETRY, ..RetryConfig::default() });
        if let Some(endpoint) = &bucket.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        let store = builder.build().map_err(StoreError::of("the bucket"))?;
        Ok(Self { store: Arc::new(store) })
    }

    /// Asks the store for something small.
    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        let asked = self.store.list(Some(&Path::from("ready"))).try_next().await;
        asked.map(drop).map_err(StoreError::of("the store of recordings does not answer"))
    }

    /// How many bytes of an upload are there without a gap. The last piece does not count: it is what makes an upload
    /// whole, and if it was not made whole then, the last piece has to come again.
    pub(super) async fn offset(&self, announced: &Announced) -> Result<u64, StoreError> {
        let pieces = self.pieces(announced).await?;
        Ok(pieces.last().map_or(0, |last| if last.end == announced.bytes { last.start } else { last.end }))
    }

    /// The uploads of a recording that are under way.
    pub(super) async fn under_way(
        &self,
        from: BoxId,
        recording: RecordingId,
    ) -> Result<Vec<Announced>, StoreError> {
        let folder = Path::from_iter(["parts", &from.to_string(), &recording.to_string()]);
        let listed: Vec<_> = self
            .store
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(StoreError::of("pieces could not be listed"))?;
        // The names say it all; not every server behind this API knows folders.
        let uploads: BTreeSet<String> = listed
            .iter()
            .filter_map(|object| Some(object.location.parts().nth(3)?.as_ref().to_owned()))
            .collect();
        let announced = |upload: &String| {
            let (hash, bytes) = upload.split_once('-')?;
            let hash = blake3::Hash::from_hex(hash).ok()?;
            Some(Announced { from, recording, hash, bytes: bytes.parse().ok()? })
        };
        Ok(uploads.iter().filter_map(announced).collect())
    }

    /// The pieces that follow each other from the beginning on.
    async fn pieces(&self, announced: &Announced) -> Result<Vec<Piece>, StoreError> {
        let listed: Vec<_> = self
            .store
            .list(Some(&announced.parts()))
            .try_collect()
            .await
            .map_err(StoreError::of("pieces could not be listed"))?;
        let piece = |name: &str| {
            let (start, bytes) = name.split_once('-')?;
            let start: u64 = start.parse().ok()?;
            Some(start..start.checked_add(bytes.parse().ok()?)?)
        };
        let mut found: Vec<Piece> =
            listed.iter().filter_map(|object| piece(object.location.filename()?)).collect();
        // The longest first where several begin.
        found.sort_unstable_by_key(|piece| (piece.start, std::cmp::Reverse(piece.end)));
        let mut chain: Vec<Piece> = Vec::new();
        // A last piece that was not made whole may come again cut smaller: it counts only behind all others.
        let (lasts, others): (Vec<Piece>, Vec<Piece>) = found
            .into_iter()
            .filter(|piece| piece.end <= announced.bytes)
            .partition(|piece| piece.end == announced.bytes);
        for piece in others.into_iter().chain(lasts) {
            if piece.start == chain.last().map_or(0, |last| last.end) {
                chain.push(piece);
            }
        }
        Ok(chain)
    }

    /// Stores one piece.
    pub(super) async fn put_piece(
        &self,
        announced: &Announced,
        offset: u64,
        piece: Bytes,
    ) -> Result<(), StoreError> {
        let key = announced.part(&(offset..offset + piece.len() as u64));
        self.put(&key, PutPayload::from_bytes(piece)).await
    }

    async fn put(&self, key: &Path, payload: PutPayload) -> Result<(), StoreError> {
        self.store.put(key, payload).await.map(drop).map_err(StoreError::of("a write failed"))
    }

    /// Stores a recording that came in one piece. The caller has compared its digest.
    pub(super) async fn put_whole(&self, announced: &Announced, whole: Bytes) -> Result<(), StoreError> {
        self.put(&announced.whole(), PutPayload::from_bytes(whole)).await
    }

    /// Joins the pieces; false, and nothing is written, if they are not what was announced.
    pub(super) async fn join(&self, announced: &Announced) -> Result<bool, StoreError> {
        let pieces = self.pieces(announced).await?;
        if pieces.last().is_none_or(|last| last.end != announced.bytes) {
            return Ok(false);
        }
        let mut hasher = blake3::Hasher::new();
        if announced.bytes <= WRITE_BYTES {
            let mut payload = Vec::new();
            for piece in &pieces {
                payload.push(self.piece(announced, piece).await?);
                payload.last().map(|bytes| hasher.update(bytes));
            }
            let right = hasher.finalize() == announced.hash;
            if right {
                self.put(&announced.whole(), payload.into_iter().collect()).await?;
            }
            return Ok(right);
        }
        let failed = || StoreError::of("a write failed");
        let upload = self.store.put_multipart(&announced.whole()).await.map_err(failed())?;
        let mut writing = WriteMultipart::new_with_chunk_size(upload, WRITE_BYTES as usize);
        for piece in &pieces {
            let bytes = match self.piece(announced, piece).await {
                Ok(bytes) => bytes,
                Err(error) => {
                    let _ = writing.abort().await;
                    return Err(error);
                }
            };
            hasher.update(&bytes);
            writing.wait_for_capacity(1).await.map_err(failed())?;
            writing.put(bytes);
        }
        if hasher.finalize() != announced.hash {
            writing.abort().await.map_err(failed())?;
            return Ok(false);
        }
        writing.finish().await.map(|_| true).map_err(failed())
    }

    async fn piece(&self, announced: &Announced, piece: &Piece) -> Result<Bytes, StoreError> {
        let why = "a piece could not be read";
        let found = self.store.get(&announced.part(piece)).await.map_err(StoreError::of(why))?;
        found.bytes().await.map_err(StoreError::of(why))
    }

    /// Reads a recording back: whether the whole is there, with the announced length and digest.
    pub(super) async fn is_whole(&self, announced: &Announced) -> Result<bool, StoreError> {
        let why = "a recording could not be read back";
        let found = match self.store.get(&announced.whole()).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(StoreError::of(why)(error)),
        };
        let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
        let mut stream = found.into_stream();
        while let Some(chunk) = stream.try_next().await.map_err(StoreError::of(why))? {
            hasher.update(&chunk);
            bytes += chunk.len() as u64;
        }
        Ok(bytes == announced.bytes && hasher.finalize() == announced.hash)
    }

    /// Removes the pieces of an upload.
    pub(super) async fn drop_pieces(&self, announced: &Announced) -> Result<(), StoreError> {
        let listed = self.store.list(Some(&announced.parts())).map_ok(|object| object.location).boxed();
        self.remove(listed).await.map(drop)
    }

    /// Removes the pieces of uploads that nobody went on with; how many.
    pub(super) async fn drop_abandoned(&self, now: std::time::SystemTime) -> Result<usize, StoreError> {
        let listed = self.store.list(Some(&Path::from("parts")));
        let old = listed.try_filter_map(move |object| {
            let age = now.duration_since(object.last_modified.into()).unwrap_or_default();
            std::future::ready(Ok((age > ABANDONED).then_some(object.location)))
        });
        self.remove(old.boxed()).await
    }

    async fn remove(
        &self,
        keys: futures_util::stream::BoxStream<'static, object_store::Result<Path>>,
    ) -> Result<usize, StoreError> {
        let why = "pieces could not be removed";
        // All names first: what is removed while it is being listed may hide its neighbours.
        let keys: Vec<Path> = keys.try_collect().await.map_err(StoreError::of(why))?;
        for key in &keys {
            match self.store.delete(key).await {
                // Another receiver was faster.
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(StoreError::of(why)(error)),
            }
        }
        Ok(keys.len())
    }

    /// The bytes `range` of a recording, for a player.
    pub(super) async fn stream(&self, announced: &Announced, range: Range<u64>) -> Result<Body, StoreError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.store.get_opts(&announced.whole(), options).await;
        let found = found.map_err(StoreError::of("a recording could not be read"))?;
        Ok(Body::from_stream(found.into_stream()))
    }
}
