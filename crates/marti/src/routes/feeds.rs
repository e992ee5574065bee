//! Video feeds, which clients show each other (marti-api B.8): one registry, as the XML list that
//! ATAK knows and as the JSON of later clients. The server carries no video itself.

mod file;
mod forms;
mod model;
mod registry;
mod vcm;

use std::sync::Arc;

use http::{StatusCode, header};
use serde_json::Value;
use store::packages::PackageStore;

use self::forms::Form;
use self::model::Connection;
use self::registry::{Changer, Registry, Row, Rows};
use super::groups;
use crate::Body;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::error::ApiError;
use crate::service::Inner;
use crate::sight::Sight;

/// Bytes of a request about feeds.
const MAX_BODY: usize = 256 << 10;

/// What is kept between requests.
#[derive(Debug)]
pub(crate) struct Shared {
    registry: Arc<Registry>,
}

impl Shared {
    pub(crate) fn new(config: &crate::MartiConfig) -> Self {
        Self { registry: Arc::new(Registry::new(config.feeds_file.clone())) }
    }
}

/// All feeds that are switched on, as XML.
pub(crate) async fn vcm<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    // iTAK takes the address for the whole URL.
    let agent = ask.header(header::USER_AGENT).unwrap_or_default();
    let has_whole_urls = agent.to_ascii_lowercase().contains("itak");
    let form = if has_whole_urls { Form::Itak } else { Form::Atak };
    Ok(answer::of(StatusCode::OK, answer::XML, list(&marti, &ask, form, None)?))
}

/// Takes feeds as XML, each new or in place of the one with its uid.
pub(crate) async fn add_vcm<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let body = ask.bytes(MAX_BODY).await?;
    let changer = changer(&marti, &ask)?;
    let put = move |rows: &mut Rows| {
        let feeds = vcm::read(&String::from_utf8_lossy(&body))
            .map_err(|why| ApiError::BadRequest(format!("no list of video connections: {why}")))?;
        feeds.into_iter().try_for_each(|feed| registry::put_feed(rows, feed, &changer))
    };
    marti.shared.feeds.registry.change(put).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// Forgets a feed: the one whose uid is `id` or `uid`.
pub(crate) async fn remove_vcm<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let uid = ["id", "uid"].into_iter().find_map(|name| ask.query.get(name)).map(str::to_owned);
    let Some(uid) = uid else {
        return Err(ApiError::BadRequest("`id` is missing".to_owned()));
    };
    let changer = changer(&marti, &ask)?;
    let remove = move |rows: &mut Rows| registry::remove_feed(rows, &uid, &changer);
    marti.shared.feeds.registry.change(remove).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// All feeds as JSON; with `protocol` those that are reached by it.
pub(crate) async fn list_feeds<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let list = list(&marti, &ask, Form::Json, ask.query.get("protocol"))?;
    Ok(answer::of(StatusCode::OK, answer::JSON, list))
}

/// Takes feeds as JSON, each new or in place of the one with its uuid.
pub(crate) async fn add<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let body = ask.bytes(MAX_BODY).await?;
    let changer = changer(&marti, &ask)?;
    // Read in its turn only: in memory it is many times larger.
    let put = move |rows: &mut Rows| {
        let mut uuids = Vec::new();
        for connection in read_connections(&body)? {
            // Of those with the same uuid the last stays.
            uuids.retain(|uuid| *uuid != connection.uuid);
            uuids.push(connection.uuid.clone());
            registry::put(rows, connection, &changer)?;
        }
        Ok(uuids.iter().filter_map(|uuid| rows.get(uuid).cloned()).collect())
    };
    let added = marti.shared.feeds.registry.change(put).await?;
    // It is done, whether there is room to say so at length or not.
    Ok(match marti.shared.feeds.registry.show(&marti.budget, ask.caller.addr) {
        Ok(shown) => {
            answer::of(StatusCode::OK, answer::JSON, forms::list(added, Form::Json, shown))
        }
        Err(_) => answer::empty(StatusCode::OK),
    })
}

