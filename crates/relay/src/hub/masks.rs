//! Teams as bits, so that the policy is one `and` at delivery.

use std::collections::HashMap;
use std::sync::Arc;

use crate::teams::TeamPolicy;

/// Teams that an event may reach, or that a client receives, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mask(pub(crate) u64);

impl Mask {
    /// Everyone, also teams that do not exist yet.
    pub(crate) const ALL: Self = Self(u64::MAX);
    /// No one.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
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
    /// Named by a rule: events from before its first client are for it too.
    is_fixed: bool,
    clients: usize,
    /// Who receives what this team sends.
    reaches: Mask,
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
        teams.push("");
        let named: Vec<_> = teams.policy.named().map(str::to_owned).collect();
        for name in named {
            let id = teams.intern(&name, |_| false);
            if let Some(slot) = teams.slots.get_mut(id.index()) {
                slot.is_fixed = true;
            }
        }
        teams
    }

    pub(crate) fn is_open(&self) -> bool {
        self.policy.is_open()
    }

    /// The team of a client that named `name` (empty: none). `is_reusable` says whether no event
    /// that is still kept carries this bit; it is asked only when the table is full.
    pub(crate) fn intern(&mut self, name: &str, is_reusable: impl Fn(Mask) -> bool) -> TeamId {
        let name = self.policy.effective(name);
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        if name.len() > MAX_NAME {
            return TeamId::OVERFLOW;
        }
        let name = name.to_owned();
        if self.slots.len() < MAX_TEAMS {
            return self.push(&name);
        }
        let vacant = (1..self.slots.len()).find(|&at| {
            self.slots.get(at).is_some_and(|slot| slot.clients == 0 && !slot.is_fixed)
                && is_reusable(bit(at))
        });
        match vacant {
            Some(at) => self.replace(at, &name),
            None => TeamId::OVERFLOW,
        }
    }

    /// Whether somebody without a connection may name this team: one that has a place, or any while
    /// half of the table is free. The other half is for clients.
    pub(crate) fn may_front_name(&self, name: &str) -> bool {
        self.by_name.contains_key(self.policy.effective(name)) || self.slots.len() < MAX_TEAMS / 2
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

    fn push(&mut self, name: &str) -> TeamId {
        self.slots.push(Slot {
            name: name.into(),
            is_fixed: false,
            clients: 0,
            reaches: Mask::NONE,
        });
        self.settle(self.slots.len() - 1, name)
    }

    fn replace(&mut self, at: usize, name: &str) -> TeamId {
        if let Some(slot) = self.slots.get_mut(at) {
            self.by_name.remove(&slot.name);
            *slot = Slot { name: name.into(), is_fixed: false, clients: 0, reaches: Mask::NONE };
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

    fn sees(teams: &Teams, from: TeamId, to: TeamId) -> bool {
        teams.reaches(from).meets(teams.receives(to))
    }

    #[test]
    fn masks_agree_with_the_policy_in_whatever_order_teams_appear() {
        let names = ["Red", "HQ", "Blue", "", "Cyan"];
        let rules = ["Red -> Blue", "* -> HQ", "Cyan <-> Red"];
        let mut teams = isolated(&rules);
        let ids: Vec<_> = names.iter().map(|name| teams.intern(name, |_| true)).collect();
        for (from, &a) in names.iter().zip(&ids) {
            for (to, &b) in names.iter().zip(&ids) {
                assert_eq!(sees(&teams, a, b), teams.policy.permits(from, to), "{from} -> {to}");
            }
        }
    }

    #[test]
    fn a_full_table_isolates_the_newcomer_until_a_bit_is_free() {
        let mut teams = isolated(&[]);
        let ids: Vec<_> = (1..64).map(|i| teams.intern(&format!("T{i}"), |_| true)).collect();
        ids.iter().for_each(|&id| teams.enter(id));
        let late = teams.intern("late", |_| true);
        assert_eq!(late, TeamId::OVERFLOW);
        assert!(!sees(&teams, late, late) && !sees(&teams, ids[0], late));
        teams.leave(ids[4]);
        assert_eq!(teams.intern("late", |_| false), TeamId::OVERFLOW);
        let settled = teams.intern("late", |_| true);
        assert_eq!(settled, ids[4]);
        assert!(sees(&teams, settled, settled) && !sees(&teams, ids[0], settled));
    }

    #[test]
    fn an_open_policy_reaches_everyone() {
        let mut teams = Teams::new(TeamPolicy::open());
        let red = teams.intern("Red", |_| true);
        assert!(sees(&teams, red, TeamId::UNASSIGNED) && sees(&teams, TeamId::OVERFLOW, red));
    }

    #[test]
    fn clients_without_a_team_join_the_default_team() {
        let mut policy = TeamPolicy::isolated();
        policy.set_default_team("Cyan");
        let mut teams = Teams::new(policy);
        assert_eq!(teams.intern("", |_| true), teams.intern("Cyan", |_| true));
    }
}
