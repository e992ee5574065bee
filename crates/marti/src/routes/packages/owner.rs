//! Who may change or remove a package.

use store::packages::{DataPackage, Owner, PackageChange, PackageStore};

use crate::Role;
use crate::ask::Ask;
use crate::service::Inner;

/// The device that the operator's own programs say they are. Nobody else is it.
const OPERATOR_UID: &str = "tinycot";

/// Parameters by which a client says which device it is.
const DEVICE: [&str; 2] = ["creatorUid", "clientUid"];

/// Devices that a request may say it is.
const MAX_CLAIMS: usize = 4;

/// The tool of what is listed.
const PUBLIC: &str = "public";

/// The tool of what is not listed. All other tools are names of consumers.
const PRIVATE: &str = "private";

/// The device that an upload says it is from.
pub(super) fn device(ask: &Ask) -> Option<String> {
    if ask.caller.role == Role::Operator {
        let named = DEVICE.iter().find_map(|key| ask.query.get(key));
        return Some(named.unwrap_or(OPERATOR_UID).to_owned());
    }
    let named = DEVICE.iter().find_map(|key| ask.query.get(key));
    named.filter(|uid| *uid != OPERATOR_UID).map(str::to_owned)
}

/// Whose packages are the caller's.
///
/// All, for the operator. Otherwise those of the user that the caller is known to be, those that
/// came from the caller's address, those of the devices that the request names or that are
/// connected to the relay from that address; and those that nobody owns.
pub(super) fn of<P: PackageStore>(marti: &Inner<P>, ask: &Ask) -> Vec<Owner> {
    if ask.caller.role == Role::Operator {
        return vec![Owner::Anyone];
    }
    let user = ask.caller.user.iter().map(|user| Owner::User(user.clone()));
    let addr = ask.caller.addr.map(Owner::Address);
    let mut owners: Vec<_> = user.chain([Owner::Nobody]).chain(addr).collect();
    let claimed = DEVICE.iter().flat_map(|key| ask.query.all(key)).take(MAX_CLAIMS);
    let mut devices: Vec<_> = claimed.map(str::to_owned).collect();
    if let Some(addr) = ask.caller.addr {
        devices.extend(marti.relay.clients_at(addr).into_iter().map(|client| client.uid));
    }
    devices.retain(|uid| !uid.is_empty() && uid != OPERATOR_UID);
    owners.extend(devices.into_iter().map(Owner::Device));
    owners
}

/// Those for whom a package is removed: the one whose the entry is that the caller sees, and then
/// those that are the caller's beyond doubt. There may be many devices at an address.
pub(super) fn to_remove<'a>(
    entry: &DataPackage,
    owners: &'a [Owner],
) -> impl Iterator<Item = &'a Owner> {
    let first = owners.iter().find(|owner| entry.is_of(owner));
    let others = owners.iter().take(3 + MAX_CLAIMS).filter(move |&owner| Some(owner) != first);
    first.into_iter().chain(others)
}

/// What is left of a change when it is made by a member of the audience who does not own the
/// package: what another upload by them would do. `None` if they may not ask for it.
///
/// ATAK sets the tool of whatever it sends, also of what somebody else uploaded, and passes over
/// the answer (marti-api A.2). So who publishes a package that was private does publish it, and who
/// sends a public one to a contact does not take it off the list of the others.
pub(super) fn by_others(entry: &DataPackage, mut change: PackageChange) -> Option<PackageChange> {
    let (tool, keywords) = (change.tool.take(), change.keywords.take());
    if change != PackageChange::default() {
        return None;
    }
    if let Some(tool) = tool.filter(|tool| *tool != entry.tool) {
        match (entry.tool.as_str(), tool.as_str()) {
            (PRIVATE, PUBLIC) => change.tool = Some(tool),
            (PUBLIC, PRIVATE) => {}
            _ => return None,
        }
    }
    change.keywords = keywords.map(|more| [entry.keywords.clone(), more].concat());
    Some(change)
}

#[cfg(test)]
mod tests {
    use store::packages::{Audience, ContentHash, Upload};

    use super::*;

    fn entry(tool: &str) -> DataPackage {
        let mut upload = Upload::new("x", Audience::Everyone);
        upload.creator_uid = Some("D9".to_owned());
        upload.tool = tool.to_owned();
        upload.keywords = vec!["a".to_owned()];
        DataPackage::new(1, upload, ContentHash::from_bytes([0; 32]), 1, 0)
    }

    fn change(tool: Option<&str>, keywords: &[&str]) -> PackageChange {
        let mut change = PackageChange::default();
        change.tool = tool.map(str::to_owned);
        let keywords: Vec<_> = keywords.iter().map(|&keyword| keyword.to_owned()).collect();
        change.keywords = Some(keywords).filter(|keywords| !keywords.is_empty());
        change
    }

    #[test]
    fn the_owner_of_what_is_seen_comes_first() {
        let entry = entry(PUBLIC);
        let mut owners = vec![Owner::Nobody];
        owners.extend((0..10).map(|number| Owner::Device(format!("D{number}"))));
        let tried: Vec<_> = to_remove(&entry, &owners).collect();
        assert_eq!(tried[0], &Owner::Device("D9".to_owned()));
        assert_eq!(tried.len(), 1 + 3 + MAX_CLAIMS);
        let tried: Vec<_> = to_remove(&entry, &owners[..3]).collect();
        assert_eq!(tried, owners[..3].iter().collect::<Vec<_>>());
    }

    #[test]
    fn others_publish_and_add_and_do_nothing_else() {
        let by = |entry: &str, tool| by_others(&self::entry(entry), change(Some(tool), &[]));
        assert_eq!(by(PRIVATE, PUBLIC), Some(change(Some(PUBLIC), &[])));
        for same in [PUBLIC, PRIVATE, "citrap"] {
            assert_eq!(by(same, same), Some(change(None, &[])), "{same}");
        }
        assert_eq!(by(PUBLIC, PRIVATE), Some(change(None, &[])));
        for (entry, tool) in [(PUBLIC, "other"), ("profile-connection", PUBLIC), ("x", PRIVATE)] {
            assert_eq!(by(entry, tool), None, "{entry} {tool}");
        }
        let added = by_others(&entry(PUBLIC), change(None, &["b"]));
        assert_eq!(added, Some(change(None, &["a", "b"])));
        let mut typed = change(Some(PUBLIC), &["b"]);
        typed.mime_type = Some("text/plain".to_owned());
        assert_eq!(by_others(&entry(PRIVATE), typed), None);
    }
}
