//! Groups, which here are teams (marti-api B.5).
//!
//! Which team a client is in is what the client says in its position reports, and the operator's
//! rules say what crosses between teams. So there is nothing to switch on or off: groups are listed,
//! all of them active, and a choice among them is taken and has no effect.

use std::collections::BTreeSet;
use std::sync::Arc;

use cot_core::TEAMS;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use store::packages::PackageStore;

use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::service::Inner;
use crate::sight::Sight;

/// The group of all, and of those without a team.
pub(crate) const EVERYONE: &str = "__ANON__";

/// The first place of teams that are none of the usual colours.
const FIRST_OTHER: u32 = 64;

/// How many places there are for them.
const OTHERS: u32 = 1 << 14;

/// Most groups that are named in one choice.
const MAX_CHOICE: usize = 4096;

/// The groups that the caller is in.
pub(crate) async fn list_groups<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let relay = &marti.relay;
    let teams: BTreeSet<String> = match Sight::of(&ask, relay) {
        Sight::Everything if relay.policy().is_open() => [String::new()].into(),
        Sight::Everything => {
            let here = relay.teams().into_iter().map(|team| team.name);
            here.chain([String::new()]).collect()
        }
        Sight::Teams(teams) => teams,
    };
    let rows = both_ways(teams.iter().map(String::as_str));
    let kind = "com.bbn.marti.remote.groups.Group";
    Ok(answer::ok(&Envelope::new(kind, rows, &marti.config.node_id)))
}

/// Takes a choice among groups, which may be none. It has no effect.
pub(crate) async fn set_active<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let groups: Vec<Choice> = match ask.content_length() {
        Some(0) => Vec::new(),
        _ => ask.json(marti.config.max_body_bytes).await?,
    };
    if groups.iter().any(|group| group.name.is_empty() || !group.is_directed()) {
        return Err(ApiError::BadRequest("a group has a name and a direction".to_owned()));
    }
    check_choice(groups.len())
}

/// The same by places.
pub(crate) async fn set_active_bits<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let places: Vec<u32> = ask.json(marti.config.max_body_bytes).await?;
    check_choice(places.len())
}

/// Whether clients are to show a choice of groups: no, since it has no effect.
pub(crate) async fn cache_enabled<P: PackageStore>(
    marti: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Ok(answer::ok(&Envelope::new("java.lang.Boolean", false, &marti.config.node_id)))
}

/// What the names of groups in a directory begin with: nothing.
pub(crate) async fn prefix<P: PackageStore>(
    marti: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Ok(answer::ok(&Envelope::new("java.lang.String", "", &marti.config.node_id)))
}

/// Rows of groups whose members both send and receive.
pub(crate) fn both_ways<'a>(teams: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    let mut taken = BTreeSet::new();
    let mut rows = Vec::new();
    for team in teams {
        let mut place = place(team);
        while !taken.insert(place) {
            place += 1;
        }
        let name = if team.is_empty() { EVERYONE } else { team };
        rows.extend(["IN", "OUT"].map(|direction| {
            json!({
                "name": name,
                "direction": direction,
                // Nobody made it.
                "created": "1970-01-01",
                "type": "SYSTEM",
                "bitpos": place,
                "active": true,
                "description": "",
            })
        }));
    }
    rows
}

/// The number of a group, the same at all times: 0 for those without a team, then the colours in
/// their order, then others by their name.
fn place(team: &str) -> u32 {
    if team.is_empty() {
        return 0;
    }
    if let Some(at) = (1..).zip(TEAMS).find_map(|(at, name)| (name == team).then_some(at)) {
        return at;
    }
    // FNV-1a.
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    FIRST_OTHER + team.bytes().fold(0x811c_9dc5, mix) % OTHERS
}

fn check_choice(groups: usize) -> Result<Answer, ApiError> {
    if groups > MAX_CHOICE {
        return Err(ApiError::BadRequest(format!("there are more than {MAX_CHOICE} groups")));
    }
    Ok(answer::empty(http::StatusCode::OK))
}

/// A group as clients name it in a choice. ATAK writes `created` as a number, others as a text.
#[derive(Debug, Deserialize)]
struct Choice {
    name: String,
    direction: String,
    #[serde(default, rename = "created")]
    _created: Option<IgnoredAny>,
    #[serde(default, rename = "bitpos")]
    _bitpos: Option<u32>,
    #[serde(default, rename = "active")]
    _active: Option<bool>,
}

impl Choice {
    fn is_directed(&self) -> bool {
        matches!(self.direction.as_str(), "IN" | "OUT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k27_every_group_has_a_place_of_its_own_that_stays() {
        assert_eq!(["", "White", "Cyan", "Brown"].map(place), [0, 1, 10, 14]);
        assert_eq!(place("Mountain Rescue"), place("Mountain Rescue"));
        let names: Vec<_> = (0..2000).map(|n| format!("team {n}")).collect();
        let rows = both_ways(names.iter().map(String::as_str));
        let places: BTreeSet<_> = rows.iter().map(|row| row["bitpos"].as_u64()).collect();
        assert_eq!(places.len(), names.len());
    }
}
