//! Which feeds there are, whose they are, and who may see them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use relay::{TeamPolicy, Viewer};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::file;
use super::forms::Forms;
use super::model::{Connection, Feed};
use crate::budget::{Budget, Room};
use crate::error::ApiError;
use crate::{Caller, Role};

/// Most connections.
const MAX_CONNECTIONS: usize = 1000;

/// Largest connection, in its largest form. Bytes.
const MAX_CONNECTION_BYTES: usize = 64 << 10;

/// All connections, each in its largest form: so no answer has more. Bytes.
const MAX_BYTES: usize = 1 << 20;

/// Time to wait for the changes of others to be kept.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections by uuid.
pub(super) type Rows = BTreeMap<String, Arc<Row>>;

/// A connection, whose it is, and for whom.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) connection: Connection,
    owner: Owner,
    /// The teams it is for; everybody if there are none named.
    teams: Option<BTreeSet<String>>,
    #[serde(skip)]
    forms: Forms,
    /// Bytes of its largest form, of which the one in the file is one.
    #[serde(skip)]
    size: usize,
}

impl Row {
    fn new(connection: Connection, owner: Owner, teams: Option<BTreeSet<String>>) -> Self {
        Self { connection, owner, teams, forms: Forms::default(), size: 0 }.written()
    }

    /// The same with its forms, which a file does not have.
    fn written(mut self) -> Self {
        self.forms = Forms::of(&self.connection);
        let kept = serde_json::to_vec(&self).map_or(usize::MAX, |json| json.len());
        self.size = self.forms.largest().max(kept);
        self
    }

    pub(super) fn forms(&self) -> &Forms {
        &self.forms
    }
}

/// Who may change a connection, besides the operator: a user, or where nobody is asked for a name,
/// whoever comes from an address.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Owner {
    user: Option<String>,
    addr: Option<IpAddr>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Changer {
    pub(super) caller: Caller,
    pub(super) viewer: Viewer,
    pub(super) policy: TeamPolicy,
    /// For whom their feeds are.
    pub(super) teams: Option<BTreeSet<String>>,
}

impl Changer {
    /// Whether they may see a connection: it is for everybody, for a team whose events reach them, or
    /// their own.
    pub(super) fn sees(&self, row: &Row) -> bool {
        let Some(teams) = &row.teams else { return true };
        teams.iter().any(|team| self.viewer.sees(&self.policy, team)) || self.owns(row)
    }

    fn owns(&self, row: &Row) -> bool {
        let Caller { role, user, addr, .. } = &self.caller;
        let is_owner = match (&row.owner.user, user) {
            (Some(owner), Some(user)) => owner == user,
            (None, None) => addr.is_some() && row.owner.addr == *addr,
            _ => false,
        };
        *role == Role::Operator || is_owner
    }

    fn may_change(&self, row: &Row) -> Result<(), ApiError> {
        if self.owns(row) {
            return Ok(());
        }
        Err(ApiError::Forbidden("this feed is somebody else's".to_owned()))
    }

    fn owner(&self) -> Owner {
        Owner { user: self.caller.user.clone(), addr: self.caller.addr }
    }
}

/// A connection that somebody may see.
pub(super) fn find<'a>(rows: &'a Rows, uuid: &str, who: &Changer) -> Result<&'a Row, ApiError> {
    rows.get(uuid).map(|row| &**row).filter(|row| who.sees(row)).ok_or_else(absent)
}

/// Puts a connection in, new or in the place of its former self, for those whom that was for.
pub(super) fn put(rows: &mut Rows, connection: Connection, who: &Changer) -> Result<(), ApiError> {
    let (owner, teams) = match rows.get(&connection.uuid) {
        Some(former) => {
            who.may_change(former)?;
            (former.owner.clone(), former.teams.clone())
        }
        None if rows.len() >= MAX_CONNECTIONS => return Err(full()),
        None => (who.owner(), who.teams.clone()),
    };
    let row = Row::new(connection, owner, teams);
    if row.forms.largest() > MAX_CONNECTION_BYTES {
        let text = format!("a video connection has no more than {MAX_CONNECTION_BYTES} bytes");
        return Err(ApiError::TooLarge(text));
    }
    rows.insert(row.connection.uuid.clone(), Arc::new(row));
    Ok(())
}

/// Forgets a connection.
pub(super) fn remove(rows: &mut Rows, uuid: &str, who: &Changer) -> Result<(), ApiError> {
    who.may_change(find(rows, uuid, who)?)?;
    rows.remove(uuid);
    Ok(())
}

/// Puts a single feed in: in the place of the one with its uid, wherever that is, or as a connection
/// of its own.
pub(super) fn put_feed(rows: &mut Rows, feed: Feed, who: &Changer) -> Result<(), ApiError> {
    let Some(mut connection) = connection_of(rows, &feed.uuid, who) else {
        return put(rows, Connection::of(feed), who);
    };
    if let [only] = connection.feeds.as_slice()
        && only.uuid == connection.uuid
    {
        feed.alias.clone_into(&mut connection.alias);
    }
    if let Some(former) = connection.feeds.iter_mut().find(|former| former.uuid == feed.uuid) {
        former.take_over(feed);
    }
    put(rows, connection, who)
}

