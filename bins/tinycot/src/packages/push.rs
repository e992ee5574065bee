//! `push`: a package that the server has contacts download.

use super::add::Parcel;
use super::args::{DescribeArgs, PushArgs};
use super::error::PackageError;
use super::names::{Selector, named};
use super::place::Place;
use super::row::listed;
use super::server::{Addressee, Server};
use super::{Variables, complain, say, teams};
use crate::error::{Failure, chain};

/// Runs `tinycot package push`.
pub(super) fn push(args: &PushArgs, variable: Variables<'_>) -> Result<(), Failure> {
    let is_path = args.what.symlink_metadata().is_ok();
    if !is_path && is_described(&args.describe) {
        return Err(PackageError::NoEffect { what: args.what.clone() }.into());
    }
    // What cannot be sent is told before a server is looked for.
    let parcel = is_path.then(|| Parcel::of(&args.what, &args.describe)).transpose()?;
    let place = Place::open(&args.place, variable)?;
    let server = place.server()?;
    teams::warn(&place, &args.describe.team);
    let hash = match &parcel {
        Some(parcel) => parcel.hash.clone(),
        None => find(&place, &args.what.to_string_lossy())?,
    };

    let mut sending = Sending::default();
    let mut addressees: Vec<Addressee> = Vec::new();
    for to in &args.to {
        let addressee = server.addressee(&hash, to, &args.describe.team);
        let addressee = sending.tried(to, addressee)?;
        // By whatever name, everyone is told once.
        let is_new = |new: &Addressee| addressees.iter().all(|known| known.uid != new.uid);
        addressees.extend(addressee.filter(is_new));
    }
    if let Some(parcel) = parcel {
        // What one of them could not download is not uploaded for them.
        let mut able = Vec::new();
        for addressee in addressees {
            let checked = check(&addressee, &args.describe.team);
            able.extend(sending.tried(&addressee.callsign, checked)?.map(|()| addressee));
        }
        addressees = able;
        if !addressees.is_empty() {
            share(parcel, &place, &args.describe, &addressees)?;
        }
    }
    for addressee in &addressees {
        let told = tell(server, &hash, addressee);
        if let Some(said) = sending.tried(&addressee.callsign, told)? {
            say(&said)?;
        }
    }
    sending.end(args.to.len())
}

fn is_described(describe: &DescribeArgs) -> bool {
    let DescribeArgs { name, team, keywords, expires, as_is } = describe;
    name.is_some() || !team.is_empty() || !keywords.is_empty() || expires.is_some() || *as_is
}

/// The package that a text means: by its hash, or else by its name.
fn find(place: &Place, what: &str) -> Result<String, PackageError> {
    if let Ok(selector) = Selector::parse(what) {
        match selector.pick(&place.list(None)?) {
            Ok(row) => return Ok(row.hash.clone()),
            Err(PackageError::NoPackage(_)) => {}
            Err(error) => return Err(error),
        }
    }
    named(what, &place.list(Some(what))?).map(|row| row.hash.clone())
}

/// Refuses a contact who cannot download the package now, and could not if it were uploaded for these
/// teams, or for the contact's own if there are none.
fn check(to: &Addressee, teams: &[String]) -> Result<(), PackageError> {
    let callsign = to.callsign.clone();
    match to.team.as_deref() {
        _ if to.is_shared => Ok(()),
        Some("") if teams.is_empty() || !to.would_be_shared => {
            Err(PackageError::NoTeam { callsign })
        }
        Some(team) if !to.would_be_shared => {
            Err(PackageError::OtherTeam { callsign, team: team.to_owned(), teams: listed(teams) })
        }
        _ => Ok(()),
    }
}

/// Uploads a package for those who cannot have it yet. What is shared already remains as it is.
fn share(
    parcel: Parcel,
    place: &Place,
    describe: &DescribeArgs,
    addressees: &[Addressee],
) -> Result<(), Failure> {
    let others = || addressees.iter().filter(|addressee| !addressee.is_shared);
    if others().next().is_none() {
        return parcel.say_shared();
    }
    let mut teams = describe.team.clone();
    if teams.is_empty() {
        teams.extend(others().filter_map(|addressee| addressee.team.clone()));
        teams.sort();
        teams.dedup();
    }
    parcel.upload(place, describe, &teams)
}

fn tell(server: &Server, hash: &str, to: &Addressee) -> Result<String, PackageError> {
    let sent = server.push(hash, &to.uid)?;
    let callsign = &to.callsign;
    match (sent.sent, sent.held) {
        (0, 0) => Err(PackageError::Untold),
        (0, _) => Ok(format!("{callsign} is away, and gets it on their return")),
        (_, _) => Ok(format!("sent to {callsign}")),
    }
}

/// What became of the contacts.
#[derive(Default)]
struct Sending {
    failed: Vec<(String, PackageError)>,
}

impl Sending {
    /// What was achieved; a failure is kept, so that the others are tried.
    fn tried<T>(
        &mut self,
        to: &str,
        done: Result<T, PackageError>,
    ) -> Result<Option<T>, PackageError> {
        match done {
            Ok(done) => Ok(Some(done)),
            // Without the server there is no next one.
            Err(
                error @ (PackageError::NoServer { .. }
                | PackageError::Lost { .. }
                | PackageError::Token { .. }
                | PackageError::Version { .. }),
            ) => Err(error),
            Err(error) => {
                self.failed.push((to.to_owned(), error));
                Ok(None)
            }
        }
    }

    /// Fails if not all of so many contacts were told.
    fn end(mut self, total: usize) -> Result<(), Failure> {
        if total == 1
            && let Some((_, error)) = self.failed.pop()
        {
            return Err(error.into());
        }
        for (to, error) in &self.failed {
            complain(&format!("{to}: {}", chain(error)));
        }
        match self.failed.len() {
            0 => Ok(()),
            failed => Err(PackageError::Unsent { failed, total }.into()),
        }
    }
}
