//! Who looks at a relay without being one of its clients.

use crate::teams::TeamPolicy;

/// Whose eyes a question is asked with: what it may see follows from the team policy.
///
/// ```
/// use relay::{TeamPolicy, Viewer};
///
/// let mut policy = TeamPolicy::isolated();
/// policy.allow("Red -> Blue".parse()?);
/// assert!(Viewer::team("Blue").sees(&policy, "Red"));
/// assert!(!Viewer::team("Red").sees(&policy, "Blue"));
/// assert!(Viewer::Everything.sees(&policy, "Blue"));
/// # Ok::<(), relay::AllowRuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Viewer {
    /// An operator: whatever any client may see.
    Everything,
    /// Whatever one of these teams receives; the empty name stands for those without a team. None
    /// at all receive nothing from an isolating relay.
    Teams(Vec<String>),
}

impl Viewer {
    /// A viewer that sees what one team receives. Empty: those without a team.
    pub fn team(name: impl Into<String>) -> Self {
        Self::Teams(vec![name.into()])
    }

    /// Whether it may see what members of `team` send.
    pub fn sees(&self, policy: &TeamPolicy, team: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Teams(_) if policy.is_open() => true,
            Self::Teams(names) => {
                let from = policy.effective(team);
                names.iter().any(|name| policy.permits(from, policy.effective(name)))
            }
        }
    }
}
