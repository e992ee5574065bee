//! The steady clients of a run, connected and known to each other.

use std::collections::VecDeque;

use jiff::SignedDuration;

use crate::clock::{Clock, nanos};
use crate::event::{Kind, Template, Who};
use crate::marker::HELLO;
use crate::meeting::Meeting;
use crate::progress::{Phase, Watch};
use crate::swarm::Swarm;
use crate::tally::Tally;
use crate::{LoadError, Plan, Progress};

/// Connections that are under way at once, so that no listener's queue overflows.
pub(crate) const CONNECTING: usize = 64;

/// Longest wait of one turn while clients connect. Nanoseconds.
const TURN_NS: u64 = 500_000_000;

/// Connected clients, their reports and the account of what they get.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) swarm: Swarm,
    pub(crate) tally: Tally,
    /// One report per client; its index is the client's and the token of its connection.
    pub(crate) templates: Vec<Template>,
    /// Which run this is, in marks and uids.
    pub(crate) run: u16,
    /// The team of each client, all zero where everyone hears everyone.
    pub(crate) teams: Vec<u32>,
    /// Clients that will stop reading.
    pub(crate) stalling: Vec<usize>,
    /// Per client, how many clients must get what it sends.
    pub(crate) hearers: Vec<u32>,
    /// Stalled clients that the server closed.
    pub(crate) stalled_closed: u32,
    clock_start: Clock,
}

impl Fleet {
    /// Connects the clients of a plan, and waits until each heard all it should hear.
    pub(crate) fn gather(plan: &Plan, watch: &mut Watch<'_>) -> Result<Self, LoadError> {
        let clock = Clock::start();
        let run = run_number();
        let clients = plan.clients;
        let swarm = Swarm::new(plan.target, clock)?;
        let stalls = |client: u32| {
            // Spread evenly, beginning behind the first client, which may be the only sender.
            let share = u64::from(client) * u64::from(plan.stalled) / u64::from(clients);
            let next = (u64::from(client) + 1) * u64::from(plan.stalled) / u64::from(clients);
            next > share
        };
        let team = |client: u32| client % plan.teams;
        let who = |number| Who { run, number, kind: Kind::Client, team: team(number) };
        let lasts = lasts(plan);
        let templates = (0..clients)
            .map(|number| Template::new(who(number), as_sender(number), lasts))
            .collect();
        let heard = |client: u32| if plan.isolated { team(client) } else { 0 };
        let teams: Vec<u32> = (0..clients).map(heard).collect();
        let counts: Vec<bool> = (0..clients).map(|client| !stalls(client)).collect();
        let hearers = hearers(&teams, &counts);
        let stalling = (0..).zip(&counts).filter(|(_, counts)| !**counts).map(|(at, _)| at);
        let stalling = stalling.collect();
        let tally = Tally::new(run, teams.clone(), counts);
        let mut fleet = Self {
            swarm,
            tally,
            templates,
            run,
            teams: teams.clone(),
            stalling,
            hearers,
            stalled_closed: 0,
            clock_start: clock,
        };
        let mut meeting = Meeting::new(run, teams);
        let said = fleet.connect(plan, &who, &stalls, &mut meeting, watch)?;
        fleet.meet(plan, said, &mut meeting, watch)?;
        Ok(fleet)
    }

    /// Makes the first client report things from now on, and no longer itself.
    pub(crate) fn report_things(&mut self, plan: &Plan) {
        let who = Who { run: self.run, number: 0, kind: Kind::Thing, team: 0 };
        if let Some(first) = self.templates.first_mut() {
            *first = Template::new(who, 0, lasts(plan));
        }
    }

    /// Forgets all figures.
    pub(crate) fn forget(&mut self) {
        let Tally { counts, .. } = &self.tally;
        self.tally = Tally::new(self.run, self.teams.clone(), counts.clone());
    }

    /// Makes the clients that will stall do so.
    pub(crate) fn stall(&mut self) {
        for &client in &self.stalling {
            self.swarm.stall(client);
        }
    }

    /// An error if the server closed a client that reads.
    pub(crate) fn check_ended(&mut self, plan: &Plan) -> Result<(), LoadError> {
        for client in self.swarm.take_ended() {
            if !self.stalling.contains(&client) {
                return Err(self.closed(plan, client));
            }
            self.stalled_closed += 1;
        }
        Ok(())
    }

    pub(crate) fn closed(&self, plan: &Plan, client: usize) -> LoadError {
        let after = std::time::Duration::from_nanos(self.clock_start.now());
        LoadError::Closed { client, after, target: plan.target }
    }

