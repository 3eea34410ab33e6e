//! What a vault promises, without a file.

use super::*;
use crate::{
    id::{CallId, RecordingId},
    time::WallTime,
};
use std::collections::BTreeSet;

fn kek(seed: u8) -> Kek {
    Kek::new([seed; 32])
}

fn random(seed: u64) -> Zeroizing<[u8; RANDOM_BYTES]> {
    let mut random = Zeroizing::new([0; RANDOM_BYTES]);
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut *random);
    random
}

fn ids(n: u64) -> (RecordingId, CallId) {
    (RecordingId::from_parts(WallTime(n), 1), CallId::from_parts(WallTime(n), 2))
}

/// A sealed file of pages, its header and its chunks apart.
fn sealed(seed: u64, vault: &Vault, pages: &[&[u8]]) -> (Header, Vec<Vec<u8>>) {
    let (recording, call) = ids(seed);
    let mut sealer = Sealer::new(recording, call, vault, &random(seed)).unwrap();
    let header = Header::parse(sealer.header()).unwrap();
    let chunks = pages.iter().enumerate().map(|(index, page)| {
        let mut chunk = Vec::new();
        sealer.seal(page, index + 1 == pages.len(), &mut chunk).unwrap();
        chunk
    });
    (header, chunks.collect())
}

fn open(stream: &Stream, number: u32, chunk: &[u8]) -> Result<(Kind, Vec<u8>), VaultError> {
    let mut bytes = chunk[4..].to_vec();
    stream.open(number, &mut bytes).map(|kind| (kind, bytes))
}

#[test]
fn pages_read_back_with_either_key_and_say_which_is_the_last() {
    let secret = SecretKey::new(&[3; 32]);
    let vault = Vault { kek: kek(1), owner: Some(secret.public()) };
    let (header, chunks) = sealed(1, &vault, &[b"one", b"two", b"three"]);
    assert_eq!((header.recording(), header.call()), ids(1));
    for key in [Unlock::Box(&vault.kek), Unlock::Owner(&secret)] {
        let stream = header.unlock(key).unwrap();
        assert_eq!(open(&stream, 0, &chunks[0]), Ok((Kind::More, b"one".to_vec())));
        assert_eq!(open(&stream, 2, &chunks[2]), Ok((Kind::Last, b"three".to_vec())));
        assert_eq!(open(&stream, 1, &chunks[2]), Err(VaultError::Chunk(1)), "moved");
    }
    assert!(chunks[0].len() == 3 + CHUNK_OVERHEAD);
}

#[test]
fn a_wrong_key_says_which_one_is_wanted() {
    let (secret, other) = (SecretKey::new(&[3; 32]), SecretKey::new(&[4; 32]));
    let vault = Vault { kek: kek(1), owner: Some(secret.public()) };
    let (header, _) = sealed(1, &vault, &[b"page"]);
    let said = header.unlock(Unlock::Box(&kek(2))).unwrap_err().to_string();
    assert!(said.contains(&kek(1).id()) && said.contains(&kek(2).id()), "{said}");
    let said = header.unlock(Unlock::Owner(&other)).unwrap_err().to_string();
    assert!(said.contains(&secret.public().to_string()), "{said}");
    let (ownerless, _) = sealed(2, &Vault { owner: None, ..vault }, &[b"page"]);
    let said = ownerless.unlock(Unlock::Owner(&secret)).unwrap_err().to_string();
    assert!(said.contains(&kek(1).id()), "{said}");
}

#[test]
fn nothing_of_one_recording_fits_another() {
    let vault = Vault { kek: kek(1), owner: None };
    let (header, chunks) = sealed(1, &vault, &[b"mine", b"more"]);
    let (other_header, other_chunks) = sealed(2, &vault, &[b"theirs", b"more"]);
    let stream = header.unlock(Unlock::Box(&vault.kek)).unwrap();
    let other = other_header.unlock(Unlock::Box(&vault.kek)).unwrap();
    for number in 0..2 {
        assert!(open(&stream, number, &other_chunks[number as usize]).is_err());
        assert!(open(&other, number, &chunks[number as usize]).is_err());
    }
    // The same recording under a header that differs in one byte that is no secret.
    let text = String::from_utf8(header.bytes().to_vec()).unwrap();
    let forged = text.replace(&header.call().to_string(), &other_header.call().to_string());
    let forged = Header::parse(forged.as_bytes()).unwrap();
    assert!(open(&forged.unlock(Unlock::Box(&vault.kek)).unwrap(), 0, &chunks[0]).is_err());
}

