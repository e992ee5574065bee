//! The name of content on the wire.

use std::fmt;
use std::str::FromStr;

/// Bytes of a SHA-256.
const LEN: usize = 32;

/// The SHA-256 of a content, by which clients name it.
///
/// ```
/// use store::packages::ContentHash;
///
/// let hash: ContentHash =
///     "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08".parse()?;
/// assert!(hash.to_string().starts_with("9f86d081"));
/// assert!("../../etc/passwd".parse::<ContentHash>().is_err());
/// # Ok::<(), store::packages::ParseHashError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; LEN]);

impl ContentHash {
    /// Takes the bytes of a SHA-256.
    pub fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes of the SHA-256.
    pub fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 2 * LEN];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            for (digit, value) in pair.iter_mut().zip([byte >> 4, byte & 0xf]) {
                *digit = value + if value < 10 { b'0' } else { b'a' - 10 };
            }
        }
        f.write_str(str::from_utf8(&digits).unwrap_or_default())
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

/// Takes 64 hexadecimal digits of either case, and nothing else.
impl FromStr for ContentHash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        let mut bytes = [0; LEN];
        if text.len() != 2 * LEN {
            return Err(ParseHashError);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = pair.iter().map(|&digit| char::from(digit).to_digit(16));
            for digit in digits {
                let digit = digit.and_then(|digit| u8::try_from(digit).ok());
                *byte = *byte << 4 | digit.ok_or(ParseHashError)?;
            }
        }
        Ok(Self(bytes))
    }
}

/// A text is no content hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a content hash has 64 hexadecimal digits")]
#[non_exhaustive]
pub struct ParseHashError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_in_either_case_and_written_in_lower_case() {
        let hash = ContentHash::from_bytes(*b"\x00\x7f\x80\xff bytes are a content's name.");
        let text = hash.to_string();
        assert_eq!(text.len(), 64);
        assert_eq!(text, text.to_lowercase());
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(text.to_uppercase().parse(), Ok(hash));
    }

    #[test]
    fn nothing_else_is_a_hash() {
        let good = "ab".repeat(32);
        for bad in [
            String::new(),
            good[1..].to_owned(),
            format!("{good}0"),
            format!("+{}", &good[1..]),
            format!(" {}", &good[1..]),
            format!("{}\0", &good[1..]),
            format!("{}é", &good[2..]),
            "/../../../../x".to_owned(),
            "%2e%2e%2f".repeat(7) + "0",
            "０".repeat(64),
        ] {
            assert_eq!(bad.parse::<ContentHash>(), Err(ParseHashError), "{bad:?}");
        }
    }
}
