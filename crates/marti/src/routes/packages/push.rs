//! Packages that the server itself sends: a notice of a file to a contact (marti-api A.14).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use relay::ClientInfo;
use serde_json::json;
use store::packages::{DataPackage, PackageStore, Viewer};

use super::{absent, disposition, hash_of, url};
use crate::MartiConfig;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::error::ApiError;
use crate::markup::escaped;
use crate::service::Inner;
use crate::sight::Sight;
use crate::time;

/// For how long a notice is worth acting on: for a contact that is away for a moment. Milliseconds.
const STALE_MS: i64 = 300_000;

/// Has a contact told that a package is there for it.
pub(crate) async fn push<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    ask.discard().await;
    let hash = hash_of(ask.param("hash"))?;
    let missing = || ApiError::BadRequest("there must be a callsign or uid in `to`".to_owned());
    let to = ask.query.get("to").ok_or_else(missing)?;
    let package = marti.packages.find(hash, &Viewer::Everything).await?;
    let package = package.ok_or_else(|| absent(hash))?;
    let client = addressee(marti.relay.clients(), to)
        .ok_or_else(|| ApiError::NotFound(format!("nobody called {to} is connected")))?;
    let policy = marti.relay.policy();
    if !policy.is_open() {
        let team = match client.team.as_str() {
            "" => policy.default_team().unwrap_or_default(),
            team => team,
        };
        let sight = Sight::Teams([team.to_owned()].into());
        let viewer = sight.viewer(&marti.relay);
        // Another entry of the same content may be for the contact's team.
        if marti.packages.find(hash, &viewer).await?.is_none() {
            return Err(ApiError::Conflict(format!("the package is not for the team of {to}")));
        }
    }
    let base_url = base_url(&marti.config, &client).ok_or_else(|| {
        let text = "the address of this server is not known; set `public_url`";
        ApiError::Conflict(text.to_owned())
    })?;
    let url = url(&base_url, hash);
    let number = marti.shared.packages.pushes.fetch_add(1, Ordering::Relaxed);
    let event = notice(&marti.config, &package, &client, &url, time::now_ms(), number);
    let submitted = marti
        .relay
        .submit_as_operator(event.as_bytes())
        .map_err(|error| ApiError::Internal(format!("the notice could not be sent: {error}")))?;
    Ok(answer::ok(&json!({ "sent": submitted.reached, "held": submitted.held, "url": url })))
}

/// How many notices were sent.
pub(super) type Pushes = AtomicU64;

/// The client that a text names: by UID, or else by callsign the one that was here first.
fn addressee(clients: Vec<ClientInfo>, to: &str) -> Option<ClientInfo> {
    let mut named: Vec<_> = clients
        .into_iter()
        .filter(|client| !client.uid.is_empty() && (client.uid == to || client.callsign == to))
        .collect();
    named.sort_by_key(|client| (client.uid != to, std::cmp::Reverse(client.connected_ms)));
    named.into_iter().next()
}

/// How a client reaches this server over HTTP: at the address where its own connection came in,
/// unless there is a public one.
fn base_url(config: &MartiConfig, client: &ClientInfo) -> Option<String> {
    if let Some(public) = &config.public_url {
        return Some(public.clone());
    }
    let ip = client.local_addr?.ip().to_canonical();
    (!ip.is_unspecified()).then(|| format!("http://{}", SocketAddr::new(ip, config.http_port)))
}

/// The event that tells a client of a file. Receivers need every one of its attributes.
fn notice(
    config: &MartiConfig,
    package: &DataPackage,
    client: &ClientInfo,
    url: &str,
    now_ms: i64,
    number: u64,
) -> String {
    let hash = package.hash.to_string();
    let uid = format!("{}.{hash}.{now_ms}.{number}", config.node_id);
    let (now, stale) = (time::text(now_ms), time::text(now_ms.saturating_add(STALE_MS)));
    let filename = disposition::safe_name(&package.filename, &hash);
    format!(
        "<event version=\"2.0\" uid=\"{uid}\" type=\"b-f-t-r\" how=\"h-e\" time=\"{now}\" \
         start=\"{now}\" stale=\"{stale}\">\
         <point lat=\"0.0\" lon=\"0.0\" hae=\"9999999.0\" ce=\"9999999.0\" le=\"9999999.0\"/>\
         <detail><fileshare filename=\"{filename}\" senderUrl=\"{url}\" sizeInBytes=\"{size}\" \
         sha256=\"{hash}\" senderUid=\"{node}\" senderCallsign=\"{server}\" name=\"{name}\"/>\
         <ackrequest uid=\"{uid}.ack\" ackrequested=\"false\" tag=\"{name}\"/>\
         <marti><dest uid=\"{to}\"/></marti></detail></event>",
        uid = escaped(&uid),
        filename = escaped(&filename),
        url = escaped(url),
        size = package.size,
        node = escaped(&config.node_id),
        server = escaped(&config.server_name),
        name = escaped(&package.name),
        to = escaped(&client.uid),
    )
}
