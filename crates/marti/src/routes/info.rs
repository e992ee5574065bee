//! What the server says of itself (marti-api B.2).

use std::sync::Arc;

use http::uri::Authority;
use serde_json::json;
use store::packages::PackageStore;

use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::service::Inner;
use crate::time;

/// The version of this program: `major.minor.patch`.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A page for who opens the server in a browser, and a test whether it is there.
pub(crate) async fn index<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    version(marti, ask).await
}

/// A text with `TAK Server` in it, by which ATAK knows one.
pub(crate) async fn version<P: PackageStore>(
    marti: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Ok(answer::text(format!("{} {VERSION}, a TAK Server", marti.config.server_name)))
}

/// What ATAK asks first. It takes the `3` for the version of the API.
pub(crate) async fn version_config<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let data = json!({
        "version": format!("{VERSION}-RELEASE"),
        "api": "3",
        "hostname": host(&ask.base_url),
    });
    Ok(answer::ok(&Envelope::new("ServerConfig", data, &marti.config.node_id)))
}

/// The version in parts.
pub(crate) async fn version_info<P: PackageStore>(
    marti: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    let mut parts = VERSION.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    Ok(answer::ok(&json!({
        "major": next(),
        "minor": next(),
        "patch": next(),
        "branch": "RELEASE",
        "variant": marti.config.server_name,
    })))
}

/// The identity of the server.
pub(crate) async fn node_id<P: PackageStore>(
    marti: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Ok(answer::text(marti.config.node_id.clone()))
}

/// Where a person would begin.
pub(crate) async fn home<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Ok(answer::text("/index.html"))
}

/// The server's clock.
pub(crate) async fn get_time<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Ok(answer::ok(&json!({ "time": time::now_ms().to_string() })))
}

/// The host that a client names this server by, without the port.
fn host(base_url: &str) -> String {
    let authority = base_url.split_once("://").map_or(base_url, |(_, authority)| authority);
    let authority = authority.split('/').next().unwrap_or_default();
    authority.parse::<Authority>().map_or_else(|_| String::new(), |read| read.host().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_has_no_port() {
        assert_eq!(host("http://10.1.2.3:8080"), "10.1.2.3");
        assert_eq!(host("https://tak.example.org"), "tak.example.org");
        assert_eq!(host("http://[fd00::1]:8080"), "[fd00::1]");
        assert_eq!(host("https://tak.example.org/tak"), "tak.example.org");
    }
}
