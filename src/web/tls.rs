//! TLS of the page: a certificate that the box makes itself, and makes anew before it ends or when its addresses change.
//!
//! Nobody has signed it: a browser asks once whether to trust it, and `ringside status` shows the fingerprint to compare.
//! The key stays the same for the life of the box.

use super::{PrivateFiles, wall_now};
use crate::time::WallTime;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    fmt, io,
    sync::{Arc, PoisonError, RwLock},
};
pub(super) use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Key and certificate in the data directory.
const FILE: &str = "page-tls.json";
const DAY_MS: u64 = 86_400_000;
/// Browsers take no longer ones from public authorities, and may come to refuse them from others.
const LIFE_MS: u64 = 397 * DAY_MS;
/// Made anew so long before its end.
const RENEWED_MS: u64 = 30 * DAY_MS;
/// A clock that says less has not been set: 2026-01-01.
const EARLIEST: WallTime = WallTime(1_767_225_600_000);
/// Names in a certificate: the box's, and the addresses of a few networks.
const MOST_NAMES: usize = 40;

/// The one TLS provider of this program.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What is kept.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    key_pem: String,
    certificate_pem: String,
    names: Vec<String>,
    since: WallTime,
    until: WallTime,
}

/// What may be told of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// SHA-256 of the certificate, as browsers show it.
    pub fingerprint: String,
    /// Names and addresses that it is for.
    pub names: Vec<String>,
    /// When it ends; it is made anew before.
    pub until: WallTime,
}

/// The box's certificate; a clone is the same. There is none if the page is for this machine only.
#[derive(Clone, Default)]
pub struct Certificate(Option<Arc<Inner>>);

struct Inner {
    files: Arc<dyn PrivateFiles>,
    names: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    now: RwLock<Standing>,
}

struct Standing {
    kept: Kept,
    facts: CertificateFacts,
    key: Arc<CertifiedKey>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.facts()).finish()
    }
}

impl Certificate {
    /// None: the page is for this machine only.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// The kept certificate, or a new one if there is none for these names. `names` are looked at again now and then.
    ///
    /// # Errors
    /// No key can be made.
    pub fn open(
        files: Arc<dyn PrivateFiles>,
        names: impl Fn() -> Vec<String> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let kept =
            files.read(FILE).ok().flatten().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        let (now, wanted) = (wall_now(), wanted(&names));
        let standing = kept.clone().filter(|kept| kept.is_good(&wanted, now)).map(Standing::of).transpose();
        let standing = match standing {
            Ok(Some(standing)) => standing,
            Ok(None) | Err(_) => made(&*files, kept, wanted, now)?,
        };
        Ok(Self(Some(Arc::new(Inner { files, names: Box::new(names), now: RwLock::new(standing) }))))
    }

    /// What may be told of it.
    #[must_use]
    pub fn facts(&self) -> Option<CertificateFacts> {
        let inner = self.0.as_ref()?;
        Some(inner.now.read().unwrap_or_else(PoisonError::into_inner).facts.clone())
    }

    /// Makes it anew if it is time or the names are others. Called now and then; waits for the disk.
    pub(super) fn tend(&self, now: WallTime) {
        let Some(inner) = &self.0 else { return };
        let wanted = wanted(&inner.names);
        let kept = inner.now.read().unwrap_or_else(PoisonError::into_inner).kept.clone();
        if kept.is_good(&wanted, now) {
            return;
        }
        match made(&*inner.files, Some(kept), wanted, now) {
            Ok(standing) => {
                tracing::info!(fingerprint = standing.facts.fingerprint, "the page has a new certificate");
                *inner.now.write().unwrap_or_else(PoisonError::into_inner) = standing;
            }
            Err(error) => tracing::error!(%error, "the page's certificate cannot be made anew"),
        }
    }

    /// What answers handshakes with it; `None` if there is none.
    pub(super) fn acceptor(&self) -> io::Result<Option<TlsAcceptor>> {
        let Some(inner) = &self.0 else { return Ok(None) };
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let resolver = Arc::new(Resolver(Arc::clone(inner)));
        let mut config =
            builder.map_err(io::Error::other)?.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Some(TlsAcceptor::from(Arc::new(config))))
    }
}

struct Resolver(Arc<Inner>);

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.now.read().unwrap_or_else(PoisonError::into_inner).key))
    }
}

impl Kept {
    /// Whether it is for all these names, and for some time yet.
    fn is_good(&self, wanted: &[String], now: WallTime) -> bool {
        // A clock that has not been set says nothing.
        let now = now.max(EARLIEST);
        self.since <= now
            && now.0 + RENEWED_MS < self.until.0
            && wanted.iter().all(|name| self.names.contains(name))
    }
}

