//! Teams as bits, so that the policy is one `and` at delivery.

use std::collections::HashMap;
use std::sync::Arc;

use cot_core::TEAMS;

use super::places::Founder;
use crate::teams::TeamPolicy;

/// Teams that an event may reach, or that a client receives, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mask(pub(crate) u64);

impl Mask {
    /// Everyone, also teams that do not exist yet.
    pub(crate) const ALL: Self = Self(u64::MAX);
    /// No one.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The teams of all masks but those that are for everyone anyway.
    pub(crate) fn limited_to(masks: impl Iterator<Item = Self>) -> Self {
        masks.filter(|&mask| mask != Self::ALL).fold(Self::NONE, Self::or)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A team's place in the table. Also the scope of its uids under an isolating policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TeamId(u8);

impl TeamId {
    /// Clients that named no team and have no default team.
    pub(crate) const UNASSIGNED: Self = Self(0);
    /// A team that did not fit into the table: it sees nobody and nobody sees it.
    pub(crate) const OVERFLOW: Self = Self(u8::MAX);

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Bits in a mask, so teams at one time; TAK clients offer 14.
const MAX_TEAMS: usize = 64;

/// Bytes of a team's name. A longer one gets no place in the table.
const MAX_NAME: usize = 256;

struct Slot {
    name: Arc<str>,
    /// Never another team's: events from before its first client are for it too.
    is_fixed: bool,
    /// Who named it first since it was last vacant.
    founder: Founder,
    clients: usize,
    /// Who receives what this team sends.
    reaches: Mask,
}

impl Slot {
    /// Whether it is needed, whatever events are kept.
    fn is_taken(&self) -> bool {
        self.is_fixed || self.clients > 0
    }
}

/// The teams in use and the policy between them.
pub(crate) struct Teams {
    policy: TeamPolicy,
    slots: Vec<Slot>,
    by_name: HashMap<Arc<str>, TeamId>,
    none: Arc<str>,
}

impl Teams {
    pub(crate) fn new(policy: TeamPolicy) -> Self {
        let mut teams =
            Self { policy, slots: Vec::new(), by_name: HashMap::new(), none: Arc::from("") };
        teams.put(0, "", Founder::Unknown);
        teams.slots.iter_mut().for_each(|slot| slot.is_fixed = true);
        // The operator's words come first; then the colours have places that nobody else can take.
        let named = teams.policy.default_team().into_iter().chain(teams.policy.named());
        let named: Vec<_> = named.chain(TEAMS).map(str::to_owned).collect();
        for name in named {
            let id = teams.restore(&name);
            if let Some(slot) = teams.slots.get_mut(id.index()) {
                slot.is_fixed = true;
            }
        }
        teams
    }

    pub(crate) fn is_open(&self) -> bool {
        self.policy.is_open()
    }

    /// The team of those who named `name` (empty: none). A team that has no place yet, or has one
    /// that nobody needs any more, is founded; where teams are isolated, `founder` may do so while
    /// it is charged with less than half as many places as are vacant. So it gets at most a third
    /// of what others leave, and whoever has none gets the last one. `pinned` says which places
    /// events still need; it is asked only for a team without clients.
    pub(crate) fn intern(
        &mut self,
        name: &str,
        founder: Founder,
        pinned: impl FnOnce() -> Mask,
    ) -> TeamId {
        let name = self.policy.effective(name);
        let known = self.by_name.get(name).copied();
        let needs = |id: &TeamId| self.slots.get(id.index()).is_some_and(Slot::is_taken);
        if let Some(id) = known.filter(needs) {
            return id;
        }
        if name.len() > MAX_NAME {
            return TeamId::OVERFLOW;
        }
        let pinned = pinned();
        if let Some(id) = known.filter(|id| pinned.meets(bit(id.index()))) {
            return id;
        }
        let (mut charged, mut vacant, mut at) = (0, MAX_TEAMS - self.slots.len(), None);
        for (place, slot) in self.slots.iter().enumerate() {
            if !slot.is_taken() && !pinned.meets(bit(place)) {
                vacant += 1;
                at = at.or(Some(place));
            } else if !slot.is_fixed && slot.founder == founder {
                charged += 1;
            }
        }
        if vacant == 0 || (self.is_limited(founder) && 2 * charged >= vacant) {
            return TeamId::OVERFLOW;
        }
        if self.slots.len() < MAX_TEAMS {
            at = None;
        }
        let at = known.map(TeamId::index).or(at).unwrap_or(self.slots.len());
        let name = name.to_owned();
        self.put(at, &name, founder)
    }

    /// The same for the server itself, which takes no place that events may need.
    pub(crate) fn restore(&mut self, name: &str) -> TeamId {
        self.intern(name, Founder::Unknown, || Mask::ALL)
    }

    /// Which events a client of `team` receives.
    pub(crate) fn receives(&self, team: TeamId) -> Mask {
        match (self.is_open(), team) {
            (true, _) => Mask::ALL,
            (false, TeamId::OVERFLOW) => Mask::NONE,
            (false, team) => bit(team.index()),
        }
    }

    /// Who receives what a client of `team` sends.
    pub(crate) fn reaches(&self, team: TeamId) -> Mask {
        if self.is_open() {
            return Mask::ALL;
        }
        self.slots.get(team.index()).map_or(Mask::NONE, |slot| slot.reaches)
    }

    /// Who receives what a team of this name sends, also when nobody of it is here. Empty: those
    /// who named none.
    pub(crate) fn reach_of(&self, name: &str) -> Mask {
        let name = self.policy.effective(name);
        if self.is_open() {
            return Mask::ALL;
        }
        if let Some(&id) = self.by_name.get(name) {
            return self.reaches(id);
        }
        if self.policy.permits_all(name) {
            return Mask::ALL;
        }
        let permitted = self.slots.iter().enumerate();
        let permitted = permitted.filter(|(_, slot)| self.policy.permits(name, &slot.name));
        permitted.fold(Mask::NONE, |mask, (at, _)| Mask(mask.0 | bit(at).0))
    }

    /// Whether members of `to` receive what a team named `from` sends, whoever is here.
    pub(crate) fn permits(&self, from: &str, to: &str) -> bool {
        self.policy.permits(self.policy.effective(from), self.policy.effective(to))
    }

    /// The name of a scope: empty on an open server.
    pub(crate) fn scope_name(&self, scope: TeamId) -> Arc<str> {
        match self.slots.get(scope.index()) {
            Some(slot) if !self.is_open() => slot.name.clone(),
            _ => self.none.clone(),
        }
    }

    /// Which events a newcomer to a team of this name would receive, also when nobody of it has been
    /// here: then only those that are for everyone.
    pub(crate) fn received_by(&self, name: &str) -> Mask {
        match self.by_name.get(self.policy.effective(name)) {
            Some(&id) => self.receives(id),
            None if self.is_open() => Mask::ALL,
            None if name.len() > MAX_NAME => Mask::NONE,
            // The place that it would get; none when the table is full.
            None => bit(self.slots.len()),
        }
    }

    /// The audience of a server event for one named team.
    pub(crate) fn mask_of(&self, name: &str) -> Mask {
        self.by_name.get(name).map_or(Mask::NONE, |id| bit(id.index()))
    }

    pub(crate) fn enter(&mut self, team: TeamId) {
        if let Some(slot) = self.slots.get_mut(team.index()) {
            slot.clients += 1;
        }
    }

    pub(crate) fn leave(&mut self, team: TeamId) {
        if let Some(slot) = self.slots.get_mut(team.index()) {
            slot.clients = slot.clients.saturating_sub(1);
        }
    }

    /// `(name, clients, names of the teams it receives from)` of every team with clients.
    pub(crate) fn table(&self) -> impl Iterator<Item = (&str, usize, Vec<String>)> {
        self.slots.iter().filter(|slot| slot.clients > 0).map(|slot| {
            let sources = if self.is_open() {
                vec!["*".to_owned()]
            } else {
                let known = self.slots.iter().filter(|from| from.clients > 0);
                let permitted = known.filter(|from| self.policy.permits(&from.name, &slot.name));
                permitted.map(|from| from.name.to_string()).collect()
            };
            (&*slot.name, slot.clients, sources)
        })
    }

    /// Whether what a founder takes is missing to others: on an open server a place is but a row
    /// of a table.
    fn is_limited(&self, founder: Founder) -> bool {
        !self.is_open() && founder != Founder::Unknown
    }

    /// Gives a team the vacant place `at`, or the one behind the last.
    fn put(&mut self, at: usize, name: &str, founder: Founder) -> TeamId {
        let slot =
            Slot { name: name.into(), is_fixed: false, founder, clients: 0, reaches: Mask::NONE };
        match self.slots.get_mut(at) {
            Some(old) => {
                self.by_name.remove(&old.name);
                *old = slot;
            }
            None => self.slots.push(slot),
        }
        self.settle(at, name)
    }

    /// Works out both directions between the team at `at` and all others.
    fn settle(&mut self, at: usize, name: &str) -> TeamId {
        let mut reaches = Mask::NONE;
        for (other, slot) in self.slots.iter_mut().enumerate() {
            if self.policy.permits(name, &slot.name) {
                reaches.0 |= bit(other).0;
            }
            if slot.reaches == Mask::ALL {
                continue;
            }
            slot.reaches = slot.reaches.without(bit(at));
            if self.policy.permits(&slot.name, name) {
                slot.reaches.0 |= bit(at).0;
            }
        }
        if self.policy.permits_all(name) {
            reaches = Mask::ALL;
        }
        if let Some(slot) = self.slots.get_mut(at) {
            slot.reaches = reaches;
        }
        let id = TeamId(u8::try_from(at).unwrap_or(u8::MAX));
        self.by_name.insert(name.into(), id);
        id
    }
}

fn bit(at: usize) -> Mask {
    Mask(1u64.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn isolated(rules: &[&str]) -> Teams {
        let mut policy = TeamPolicy::isolated();
        for rule in rules {
            policy.allow(rule.parse().unwrap());
        }
        Teams::new(policy)
    }

    /// A place for the team, as for somebody with a new name while no event is kept.
    fn join(teams: &mut Teams, name: &str) -> TeamId {
        let id = teams.intern(name, Founder::Unknown, || Mask::NONE);
        teams.enter(id);
        id
    }

    /// How many new teams an address gets places for, each with a client.
    fn found(teams: &mut Teams, address: u8) -> usize {
        let founder = founder(address);
        let names = (0..99).map(|n| format!("{address}-{n}"));
        names
            .filter(|name| {
                let id = teams.intern(name, founder, || Mask::NONE);
                teams.enter(id);
                id != TeamId::OVERFLOW
            })
            .count()
    }

    fn founder(address: u8) -> Founder {
        Founder::Network([10, 0, 0, address].into())
    }

    fn sees(teams: &Teams, from: TeamId, to: TeamId) -> bool {
        teams.reaches(from).meets(teams.receives(to))
    }

    #[test]
    fn masks_agree_with_the_policy_in_whatever_order_teams_appear() {
        let names = ["Red", "HQ", "Blue", "", "Cyan"];
        let rules = ["Red -> Blue", "* -> HQ", "Cyan <-> Red"];
        let mut teams = isolated(&rules);
        let ids: Vec<_> = names.iter().map(|name| join(&mut teams, name)).collect();
        for (from, &a) in names.iter().zip(&ids) {
            for (to, &b) in names.iter().zip(&ids) {
                assert_eq!(sees(&teams, a, b), teams.policy.permits(from, to), "{from} -> {to}");
            }
        }
    }

    #[test]
    fn a_full_table_isolates_the_newcomer_until_a_bit_is_free() {
        let mut teams = isolated(&[]);
        let ids: Vec<_> = (0..49).map(|i| join(&mut teams, &format!("T{i}"))).collect();
        let late = teams.intern("late", Founder::Unknown, || Mask::NONE);
        assert_eq!(late, TeamId::OVERFLOW);
        assert!(!sees(&teams, late, late) && !sees(&teams, ids[0], late));
        teams.leave(ids[4]);
        let pinned = teams.intern("late", Founder::Unknown, || bit(ids[4].index()));
        assert_eq!(pinned, TeamId::OVERFLOW);
        let settled = teams.intern("late", Founder::Unknown, || Mask::NONE);
        assert_eq!(settled, ids[4]);
        assert!(sees(&teams, settled, settled) && !sees(&teams, ids[0], settled));
    }

    #[test]
    fn an_open_policy_reaches_everyone() {
        let mut teams = Teams::new(TeamPolicy::open());
        let red = join(&mut teams, "Red");
        assert!(sees(&teams, red, TeamId::UNASSIGNED) && sees(&teams, TeamId::OVERFLOW, red));
    }

    #[test]
    fn clients_without_a_team_join_the_default_team() {
        let mut policy = TeamPolicy::isolated();
        policy.set_default_team("Cyan");
        let mut teams = Teams::new(policy);
        assert_eq!(join(&mut teams, ""), join(&mut teams, "Cyan"));
    }

    #[test]
    fn an_address_gets_a_third_of_what_others_leave() {
        let mut teams = isolated(&[]);
        let shares: Vec<_> = (0..10).map(|address| found(&mut teams, address)).collect();
        assert_eq!(shares, [17, 11, 7, 5, 3, 2, 2, 1, 1, 0]);
        for team in TEAMS {
            let id = teams.intern(team, founder(0), || Mask::NONE);
            assert!(sees(&teams, id, id), "{team}");
        }
        let other = teams.intern("1-0", founder(0), || Mask::NONE);
        assert!(sees(&teams, other, other), "a team that clients are in is for all");
    }

    #[test]
    fn rules_have_the_first_places_and_an_address_gets_less_of_what_they_leave() {
        let rules: Vec<_> = (0..30).map(|n| format!("T{n} -> HQ")).collect();
        let rules: Vec<_> = rules.iter().map(String::as_str).collect();
        let mut teams = isolated(&rules);
        assert_eq!([found(&mut teams, 1), found(&mut teams, 2)], [6, 4]);
        let id = teams.intern("T29", founder(1), || Mask::NONE);
        assert!(sees(&teams, id, id));
        let rules: Vec<_> = (0..80).map(|n| format!("T{n} -> T{n}")).collect();
        let rules: Vec<_> = rules.iter().map(String::as_str).collect();
        let mut teams = isolated(&rules);
        let ids = ["T62", "T63", "Cyan"].map(|name| join(&mut teams, name));
        assert_eq!(ids.map(|id| id == TeamId::OVERFLOW), [false, true, true]);
    }

    #[test]
    fn a_place_is_charged_while_events_need_it_and_whoever_takes_it_up_again_pays() {
        let mut teams = isolated(&[]);
        assert_eq!(found(&mut teams, 1), 17);
        let ids: Vec<_> = (15..32).map(TeamId).collect();
        ids.iter().for_each(|&id| teams.leave(id));
        let pinned = ids.iter().fold(Mask::NONE, |mask, id| mask.or(bit(id.index())));
        let more = teams.intern("more", founder(1), || pinned);
        assert_eq!(more, TeamId::OVERFLOW, "gone, but its events are not");
        let joined = teams.intern("1-0", founder(2), || pinned);
        assert_eq!(joined, ids[0]);
        // All are vacant now; 2 takes up what 1 had named.
        let taken = (0..99).filter(|n| {
            let id = teams.intern(&format!("1-{n}"), founder(2), || Mask::NONE);
            teams.enter(id);
            id != TeamId::OVERFLOW
        });
        assert_eq!(taken.count(), 17);
        assert_eq!(found(&mut teams, 1), 17 + 11, "those of 2, and as many as if it had none");
    }

    #[test]
    fn on_an_open_server_places_go_to_who_comes_first() {
        let mut teams = Teams::new(TeamPolicy::open());
        assert_eq!([found(&mut teams, 1), found(&mut teams, 2)], [49, 0]);
    }
}
