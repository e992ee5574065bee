//! Who may change or remove a package.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use store::packages::{ContentHash, DataPackage, Owner, PackageStore};

use crate::Role;
use crate::ask::Ask;
use crate::service::Inner;

/// The device that the operator's own programs say they are. Nobody else is it.
const OPERATOR_UID: &str = "tinycot";

/// Uploads whose origin is remembered.
const MAX_UPLOADS: usize = 4096;

/// Longest UID that is remembered. Bytes.
const MAX_UID: usize = 128;

/// Parameters by which a client says which device it is.
const DEVICE: [&str; 2] = ["creatorUid", "clientUid"];

/// Devices that a request may say it is.
const MAX_CLAIMS: usize = 4;

/// Whose packages are the caller's.
///
/// All, for the operator. Otherwise those of the user that the caller is known to be, those of the
/// device that the request names, of devices that are connected to the relay from the same address,
/// and of the one that uploaded this content from there; and those that nobody owns.
pub(super) fn of<P: PackageStore>(marti: &Inner<P>, ask: &Ask, hash: ContentHash) -> Vec<Owner> {
    if ask.caller.role == Role::Operator {
        return vec![Owner::Anyone];
    }
    let user = ask.caller.user.iter().map(|user| Owner::User(user.clone()));
    let mut owners: Vec<_> = user.chain([Owner::Nobody]).collect();
    let claimed = DEVICE.iter().flat_map(|key| ask.query.all(key)).take(MAX_CLAIMS);
    let mut devices: Vec<_> = claimed.map(str::to_owned).collect();
    if let Some(addr) = ask.caller.addr {
        devices.extend(marti.shared.packages.uploaders.device(addr, hash));
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
    let others = owners.iter().take(2 + MAX_CLAIMS).filter(move |&owner| Some(owner) != first);
    first.into_iter().chain(others)
}

/// Which device uploaded what from where, as far as it is remembered.
#[derive(Debug, Default)]
pub(super) struct Uploaders(Mutex<VecDeque<Origin>>);

#[derive(Debug)]
struct Origin {
    addr: IpAddr,
    hash: ContentHash,
    device: String,
}

impl Uploaders {
    /// Remembers an upload; the oldest is forgotten when there are too many.
    pub(super) fn add(&self, addr: IpAddr, hash: ContentHash, device: &str) {
        if device.len() > MAX_UID {
            return;
        }
        let mut origins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        origins.retain(|origin| !(origin.addr == addr && origin.hash == hash));
        if origins.len() == MAX_UPLOADS {
            origins.pop_front();
        }
        origins.push_back(Origin { addr, hash, device: device.to_owned() });
    }

    /// The device that uploaded this from here.
    fn device(&self, addr: IpAddr, hash: ContentHash) -> Option<String> {
        let origins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = origins.iter().find(|origin| origin.addr == addr && origin.hash == hash);
        found.map(|origin| origin.device.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use store::packages::{Audience, Upload};

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    fn hash(number: usize) -> ContentHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        ContentHash::from_bytes(bytes)
    }

    #[test]
    fn an_upload_is_remembered_by_address_and_content_until_there_are_too_many() {
        let uploaders = Uploaders::default();
        uploaders.add(HERE, hash(0), "A");
        uploaders.add(HERE, hash(0), "B");
        assert_eq!(uploaders.device(HERE, hash(0)).as_deref(), Some("B"));
        assert_eq!(uploaders.device(THERE, hash(0)), None);
        assert_eq!(uploaders.device(HERE, hash(1)), None);
        uploaders.add(HERE, hash(1), &"x".repeat(4096));
        assert_eq!(uploaders.device(HERE, hash(1)), None);
        for number in 1..=MAX_UPLOADS {
            uploaders.add(HERE, hash(number), "C");
        }
        assert_eq!(uploaders.device(HERE, hash(0)), None);
        assert_eq!(uploaders.0.lock().unwrap().len(), MAX_UPLOADS);
    }

    #[test]
    fn the_owner_of_what_is_seen_comes_first() {
        let mut upload = Upload::new("x", Audience::Everyone);
        upload.creator_uid = Some("D9".to_owned());
        let entry = DataPackage::new(1, upload, hash(0), 1, 0);
        let mut owners = vec![Owner::Nobody];
        owners.extend((0..10).map(|number| Owner::Device(format!("D{number}"))));
        let tried: Vec<_> = to_remove(&entry, &owners).collect();
        assert_eq!(tried[0], &Owner::Device("D9".to_owned()));
        assert_eq!(tried.len(), 1 + 2 + MAX_CLAIMS);
        let tried: Vec<_> = to_remove(&entry, &owners[..3]).collect();
        assert_eq!(tried, owners[..3].iter().collect::<Vec<_>>());
    }
}
