//! Tags, branches, Call-IDs and other random-looking words, all from one seed, so that the same inputs give the
//! same datagrams; and keyed hashes of what peers send.
//!
//! Both come from SHA-256 over the seed: a peer that sees one word learns nothing about the next, in particular not
//! the Contact user that protects the box from forged calls, and cannot build two transactions with one key.

use sha2::{Digest, Sha256};

/// The source of words.
#[derive(Debug)]
pub struct Tokens {
    seed: u64,
    drawn: u64,
}

impl Tokens {
    /// Words of this seed; the daemon draws one per start.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// 64 fresh bits.
    pub fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.hash("draw", &[&self.drawn.to_be_bytes()])
    }

    /// A fresh word of 16 hexadecimal digits.
    pub fn word(&mut self) -> String {
        format!("{:016x}", self.draw())
    }

    /// A fresh Via branch with the cookie of RFC 3261 8.1.1.7.
    pub fn branch(&mut self) -> String {
        format!("z9hG4bK{:016x}", self.draw())
    }

    /// A fresh number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.draw() % (high - low + 1)
    }

    /// Keyed hash of `parts` for one `purpose`; equal parts give equal hashes for the life of the seed.
    #[must_use]
    pub fn hash(&self, purpose: &str, parts: &[&[u8]]) -> u64 {
        let mut digest = Sha256::new();
        digest.update(self.seed.to_be_bytes());
        for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
            // The length keeps ("ab", "c") apart from ("a", "bc").
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_words_and_another_seed_others() {
        let words = |seed| {
            let mut tokens = Tokens::new(seed);
            (tokens.word(), tokens.branch(), tokens.hash("tag", &[b"a"]))
        };
        assert_eq!(words(1), words(1));
        assert_ne!(words(1), words(2));
        let mut tokens = Tokens::new(1);
        assert_ne!(tokens.word(), tokens.word());
    }

    #[test]
    fn a_hash_depends_on_purpose_and_on_where_parts_end() {
        let tokens = Tokens::new(7);
        assert_ne!(tokens.hash("tag", &[b"ab", b"c"]), tokens.hash("tag", &[b"a", b"bc"]));
        assert_ne!(tokens.hash("tag", &[b"a"]), tokens.hash("key", &[b"a"]));
    }

    #[test]
    fn a_number_lies_between_its_bounds() {
        let mut tokens = Tokens::new(3);
        assert!((0..1_000).all(|_| (25..=30).contains(&tokens.between(25, 30))));
    }
}