/// One connection as JSON.
pub(crate) async fn one<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let changer = changer(&marti, &ask)?;
    let rows = marti.shared.feeds.registry.rows();
    Ok(as_json(registry::find(&rows, ask.param("uuid"), &changer)?))
}

/// Puts a connection in the place of one there is.
pub(crate) async fn replace<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let uuid = ask.param("uuid").to_owned();
    let body = ask.bytes(MAX_BODY).await?;
    let changer = changer(&marti, &ask)?;
    let replace = move |rows: &mut Rows| {
        let body = read_json(&body)?;
        let connection = Connection::read(body, Some(&uuid)).map_err(ApiError::BadRequest)?;
        registry::find(rows, &uuid, &changer)?;
        registry::put(rows, connection, &changer)?;
        Ok(as_json(registry::find(rows, &uuid, &changer)?))
    };
    marti.shared.feeds.registry.change(replace).await
}

/// Forgets a connection.
pub(crate) async fn remove<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let uuid = ask.param("uuid").to_owned();
    let changer = changer(&marti, &ask)?;
    let remove = move |rows: &mut Rows| registry::remove(rows, &uuid, &changer);
    marti.shared.feeds.registry.change(remove).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// `{"videoConnections":[…]}`, or one connection alone.
fn read_connections(body: &[u8]) -> Result<Vec<Connection>, ApiError> {
    let mut body = read_json(body)?;
    match body.get_mut("videoConnections").map(Value::take) {
        Some(Value::Array(list)) => {
            list.into_iter().map(|one| Connection::read(one, None)).collect::<Result<_, _>>()
        }
        Some(_) => Err("`videoConnections` is no list".to_owned()),
        None => Connection::read(body, None).map(|one| vec![one]),
    }
    .map_err(|why| not_connections(&why))
}

fn read_json(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|error| not_connections(&error.to_string()))
}

fn not_connections(why: &str) -> ApiError {
    ApiError::BadRequest(format!("no video connections: {why}"))
}

/// Who asks, and for whom their feeds are: for the teams that `group` names, among those the caller
/// is in, else for all of these.
fn changer<P: PackageStore>(marti: &Inner<P>, ask: &Ask) -> Result<Changer, ApiError> {
    let sight = Sight::of(ask, &marti.relay);
    let named: Vec<_> =
        ask.query.list("group").filter(|group| *group != groups::EVERYONE).collect();
    if let Some(foreign) = named.iter().find(|group| !sight.is_in(group)) {
        return Err(ApiError::Forbidden(format!("the team {foreign} is not yours")));
    }
    let teams = match &sight {
        _ if !named.is_empty() => Some(named.into_iter().map(str::to_owned).collect()),
        Sight::Everything => None,
        Sight::Teams(teams) => Some(teams.clone()),
    };
    Ok(Changer {
        caller: ask.caller.clone(),
        viewer: sight.relay_viewer(),
        policy: marti.relay.policy(),
        teams,
    })
}

/// The connections that the caller may see, with `protocol` those that are reached by it.
fn list<P: PackageStore>(
    marti: &Inner<P>,
    ask: &Ask,
    form: Form,
    protocol: Option<&str>,
) -> Result<Body, ApiError> {
    let changer = changer(marti, ask)?;
    let shown = marti.shared.feeds.registry.show(&marti.budget, ask.caller.addr)?;
    let is_wanted = |row: &Row| protocol.is_none_or(|one| row.connection.has_protocol(one));
    let rows = shown.rows.values().filter(|row| is_wanted(row) && changer.sees(row));
    let rows = rows.cloned().collect();
    Ok(forms::list(rows, form, shown))
}

/// One connection, in the form that all who ask share.
fn as_json(row: &Row) -> Answer {
    answer::of(StatusCode::OK, answer::JSON, Body::whole(row.forms().get(Form::Json).clone()))
}
