//! What nobody may guess: tokens, session ids, the claim code, made-up passwords.

use sha2::{Digest as _, Sha256};
use std::io;

/// How a token begins, so that it is found wherever it should not be.
pub(super) const TOKEN_PREFIX: &str = "rsd_";
/// Letters and digits that nobody mistakes for each other, also when they are spoken: no I, L, O, U, 0, 1.
const READABLE: &[u8; 30] = b"ABCDEFGHJKMNPQRSTVWXYZ23456789";
const CLAIM_CODE_CHARS: usize = 8;
/// 78 bits.
const PASSWORD_CHARS: usize = 16;
/// Characters that stand together.
const GROUP: usize = 4;

/// What is kept of a secret of 256 random bits: a plain digest is enough, there is nothing to guess.
pub(super) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Random bytes.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// A new token, `rsd_…`.
pub(super) fn token() -> io::Result<String> {
    Ok(format!("{TOKEN_PREFIX}{}", session()?))
}

/// A new session's id.
pub(super) fn session() -> io::Result<String> {
    Ok(crate::hex::encode(&random::<32>()?))
}

/// A new claim code, `XXXX-XXXX`: 39 bits, and a few tries a minute.
pub(super) fn claim_code() -> io::Result<String> {
    readable(CLAIM_CODE_CHARS)
}

/// A password for somebody else.
pub(super) fn password() -> io::Result<String> {
    readable(PASSWORD_CHARS)
}

fn readable(chars: usize) -> io::Result<String> {
    let mut text = String::with_capacity(chars + chars / GROUP);
    let mut taken = 0;
    while taken < chars {
        let [byte] = random::<1>()?;
        // 240 is a multiple of 30: every character is as likely as the others.
        let Some(&character) = READABLE.get(usize::from(byte) % READABLE.len()).filter(|_| byte < 240) else {
            continue;
        };
        if taken > 0 && taken % GROUP == 0 {
            text.push('-');
        }
        text.push(char::from(character));
        taken += 1;
    }
    Ok(text)
}

/// A claim code as it is typed: any case, with or without its dash.
pub(super) fn as_typed(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// Compares without telling by the time it takes where the difference is.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_code_is_read_as_it_is_typed() {
        let code = claim_code().unwrap();
        assert_eq!((code.len(), code.as_bytes()[4]), (9, b'-'));
        assert_eq!(as_typed(&code.to_lowercase()), as_typed(&code.replace('-', " ")));
        assert_ne!(code, claim_code().unwrap());
    }

    #[test]
    fn only_equal_secrets_are_the_same() {
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab") && !same(b"", b"a"));
    }
}
