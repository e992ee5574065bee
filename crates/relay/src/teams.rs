//! Who sees whom: the team policy, and the masks it is turned into.

use std::fmt;
use std::str::FromStr;

/// Who sees whom, per server.
///
/// ```
/// use relay::TeamPolicy;
///
/// let mut policy = TeamPolicy::isolated();
/// policy.allow("Red -> Blue".parse()?); // Blue also sees Red
/// policy.allow("Cyan <-> Teal".parse()?); // both ways
/// policy.allow("* -> HQ".parse()?); // a command post that sees all
/// # Ok::<(), relay::AllowRuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamPolicy {
    open: bool,
    rules: Vec<AllowRule>,
    default_team: Option<String>,
}

impl TeamPolicy {
    /// Everyone sees everyone: what TAK clients expect of a server without groups.
    pub fn open() -> Self {
        Self { open: true, rules: Vec::new(), default_team: None }
    }

    /// A team sees only itself, and what [`allow`](Self::allow) adds. Clients that named no team
    /// see only each other, unless there is a [default team](Self::set_default_team).
    pub fn isolated() -> Self {
        Self { open: false, ..Self::open() }
    }

    /// Whether everyone sees everyone.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Lets events cross between teams. No effect on an open policy.
    pub fn allow(&mut self, rule: AllowRule) {
        self.rules.push(rule);
    }

    /// Puts clients that named no team into `team`.
    pub fn set_default_team(&mut self, team: impl Into<String>) {
        self.default_team = Some(team.into());
    }

    /// The team of clients that named none.
    pub fn default_team(&self) -> Option<&str> {
        self.default_team.as_deref()
    }

    /// The team that those who name `name` are in: the default team for the empty name.
    pub(crate) fn effective<'a>(&'a self, name: &'a str) -> &'a str {
        if name.is_empty() { self.default_team().unwrap_or("") } else { name }
    }

    /// Whether every team, also one that nobody has named yet, receives what `from` sends.
    pub(crate) fn permits_all(&self, from: &str) -> bool {
        self.open || self.rules.iter().any(|rule| rule.permits_all(from))
    }

    /// The teams that rules name.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flat_map(|rule| [&rule.from, &rule.to]).filter_map(|party| match party {
            Party::All => None,
            Party::Team(name) => Some(name.as_str()),
        })
    }

    /// The teams whose events `to` receives, its own first; `None` if it receives everyone's.
    ///
    /// ```
    /// use relay::TeamPolicy;
    ///
    /// let mut policy = TeamPolicy::isolated();
    /// policy.allow("Red -> Blue".parse()?);
    /// policy.allow("* -> HQ".parse()?);
    /// assert_eq!(policy.sources("Blue"), Some(vec!["Blue".to_owned(), "Red".to_owned()]));
    /// assert_eq!(policy.sources("HQ"), None);
    /// # Ok::<(), relay::AllowRuleError>(())
    /// ```
    pub fn sources(&self, to: &str) -> Option<Vec<String>> {
        let to = self.effective(to);
        if self.open || self.rules.iter().any(|rule| rule.admits_all(to)) {
            return None;
        }
        let mut sources = vec![to.to_owned()];
        for name in self.named().filter(|name| self.permits(name, to)) {
            if !sources.iter().any(|source| source == name) {
                sources.push(name.to_owned());
            }
        }
        Some(sources)
    }

    /// Whether `to` receives what `from` sends. The empty name stands for clients without a team.
    pub fn permits(&self, from: &str, to: &str) -> bool {
        self.open || from == to || self.rules.iter().any(|rule| rule.permits(from, to))
    }
}

/// One exception to isolation, written `Red -> Blue`, `Red <-> Blue`, `* -> HQ` or `HQ -> *`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowRule {
    from: Party,
    to: Party,
    both_ways: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Party {
    All,
    Team(String),
}

impl AllowRule {
    fn permits(&self, from: &str, to: &str) -> bool {
        let one_way = |a: &str, b: &str| self.from.holds(a) && self.to.holds(b);
        one_way(from, to) || (self.both_ways && one_way(to, from))
    }

    /// Whether `to` receives what every team sends.
    fn admits_all(&self, to: &str) -> bool {
        let forth = self.to.holds(to) && self.from == Party::All;
        forth || (self.both_ways && self.from.holds(to) && self.to == Party::All)
    }

    fn permits_all(&self, from: &str) -> bool {
        let forth = self.from.holds(from) && self.to == Party::All;
        forth || (self.both_ways && self.to.holds(from) && self.from == Party::All)
    }
}

impl Party {
    fn holds(&self, team: &str) -> bool {
        match self {
            Self::All => true,
            Self::Team(name) => name == team,
        }
    }
}

/// An allow rule that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an allow rule; write `TEAM -> TEAM` or `TEAM <-> TEAM`, `*` for all teams")]
pub struct AllowRuleError(String);

impl FromStr for AllowRule {
    type Err = AllowRuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || AllowRuleError(text.to_owned());
        let (both_ways, sides) = match text.split_once("<->") {
            Some(sides) => (true, sides),
            None => (false, text.split_once("->").ok_or_else(error)?),
        };
        let party = |side: &str| match side.trim() {
            "" => Err(error()),
            "*" => Ok(Party::All),
            name if name.contains("->") => Err(error()),
            name => Ok(Party::Team(name.to_owned())),
        };
        Ok(Self { from: party(sides.0)?, to: party(sides.1)?, both_ways })
    }
}

impl fmt::Display for AllowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if self.both_ways { "<->" } else { "->" };
        write!(f, "{} {arrow} {}", self.from, self.to)
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "*",
            Self::Team(name) => name,
        })
    }
}