#[test]
fn two_recordings_never_share_a_key_or_a_nonce() {
    let vault = Vault { kek: kek(1), owner: None };
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let (header, chunks) = sealed(seed, &vault, &[b"the same", b"page"]);
        let text = String::from_utf8_lossy(header.bytes()).into_owned();
        let fields: serde_json::Value = serde_json::from_str(&text[START_BYTES..]).unwrap();
        for fresh in [&fields["nonce"], &fields["box"]["nonce"], &fields["box"]["wrapped"]] {
            assert!(seen.insert(fresh.to_string().into_bytes()), "{fresh} twice");
        }
        assert!(seen.insert(chunks[0].clone()), "the same ciphertext twice");
    }
}

#[test]
fn a_repair_never_meets_a_nonce_that_was_used() {
    let vault = Vault { kek: kek(1), owner: None };
    let (header, chunks) = sealed(1, &vault, &[b"page", b"last"]);
    let stream = header.unlock(Unlock::Box(&vault.kek)).unwrap();
    let mended = |page| {
        let mut out = Vec::new();
        stream.mend(1, page, &mut out).unwrap();
        out
    };
    // Under one keystream the sum of two ciphertexts is the sum of their pages.
    let sum = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a ^ b).collect::<Vec<u8>>();
    assert_ne!(sum(&chunks[1][4..8], &mended(b"mend")[4..8]), sum(b"last", b"mend"));
    assert_eq!(mended(b"mend"), mended(b"mend"), "done again it is the same");
    assert_eq!(open(&stream, 1, &mended(b"mend")), Ok((Kind::Mended, b"mend".to_vec())));
}

#[test]
fn nothing_is_sealed_behind_the_end() {
    let vault = Vault { kek: kek(1), owner: None };
    let mut sealer = Sealer::new(ids(1).0, ids(1).1, &vault, &random(1)).unwrap();
    let mut out = Vec::new();
    assert_eq!(sealer.seal(&[], false, &mut out), Err(VaultError::TooLong), "an empty page");
    sealer.seal(b"last", true, &mut out).unwrap();
    assert_eq!(sealer.seal(b"more", false, &mut out), Err(VaultError::AfterEnd));
}

#[test]
fn keys_do_not_show() {
    let vault = Vault { kek: kek(0xab), owner: Some(PublicKey::new([1; 32])) };
    let shown = format!("{vault:?} {:?} {:?}", Unlock::Box(&vault.kek), SecretKey::new(&[0xab; 32]));
    assert!(!shown.contains("abab") && !shown.contains("171, 171"), "{shown}");
}

/// The header parser on what may come: cut, changed and made-up headers. It must not panic, and must not trust a
/// length.
#[test]
fn the_header_parser_survives_anything() {
    let vault = Vault { kek: kek(1), owner: Some(SecretKey::new(&[3; 32]).public()) };
    let (header, _) = sealed(1, &vault, &[b"page"]);
    let whole = header.bytes();
    for cut in 0..whole.len() {
        assert_eq!(Header::parse(&whole[..cut]).unwrap_err(), VaultError::Cut, "cut at {cut}");
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let mut parsed = 0;
    for _ in 0..50_000 {
        let mut bytes = whole.to_vec();
        for _ in 0..=draw(4) {
            match draw(4) {
                0 => bytes[draw(whole.len())] = u8::try_from(draw(256)).unwrap(),
                1 => bytes[8..12].copy_from_slice(&u32::try_from(draw(1 << 32)).unwrap().to_le_bytes()),
                2 => bytes.extend((0..draw(64)).map(|_| b'{')),
                _ => {
                    let at = 12 + draw(whole.len() - 12);
                    bytes.splice(at..at, [b'"', b'\\', 0xff][..draw(4)].iter().copied());
                }
            }
        }
        if let Ok(header) = Header::parse(&bytes) {
            parsed += 1;
            assert!(header.bytes().len() <= MAX_HEADER_BYTES);
            let _ = header.unlock(Unlock::Box(&vault.kek));
        }
    }
    assert!(parsed > 100, "{parsed}: the loop only tried the first check");
    for length in [0, 16, 17, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES + 1, u32::MAX as usize] {
        let taken = sealed_length(u32::try_from(length).unwrap().to_le_bytes());
        assert_eq!(taken.is_some(), (17..=MAX_CHUNK_BYTES).contains(&length), "{length}");
    }
}