impl Standing {
    fn of(kept: Kept) -> io::Result<Self> {
        let certificate =
            CertificateDer::from_pem_slice(kept.certificate_pem.as_bytes()).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(kept.key_pem.as_bytes()).map_err(io::Error::other)?;
        let digest = Sha256::digest(certificate.as_ref());
        let fingerprint = digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
        let key = provider().key_provider.load_private_key(key).map_err(io::Error::other)?;
        let key = CertifiedKey::new(vec![certificate], key);
        key.keys_match().map_err(io::Error::other)?;
        let facts = CertificateFacts { fingerprint, names: kept.names.clone(), until: kept.until };
        Ok(Self { kept, facts, key: Arc::new(key) })
    }
}

/// The names, in order, each once, not too many.
fn wanted(names: &impl Fn() -> Vec<String>) -> Vec<String> {
    let mut names = names();
    names.sort();
    names.dedup();
    names.truncate(MOST_NAMES);
    names
}

/// A new certificate, for the key of the one before if there is one. It holds also if the disk does not take it.
fn made(
    files: &dyn PrivateFiles,
    before: Option<Kept>,
    names: Vec<String>,
    now: WallTime,
) -> io::Result<Standing> {
    let key = before.and_then(|kept| KeyPair::from_pem(&kept.key_pem).ok());
    let key = key.map_or_else(KeyPair::generate, Ok).map_err(io::Error::other)?;
    let since = WallTime(now.max(EARLIEST).0.saturating_sub(DAY_MS));
    let until = WallTime(since.0 + LIFE_MS);
    let mut params = CertificateParams::new(names.clone()).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, "ringside");
    params.is_ca = IsCa::NoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let date = |at: WallTime| {
        let text = at.to_string();
        let part = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<u16>().ok());
        let small = |range| part(range).and_then(|part| u8::try_from(part).ok()).unwrap_or(1);
        rcgen::date_time_ymd(part(0..4).map_or(2026, i32::from), small(5..7), small(8..10))
    };
    params.not_before = date(since);
    params.not_after = date(until);
    let certificate = params.self_signed(&key).map_err(io::Error::other)?;
    let (key_pem, certificate_pem) = (key.serialize_pem(), certificate.pem());
    let kept = Kept { key_pem, certificate_pem, names, since, until };
    let bytes = serde_json::to_vec(&kept).map_err(io::Error::other)?;
    if let Err(error) = files.write(FILE, &bytes) {
        tracing::warn!(%error, "the page's certificate is not on the disk: browsers ask again after a restart");
    }
    Standing::of(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::tests::accounts::Memory;
    use std::sync::Mutex;

    #[test]
    fn a_certificate_is_kept_and_made_anew_for_a_new_address_with_the_same_key() {
        let files = Arc::new(Memory::default());
        let names = Arc::new(Mutex::new(vec!["ringside.local".to_owned(), "192.168.1.20".to_owned()]));
        let open = || {
            let names = Arc::clone(&names);
            Certificate::open(files.clone(), move || names.lock().unwrap().clone()).unwrap()
        };
        let first = open().facts().unwrap();
        assert_eq!(open().facts().unwrap(), first, "a restart changes nothing");
        assert_eq!(first.fingerprint.len(), 95);
        let key = |files: &Memory| {
            let files = files.files.lock().unwrap();
            serde_json::from_slice::<Kept>(&files[FILE]).unwrap().key_pem
        };
        let before = key(&files);
        let certificate = open();
        certificate.tend(wall_now());
        assert_eq!(certificate.facts().unwrap(), first);
        names.lock().unwrap().push("10.0.0.9".to_owned());
        certificate.tend(wall_now());
        let second = certificate.facts().unwrap();
        assert_ne!(second.fingerprint, first.fingerprint);
        assert!(second.names.contains(&"10.0.0.9".to_owned()));
        assert_eq!(key(&files), before);
        assert!(!format!("{certificate:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_certificate_is_made_anew_before_it_ends() {
        let files = Arc::new(Memory::default());
        let certificate = Certificate::open(files, || vec!["ringside.local".to_owned()]).unwrap();
        let first = certificate.facts().unwrap();
        certificate.tend(WallTime(first.until.0 - RENEWED_MS - 1));
        assert_eq!(certificate.facts().unwrap(), first);
        certificate.tend(WallTime(first.until.0 - RENEWED_MS));
        assert!(certificate.facts().unwrap().until > first.until);
    }

    #[test]
    fn a_clock_that_was_never_set_makes_a_certificate_that_holds_when_it_is() {
        let files = Memory::default();
        let standing = made(&files, None, vec!["ringside.local".to_owned()], WallTime(5_000)).unwrap();
        assert!(standing.kept.since < EARLIEST && standing.kept.until > EARLIEST);
        assert!(standing.kept.is_good(&["ringside.local".to_owned()], WallTime(6_000)));
    }
}
