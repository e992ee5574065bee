//! Packages that the server itself sends: a notice of a file to a contact (marti-api A.14).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use relay::{ClientInfo, EndpointInfo};
use serde_json::json;
use store::StoreError;
use store::packages::{ContentHash, DataPackage, PackageStore, Viewer};

use super::{absent, describe, disposition, hash_of, url};
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

/// The same for a contact that has left, for whom the notice is held. Milliseconds.
const AWAY_STALE_MS: i64 = 24 * 3600 * 1000;

/// Says whom a push would tell, what team they are in, whether the package is there for them, and
/// whether it would be if the operator uploaded it as the parameters of the request say.
pub(crate) async fn addressee<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let hash = hash_of(ask.param("hash"))?;
    let addressee = Addressee::of(&marti, &ask)?;
    let audience = describe::audience(&ask, &Sight::of(&ask, &marti.relay))?;
    let shared = addressee.find(&marti, hash).await?;
    Ok(answer::ok(&json!({
        "uid": addressee.uid,
        "callsign": addressee.callsign,
        "isHere": addressee.is_here,
        // Where everyone sees everyone, nobody needs a package of their own team.
        "team": (!marti.relay.policy().is_open()).then_some(&addressee.team),
        "isShared": shared.is_some_and(|package| !package.is_damaged),
        "wouldBeShared": audience.includes(&addressee.viewer(&marti)),
    })))
}

/// Has a contact told that a package is there for it, now or on its return.
pub(crate) async fn push<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let hash = hash_of(ask.param("hash"))?;
    let to = Addressee::of(&marti, &ask)?;
    marti.packages.find(hash, &Viewer::Everything).await?.ok_or_else(|| absent(hash))?;
    let package = to.find(&marti, hash).await?.ok_or_else(|| {
        ApiError::Conflict(format!("the package is not for the team of {}", to.callsign))
    })?;
    if package.is_damaged {
        return Err(StoreError::Damaged { hash }.into());
    }
    let url = url(&to.base_url, hash);
    let number = marti.shared.packages.pushes.fetch_add(1, Ordering::Relaxed);
    let event = notice(&marti.config, &package, &to, &url, time::now_ms(), number);
    let submitted = marti
        .relay
        .submit_as_operator(event.as_bytes(), &marti.config.node_id)
        .map_err(|error| ApiError::Internal(format!("the notice could not be sent: {error}")))?;
    Ok(answer::ok(&json!({ "sent": submitted.reached, "held": submitted.held, "url": url })))
}

/// How many notices were sent.
pub(super) type Pushes = AtomicU64;

/// Who is to be told.
struct Addressee {
    uid: String,
    callsign: String,
    /// The team that counts: the default one for who named none.
    team: String,
    is_here: bool,
    /// How they reach this server over HTTP.
    base_url: String,
}

impl Addressee {
    /// The contact that `to` names: by UID, or else by callsign the one that was here first; or who
    /// was here last, of those who are away.
    fn of<P: PackageStore>(marti: &Inner<P>, ask: &Ask) -> Result<Self, ApiError> {
        let missing = || ApiError::BadRequest("there must be a callsign or uid in `to`".to_owned());
        let to = ask.query.get("to").filter(|to| !to.is_empty()).ok_or_else(missing)?;
        let clients = marti.relay.clients();
        let here = here(&clients, to);
        let away = if here.is_none() { away(marti.relay.known_contacts(), to) } else { None };
        let (uid, callsign, team) = match (here, &away) {
            (Some(client), _) => (&*client.uid, &*client.callsign, &*client.team),
            (None, Some(known)) => (&*known.uid, &*known.callsign, &*known.team),
            (None, None) => {
                return Err(ApiError::NotFound(format!("nobody called {to} has been here")));
            }
        };
        let base_url = base_url(&marti.config, here, &clients).ok_or_else(|| {
            let text = "the address at which clients reach this server is not known; set \
                        `public_url`";
            ApiError::Conflict(text.to_owned())
        })?;
        let policy = marti.relay.policy();
        let team = if team.is_empty() { policy.default_team().unwrap_or_default() } else { team };
        Ok(Self {
            uid: uid.to_owned(),
            callsign: callsign.to_owned(),
            team: team.to_owned(),
            is_here: here.is_some(),
            base_url,
        })
    }

    /// The package as this contact sees it. Another entry of the same content than the operator's
    /// may be for its team.
    async fn find<P: PackageStore>(
        &self,
        marti: &Inner<P>,
        hash: ContentHash,
    ) -> Result<Option<DataPackage>, ApiError> {
        Ok(marti.packages.find(hash, &self.viewer(marti)).await?)
    }

    /// What of the packages this contact sees.
    fn viewer<P: PackageStore>(&self, marti: &Inner<P>) -> Viewer {
        if marti.relay.policy().is_open() {
            Viewer::Everything
        } else {
            Sight::Teams([self.team.clone()].into()).viewer(&marti.relay)
        }
    }
}

fn here<'a>(clients: &'a [ClientInfo], to: &str) -> Option<&'a ClientInfo> {
    clients
        .iter()
        .filter(|client| !client.uid.is_empty() && (client.uid == to || client.callsign == to))
        .min_by_key(|client| (client.uid != to, std::cmp::Reverse(client.connected_ms)))
}

fn away(known: Vec<EndpointInfo>, to: &str) -> Option<EndpointInfo> {
    known
        .into_iter()
        .filter(|known| !known.uid.is_empty() && (&*known.uid == to || &*known.callsign == to))
        .max_by_key(|known| (&*known.uid == to, known.seen_ms))
}

/// How a client reaches this server over HTTP: at the address where its own connection came in,
/// unless there is a public one. For who has none, that of another's: rather one that other
/// machines reach, too.
fn base_url(
    config: &MartiConfig,
    client: Option<&ClientInfo>,
    all: &[ClientInfo],
) -> Option<String> {
    if let Some(public) = &config.public_url {
        return Some(public.clone());
    }
    let ip = |client: &ClientInfo| {
        let ip = client.local_addr?.ip().to_canonical();
        (!ip.is_unspecified()).then_some(ip)
    };
    let ip = match client {
        Some(client) => ip(client),
        None => all.iter().filter_map(ip).min_by_key(IpAddr::is_loopback),
    };
    ip.map(|ip| format!("http://{}", SocketAddr::new(ip, config.http_port)))
}

/// The event that tells a client of a file. Receivers need every one of its attributes.
fn notice(
    config: &MartiConfig,
    package: &DataPackage,
    to: &Addressee,
    url: &str,
    now_ms: i64,
    number: u64,
) -> String {
    let hash = package.hash.to_string();
    let uid = format!("{}.{hash}.{now_ms}.{number}", config.node_id);
    let stale_ms = if to.is_here { STALE_MS } else { AWAY_STALE_MS };
    let (now, stale) = (time::text(now_ms), time::text(now_ms.saturating_add(stale_ms)));
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
        to = escaped(&to.uid),
    )
}