/// Forgets a single feed, and its connection with the last of them.
pub(super) fn remove_feed(rows: &mut Rows, uid: &str, who: &Changer) -> Result<(), ApiError> {
    let mut connection = connection_of(rows, uid, who).ok_or_else(absent)?;
    connection.feeds.retain(|feed| feed.uuid != uid);
    if connection.feeds.is_empty() {
        return remove(rows, &connection.uuid, who);
    }
    put(rows, connection, who)
}

/// The connection with a feed of this uid; one's own before those of others.
fn connection_of(rows: &Rows, uid: &str, who: &Changer) -> Option<Connection> {
    let has_it = |row: &&Arc<Row>| row.connection.feeds.iter().any(|feed| feed.uuid == uid);
    let mut found = rows.values().filter(|row| who.sees(row)).filter(has_it);
    let first = found.clone().next()?;
    Some(found.find(|row| who.owns(row)).unwrap_or(first).connection.clone())
}

fn absent() -> ApiError {
    ApiError::NotFound("there is no such feed".to_owned())
}

fn full() -> ApiError {
    ApiError::Full("there are as many feeds as the server keeps".to_owned())
}

/// Connections as they were when somebody began to read them.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) rows: Arc<Rows>,
    _room: Room,
}

/// The feeds, in memory and in a file.
#[derive(Debug)]
pub(super) struct Registry {
    file: Option<PathBuf>,
    rows: Mutex<Arc<Rows>>,
    /// What is being read, as long as somebody reads it.
    shown: Mutex<Weak<Shown>>,
    /// One change at a time.
    turn: Arc<Semaphore>,
}

