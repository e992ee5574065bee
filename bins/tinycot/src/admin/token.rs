//! What the operator's requests bear.

use std::fmt;
use std::fs::{File, OpenOptions, remove_file, rename};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use crate::error::Failure;

/// File of the token in the data directory.
pub(crate) const TOKEN_FILE: &str = "admin.token";

/// Bytes of chance in a token.
const LEN: usize = 32;

/// A secret that those know who may read the data directory: this user and root.
///
/// Who bears it may do everything with data packages. It is made at the first start and kept; to
/// have another, remove the file and start again.
#[derive(Clone)]
pub(crate) struct Token(blake3::Hash);

impl Token {
    /// Reads the token of a data directory, or makes one.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written, or there is no chance to be had.
    pub(crate) fn prepare(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join(TOKEN_FILE);
        let known = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim().to_owned()).filter(|text| is_token(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(_) => None,
        };
        let text = match known {
            Some(text) => text,
            None => make(&path).map_err(|source| Failure::DataDir { path, source })?,
        };
        Ok(Self(blake3::hash(text.as_bytes())))
    }

    /// Whether a request bears it. Takes the same time whatever it bears.
    pub(crate) fn is_borne(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (Some(given), None) = (given.next(), given.next()) else { return false };
        let Some(given) = given.to_str().ok().and_then(|text| text.split_once(' ')) else {
            return false;
        };
        given.0.eq_ignore_ascii_case("bearer") && self.0 == blake3::hash(given.1.trim().as_bytes())
    }
}

/// A secret is not shown.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

fn is_token(text: &str) -> bool {
    text.len() == 2 * LEN && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Makes a token, for this user's eyes alone, whole or not at all.
fn make(path: &Path) -> io::Result<String> {
    let mut chance = [0; LEN];
    File::open("/dev/urandom")?.read_exact(&mut chance)?;
    let text: String = chance.iter().map(|byte| format!("{byte:02x}")).collect();
    let new = path.with_extension("token.new");
    // An interrupted start may have left one.
    let _ = remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    writeln!(file, "{text}")?;
    // Not synced, which would hold the start up: what a power cut leaves of it is no token, and is
    // replaced.
    rename(&new, path)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use hyper::header::HeaderValue;

    use super::*;

    fn bearing(value: &str) -> HeaderMap {
        [(AUTHORIZATION, HeaderValue::from_str(value).unwrap())].into_iter().collect()
    }

    #[test]
    fn a_token_is_made_once_for_this_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let token = Token::prepare(dir.path()).unwrap();
        let path = dir.path().join(TOKEN_FILE);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.trim();
        let same = Token::prepare(dir.path()).unwrap();
        for token in [token, same] {
            assert!(token.is_borne(&bearing(&format!("Bearer {text}"))));
            assert!(!token.is_borne(&bearing(&format!("Basic {text}"))));
            assert!(!token.is_borne(&bearing(&format!("Bearer {}", &text[1..]))));
            assert!(!token.is_borne(&bearing("Bearer ")));
            assert!(!token.is_borne(&HeaderMap::new()));
            assert_eq!(format!("{token:?}"), "Token");
        }
    }

    #[test]
    fn what_is_no_token_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(TOKEN_FILE), "").unwrap();
        let token = Token::prepare(dir.path()).unwrap();
        assert!(!token.is_borne(&bearing("Bearer ")));
        let text = std::fs::read_to_string(dir.path().join(TOKEN_FILE)).unwrap();
        assert!(is_token(text.trim()));
    }
}
