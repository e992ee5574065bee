//! Who is calling.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Who is calling: an extension of every request.
///
/// [`serve`](crate::serve) sets it for plain connections. An application that mounts
/// [`Marti`](crate::Marti) in its own server inserts it; a request without one gets only what is
/// public.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// What the caller may do.
    pub role: Role,
    /// The authenticated user; `None` where nobody is asked for a name.
    pub user: Option<String>,
    /// The teams or groups that the caller is known to be in. `None` where nothing is known but
    /// what the caller claims: then the team of their connection to the relay counts.
    pub groups: Option<BTreeSet<String>>,
    /// Where the request comes from.
    pub addr: Option<IpAddr>,
    /// Whether the request came over TLS, for the URLs in answers.
    pub is_tls: bool,
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Role {
    /// What clients do.
    User,
    /// All there is, for every team.
    Operator,
}

impl Caller {
    /// Somebody on a plain connection, who is who they say they are.
    pub fn plain(addr: IpAddr) -> Self {
        let addr = Some(addr.to_canonical());
        Self { role: Role::User, user: None, groups: None, addr, is_tls: false }
    }

    /// A known user, in these groups and no others.
    pub fn user<S: Into<String>>(
        name: impl Into<String>,
        groups: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            role: Role::User,
            user: Some(name.into()),
            groups: Some(groups.into_iter().map(Into::into).collect()),
            addr: None,
            is_tls: false,
        }
    }

    /// The operator.
    pub fn operator() -> Self {
        Self { role: Role::Operator, user: None, groups: None, addr: None, is_tls: false }
    }
}