impl Registry {
    /// Reads the file, if there is one.
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        let rows = file.as_deref().map(file::load).unwrap_or_default();
        let count = rows.len();
        let mut spare = MAX_BYTES;
        let fits = |row: &Row| {
            let left = spare.checked_sub(row.size);
            spare = left.unwrap_or(spare);
            left.is_some()
        };
        let by_uuid = |row: Row| (row.connection.uuid.clone(), Arc::new(row));
        let rows = rows.into_iter().map(Row::written).filter(fits);
        let rows: Rows = rows.take(MAX_CONNECTIONS).map(by_uuid).collect();
        if rows.len() < count {
            tracing::warn!(kept = rows.len(), count, "there are more video feeds than fit");
        }
        let (rows, turn) = (Mutex::new(Arc::new(rows)), Arc::new(Semaphore::new(1)));
        Self { file, rows, shown: Mutex::default(), turn }
    }

    /// What there is now.
    pub(super) fn rows(&self) -> Arc<Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What there is now, for a reader. It is counted once for all who read the same, so however many
    /// do not take it, and however often it changes meanwhile, it costs no more than the budget.
    ///
    /// # Errors
    ///
    /// When too much is being read.
    pub(super) fn show(
        &self,
        budget: &Budget,
        addr: Option<IpAddr>,
    ) -> Result<Arc<Shown>, ApiError> {
        let rows = self.rows();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shown) = shown.upgrade().filter(|shown| Arc::ptr_eq(&shown.rows, &rows)) {
            return Ok(shown);
        }
        let mut room = budget.room(addr);
        if !room.grow(rows.values().map(|row| row.forms.total()).sum()) {
            return Err(ApiError::too_much());
        }
        let new = Arc::new(Shown { rows, _room: room });
        *shown = Arc::downgrade(&new);
        Ok(new)
    }

    /// Changes what there is. It is in the file when this returns, whoever asked being still there or
    /// not; if it cannot be, nothing has changed.
    ///
    /// # Errors
    ///
    /// Those of `edit`, no room, or a file that cannot be written.
    pub(super) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        edit: impl FnOnce(&mut Rows) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let Ok(Ok(turn)) = timeout(PATIENCE, self.turn.clone().acquire_owned()).await else {
            return Err(ApiError::Unavailable("others are changing feeds; try later".to_owned()));
        };
        let registry = self.clone();
        let changed = tokio::task::spawn_blocking(move || {
            let mut rows = (*registry.rows()).clone();
            let done = edit(&mut rows)?;
            registry.keep(&rows)?;
            *registry.rows.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(rows);
            drop(turn);
            Ok(done)
        });
        changed.await.unwrap_or_else(|_| Err(ApiError::Internal("the change failed".to_owned())))
    }

    fn keep(&self, rows: &Rows) -> Result<(), ApiError> {
        if rows.values().map(|row| row.size).sum::<usize>() > MAX_BYTES {
            return Err(full());
        }
        let Some(path) = &self.file else { return Ok(()) };
        let bytes = file::encode(rows.values().map(|row| &**row));
        file::replace(path, &bytes).map_err(|error| {
            tracing::error!(%error, path = %path.display(), "video feeds cannot be kept");
            if error.kind() == std::io::ErrorKind::StorageFull {
                return ApiError::Full("the server's disk is full".to_owned());
            }
            ApiError::Internal("the feed cannot be kept; the server's log says why".to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changer(addr: [u8; 4], team: &str) -> Changer {
        Changer {
            caller: Caller::plain(addr.into()),
            viewer: Viewer::team(team),
            policy: TeamPolicy::isolated(),
            teams: Some([team.to_owned()].into()),
        }
    }

    fn feed(uid: &str, url: &str) -> Feed {
        Feed::new(uid.to_owned(), "Cam".to_owned(), url.to_owned())
    }

    #[test]
    fn a_feed_is_its_owners_and_seen_by_the_team() {
        let (red, other_red) = (changer([1, 1, 1, 1], "Red"), changer([1, 1, 1, 2], "Red"));
        let blue = changer([2, 2, 2, 2], "Blue");
        let mut rows = Rows::new();
        put_feed(&mut rows, feed("c", "rtsp://h/1"), &red).unwrap();
        assert!(find(&rows, "c", &red).is_ok() && find(&rows, "c", &other_red).is_ok());
        assert!(matches!(find(&rows, "c", &blue), Err(ApiError::NotFound(_))));
        let taken = put_feed(&mut rows, feed("c", "rtsp://evil/1"), &other_red);
        assert!(matches!(taken, Err(ApiError::Forbidden(_))));
        assert!(matches!(
            put_feed(&mut rows, feed("c", "rtsp://evil/1"), &blue),
            Err(ApiError::Forbidden(_))
        ));
        assert!(matches!(remove(&mut rows, "c", &other_red), Err(ApiError::Forbidden(_))));
        assert!(matches!(remove_feed(&mut rows, "c", &blue), Err(ApiError::NotFound(_))));
        put_feed(&mut rows, feed("c", "rtsp://h/2"), &red).unwrap();
        assert_eq!(rows["c"].connection.feeds[0].url, "rtsp://h/2");
        let operator = Changer { caller: Caller::operator(), ..blue };
        remove_feed(&mut rows, "c", &operator).unwrap();
        assert!(rows.is_empty());
    }

    #[test]
    fn users_own_what_is_theirs_wherever_they_are() {
        let mut user = changer([1, 1, 1, 1], "Red");
        user.caller = Caller::user("amy", ["Red"]);
        let mut rows = Rows::new();
        put_feed(&mut rows, feed("c", "rtsp://h/1"), &user).unwrap();
        let mut bob = user.clone();
        bob.caller = Caller::user("bob", ["Red"]);
        assert!(remove(&mut rows, "c", &bob).is_err());
        assert!(remove(&mut rows, "c", &changer([1, 1, 1, 1], "Red")).is_err());
        remove(&mut rows, "c", &user).unwrap();
    }

    #[test]
    fn a_feed_of_a_connection_is_changed_where_it_is() {
        let who = changer([1, 1, 1, 1], "Red");
        let json = serde_json::json!({
            "uuid": "v", "alias": "Drone", "feeds": [
                { "uuid": "f1", "alias": "hi", "url": "rtsp://h/1", "fov": "60" },
                { "uuid": "f2", "alias": "lo", "url": "rtsp://h/2" },
            ],
        });
        let mut rows = Rows::new();
        put(&mut rows, Connection::read(json, None).unwrap(), &who).unwrap();
        put_feed(&mut rows, feed("f1", "rtsp://h/3"), &who).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows["v"].connection.alias, "Drone");
        assert_eq!(rows["v"].connection.feeds[0].url, "rtsp://h/3");
        remove_feed(&mut rows, "f1", &who).unwrap();
        assert_eq!(rows["v"].connection.feeds.len(), 1);
        remove_feed(&mut rows, "f2", &who).unwrap();
        assert!(rows.is_empty());
    }

    #[tokio::test]
    async fn there_is_an_end_to_feeds() {
        let who = changer([1, 1, 1, 1], "Red");
        let registry = Arc::new(Registry::new(None));
        let fill = who.clone();
        registry
            .change(move |rows| {
                (0..MAX_CONNECTIONS)
                    .try_for_each(|at| put_feed(rows, feed(&at.to_string(), "udp://h"), &fill))
            })
            .await
            .unwrap();
        let more = who.clone();
        let one_more = registry.change(move |rows| put_feed(rows, feed("x", "udp://h"), &more));
        assert!(matches!(one_more.await, Err(ApiError::Full(_))));
        let large = "u".repeat(MAX_CONNECTION_BYTES);
        let too_large = registry.change({
            let who = who.clone();
            move |rows| put_feed(rows, feed("1", &large), &who)
        });
        assert!(matches!(too_large.await, Err(ApiError::TooLarge(_))));
        let long = "u".repeat(MAX_CONNECTION_BYTES / 2);
        let all = registry.change(move |rows| {
            (0..MAX_BYTES / long.len())
                .try_for_each(|at| put_feed(rows, feed(&at.to_string(), &long), &who))
        });
        assert!(matches!(all.await, Err(ApiError::Full(_))));
        assert_eq!(registry.rows()["1"].connection.feeds[0].url, "udp://h", "nothing has changed");
    }
}
