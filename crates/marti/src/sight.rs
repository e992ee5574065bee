//! What a caller sees: the team rule of the relay, for requests.

use std::collections::BTreeSet;

use relay::ClientInfo;
use relay::server::Relay;
use store::packages::{Audience, Viewer};

use crate::ask::Ask;
use crate::{Caller, Role};

/// Parameters by which clients say which device they are.
const DEVICE: [&str; 3] = ["clientUid", "creatorUid", "uid"];

/// Teams that a request may claim; more are not looked at.
const MAX_CLAIMED: usize = 16;

/// The teams that a caller is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Everyone sees everyone, or the caller is the operator.
    Everything,
    /// The caller is in these teams; the empty name stands for those who named none.
    Teams(BTreeSet<String>),
}

impl Sight {
    /// The teams of who asks.
    ///
    /// Those that are known of a user. Of somebody who is only known by an address: the team that
    /// the parameter `team` names; else that of the connection to the relay from the same address
    /// that a parameter names by UID or callsign; else those of all connections from there; else the
    /// team of those who named none.
    pub(crate) fn of(ask: &Ask, relay: &Relay) -> Self {
        let Caller { role, groups, addr, .. } = &ask.caller;
        let policy = relay.policy();
        if *role == Role::Operator || policy.is_open() {
            return Self::Everything;
        }
        if let Some(groups) = groups {
            return Self::Teams(groups.clone());
        }
        let claimed: BTreeSet<_> =
            ask.query.list("team").take(MAX_CLAIMED).map(str::to_owned).collect();
        if !claimed.is_empty() {
            return Self::Teams(claimed);
        }
        let clients = addr.map(|addr| relay.clients_at(addr)).unwrap_or_default();
        let is_named = |client: &&ClientInfo| {
            DEVICE.iter().any(|key| ask.query.all(key).any(|uid| uid == client.uid))
                || ask.query.all("receiver").any(|callsign| callsign == client.callsign)
        };
        let mut named: Vec<_> =
            clients.iter().filter(|client| !client.uid.is_empty()).filter(is_named).collect();
        if named.is_empty() {
            named = clients.iter().collect();
        }
        let default = policy.default_team().unwrap_or_default();
        let or_default =
            |team: &str| if team.is_empty() { default.to_owned() } else { team.to_owned() };
        let mut teams: BTreeSet<_> = named.iter().map(|client| or_default(&client.team)).collect();
        if teams.is_empty() {
            teams.insert(default.to_owned());
        }
        Self::Teams(teams)
    }

    /// Whom an upload is for unless it says otherwise.
    pub(crate) fn audience(&self) -> Audience {
        match self {
            Self::Everything => Audience::Everyone,
            Self::Teams(teams) => Audience::groups(teams.iter().cloned()),
        }
    }

    /// Whether this team is one of the caller's own.
    pub(crate) fn is_in(&self, team: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Teams(teams) => teams.contains(team),
        }
    }

    /// The same for the relay.
    pub(crate) fn relay_viewer(&self) -> relay::Viewer {
        match self {
            Self::Everything => relay::Viewer::Everything,
            Self::Teams(teams) => relay::Viewer::Teams(teams.iter().cloned().collect()),
        }
    }

    /// Somebody who sees what is for the caller's own teams, and nothing of other teams.
    pub(crate) fn members(&self) -> Viewer {
        match self {
            Self::Everything => Viewer::Everything,
            Self::Teams(teams) => Viewer::groups(teams.iter().cloned()),
        }
    }

    /// What of the packages the caller sees: those for everyone, and those of teams whose events
    /// reach the caller.
    pub(crate) fn viewer(&self, relay: &Relay) -> Viewer {
        let Self::Teams(teams) = self else { return Viewer::Everything };
        let policy = relay.policy();
        let sources: Option<Vec<_>> = teams.iter().map(|team| policy.sources(team)).collect();
        match sources {
            Some(sources) => Viewer::groups(sources.into_iter().flatten()),
            None => Viewer::Everything,
        }
    }
}