    /// Connects the clients, and lets each report itself once it is connected, as phones do; when
    /// the last one did.
    fn connect(
        &mut self,
        plan: &Plan,
        who: &dyn Fn(u32) -> Who,
        stalls: &dyn Fn(u32) -> bool,
        meeting: &mut Meeting,
        watch: &mut Watch<'_>,
    ) -> Result<u64, LoadError> {
        let clients = plan.clients;
        let (gap, silence) = (nanos(plan.join_gap), nanos(plan.hello_after));
        let mut pending = VecDeque::new();
        // Clients that are connected and silent, and until when.
        let mut silent: VecDeque<(usize, u64)> = VecDeque::new();
        let mut begun = 0;
        let mut next = self.swarm.now();
        loop {
            let mut now = self.swarm.now();
            while begun < clients && pending.len() < CONNECTING && next <= now {
                pending.push_back(self.swarm.connect(Some(who(begun)), stalls(begun))?);
                begun += 1;
                next = now + gap;
            }
            let is_full = begun == clients || pending.len() == CONNECTING;
            let next_join = if is_full { u64::MAX } else { next };
            let next_hello = silent.front().map_or(u64::MAX, |&(_, until)| until);
            let until = next_join.min(next_hello).min(now + TURN_NS);
            self.swarm.turn(until, |arrival| meeting.note(arrival))?;
            now = self.swarm.now();
            let Self { swarm, templates, .. } = &mut *self;
            pending.retain(|&link| {
                let is_open = swarm.is_open(link);
                if is_open {
                    silent.push_back((link, now + silence));
                }
                !is_open
            });
            while let Some((link, _)) = silent.pop_front_if(|(_, until)| *until <= now) {
                if let Some(template) = templates.get_mut(link) {
                    swarm.send(link, template.stamped(HELLO, now));
                }
            }
            if let Some(&client) = self.swarm.take_ended().first() {
                return Err(self.closed(plan, client));
            }
            if begun == clients && pending.is_empty() && silent.is_empty() {
                return Ok(now);
            }
            watch.tick(now, || Progress {
                phase: Phase::Connecting,
                done: u64::from(begun) - pending.len() as u64,
                total: u64::from(clients),
                deliveries: 0,
            });
        }
    }

    /// Clients report themselves again until all that should have heard them, the first time
    /// behind `said_ns`, when they last did.
    fn meet(
        &mut self,
        plan: &Plan,
        said_ns: u64,
        meeting: &mut Meeting,
        watch: &mut Watch<'_>,
    ) -> Result<(), LoadError> {
        let pause = nanos(plan.hello_every);
        let patience = 2 * nanos(plan.patience);
        let mut again = said_ns + pause;
        let mut unknown: Vec<usize> = (0..self.templates.len()).collect();
        while !meeting.is_over() {
            let now = self.swarm.now();
            if now - said_ns > patience {
                return Err(meeting.deaf(patience));
            }
            if now >= again {
                again = now + pause;
                unknown.retain(|&sender| !meeting.is_known(sender));
                for &sender in &unknown {
                    if let Some(template) = self.templates.get_mut(sender) {
                        self.swarm.send(sender, template.stamped(HELLO, now));
                    }
                }
            }
            self.swarm.turn(again.min(now + TURN_NS), |arrival| meeting.note(arrival))?;
            if let Some(&client) = self.swarm.take_ended().first() {
                return Err(self.closed(plan, client));
            }
            let (done, total) = meeting.pairs();
            watch.tick(now, || Progress { phase: Phase::Meeting, done, total, deliveries: 0 });
        }
        Ok(())
    }
}

/// How long reports are valid: the whole run at least.
pub(crate) fn lasts(plan: &Plan) -> SignedDuration {
    let span = plan.warmup + plan.measure + 4 * plan.patience;
    SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX)
}

/// The number of a client as the sender in marks; plans have fewer clients than that has room for.
fn as_sender(client: u32) -> u16 {
    u16::try_from(client).unwrap_or(u16::MAX)
}

/// Per client, how many others of the same team count.
fn hearers(teams: &[u32], counts: &[bool]) -> Vec<u32> {
    let mut sizes = std::collections::HashMap::new();
    for (team, counts) in teams.iter().zip(counts) {
        *sizes.entry(team).or_insert(0_u32) += u32::from(*counts);
    }
    let others = |(team, counts): (&u32, &bool)| sizes.get(team).unwrap_or(&0) - u32::from(*counts);
    teams.iter().zip(counts).map(others).collect()
}

/// A number that differs from that of recent runs, whose events a server may still replay.
fn run_number() -> u16 {
    let micros = jiff::Timestamp::now().as_microsecond().unsigned_abs();
    // Sixteen bits of a multiplicative hash of the time.
    (micros.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as u16
}
