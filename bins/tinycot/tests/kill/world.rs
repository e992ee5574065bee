//! One server on one directory, its players, and its many ends.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::disk::{self, Leftovers};
use super::event::{self, Got, Stamp, name};
use super::model::{Effect, End, Fault, Model, Shown};
use super::packages::Packages;
use super::player::Player;
use super::probe::Probe;
use super::process::Process;
use super::report::Tally;
use super::rng::Rng;
use crate::support::{PATIENCE, now};

/// Players: one that watches, one that always stays, and those that come and go.
const PLAYERS: usize = 6;
const WATCHER: usize = 0;
const STEADY: usize = 1;

/// What the server and the machine may take beyond the interval in which changes are made durable,
/// apart from what the probe finds.
const MARGIN: Duration = Duration::from_millis(100);

/// Writes that may be waited for one after the other: a new generation takes some.
const WRITES: u32 = 5;

/// Time after which the server notices that a message has been written.
const TICK: Duration = Duration::from_secs(1);

/// Time after which an event is in the dump.
const DUMP_INTERVAL: Duration = Duration::from_secs(1);

/// For how long brief markers are valid. Milliseconds.
const BRIEF_MS: u32 = 150;

/// What is done to a server.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Starts the server on the directory.
    pub(crate) command: Serve,
    /// Longest time that a change is not yet durable, as the server was told.
    pub(crate) sync: Duration,
    /// Markers of each player.
    pub(crate) markers: u64,
    /// Markers that are made once, for a large picture.
    pub(crate) crowd: u64,
    /// Longest time of work before an end, save for one in eight, which is five times as long.
    /// Milliseconds.
    pub(crate) work_ms: u64,
    pub(crate) has_dump: bool,
    /// Whether it goes on when something is wrong.
    pub(crate) goes_on: bool,
}

impl Plan {
    /// A small picture and a dump.
    pub(crate) fn new(command: Serve) -> Self {
        Self {
            command,
            sync: Duration::from_secs(1),
            markers: 4,
            crowd: 0,
            work_ms: 1_000,
            has_dump: true,
            goes_on: false,
        }
    }
}

/// Makes the command that starts a server on a directory.
pub(crate) type Serve = fn(&Plan, &Path) -> Command;

/// Ends a server without warning, and leaves in the directory what would be left. Returns when it
/// did, or rather a moment before.
pub(crate) type Ender<'a> = &'a mut dyn FnMut(&mut Process) -> Instant;

/// A server through all its starts.
pub(crate) struct World {
    plan: Plan,
    /// The data directory.
    dir: PathBuf,
    log: PathBuf,
    rng: Rng,
    probe: Probe,
    model: Model,
    players: Vec<Player>,
    packages: Packages,
    server: Option<Process>,
    /// The last end.
    end: Option<End>,
    /// By player, the number of the newest event of that player that the watcher got on its
    /// connection.
    newest: [u32; PLAYERS],
    /// By player, the number of the newest fence that it got.
    fence: [u32; PLAYERS],
    /// What the watcher was shown first, while it is being shown it.
    picture: Option<BTreeMap<String, Shown>>,
    /// When it began to be shown that.
    picture_since: Instant,
    /// Long times between two looks at the players, and when they ended.
    hiccups: Vec<(Instant, Duration)>,
    looked: Instant,
    /// For how long the server had waited for a processor, at times since it started.
    waits: Vec<(Instant, Duration)>,
    pub(crate) tally: Tally,
}

impl World {
    pub(crate) fn new(plan: Plan, dir: PathBuf, log: PathBuf, seed: u64, probe: Probe) -> Self {
        Self {
            plan,
            dir,
            log,
            rng: Rng::new(seed),
            probe,
            model: Model::new(PLAYERS),
            players: (0..PLAYERS).map(|_| Player::default()).collect(),
            packages: Packages::new(seed),
            server: None,
            end: None,
            newest: [0; PLAYERS],
            fence: [0; PLAYERS],
            picture: None,
            picture_since: now(),
            hiccups: Vec::new(),
            looked: now(),
            waits: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Works and ends, `cycles` times or until something is wrong, then once more cleanly; checks
    /// everything behind each end.
    pub(crate) fn run(mut self, cycles: u32, end: Ender<'_>) -> Tally {
        self.start();
        for cycle in 0..cycles {
            if cycle == 0 {
                self.make_crowd();
            }
            let before = self.model.violations.len();
            let most_ms = self.plan.work_ms * self.rng.one(&[1, 1, 1, 1, 1, 1, 1, 5]);
            let work = Duration::from_millis(2 + self.rng.below(most_ms - 1));
            self.work(work);
            self.end(&mut *end);
            self.start();
            self.tally.cycles += 1;
            let is_faulty = self.model.violations.len() > before;
            self.tally.faulty += u32::from(is_faulty);
            if is_faulty && !self.plan.goes_on {
                return self.done();
            }
        }
        if self.plan.has_dump {
            self.work(Duration::from_millis(50));
            self.stop();
            self.start();
            self.stop();
            self.tally.dumped = disk::check_dump(&self.dir.join("dump"), &mut self.model);
        }
        self.done()
    }

    fn done(mut self) -> Tally {
        self.server = None;
        self.packages.stop();
        self.tally.packages = self.packages.counts;
        self.tally.acknowledged = self.model.acknowledged;
        let loss = (self.plan.sync.as_millis(), self.model.longest_loss);
        self.tally.longest_loss = [loss].into();
        self.tally.violations = std::mem::take(&mut self.model.violations);
        self.tally
    }

    /// Starts the server, and compares what it shows with what there was.
    fn start(&mut self) {
        let left = Leftovers::look(&self.dir);
        self.tally.torn += left.torn;
        self.tally.swept += left.unfinished;
        let server = match Process::start((self.plan.command)(&self.plan, &self.dir), &self.log) {
            Ok(server) => server,
            Err(what) => return self.model.fault(Fault::Unreadable, what),
        };
        if self.end.is_some() {
            self.tally.recovered_in.push(server.ready_in);
        }
        let (addr, http) = (server.cot, server.http);
        if server.admin.is_some() {
            let (status, body) = server.get("/ready");
            if status != 200 || !body.contains("\"status\":\"ready\"") {
                self.model.fault(Fault::Unreadable, format!("/ready says {status} {body}"));
            }
        }
        self.server = Some(server);
        self.waits.clear();
        let left = Leftovers::look(&self.dir);
        if left.damaged > 0 {
            self.model.fault(Fault::Unreadable, "files were set aside as damaged".to_owned());
        }
        if let Some(http) = http {
            self.model.violations.extend(self.packages.check(http));
        }
        self.check(addr);
    }

    fn check(&mut self, addr: SocketAddr) {
        self.newest = [0; PLAYERS];
        self.picture = Some(BTreeMap::new());
        self.picture_since = now();
        self.looked = now();
        self.join(WATCHER, addr);
        // What stands behind the picture, by somebody who does not change it.
        self.players[STEADY].connect(addr).unwrap();
        let fence = self.fence();
        self.until("the picture", |world| world.fence[WATCHER] >= fence);
        let picture = self.picture.take().unwrap_or_default();
        let Some(end) = self.end else {
            (STEADY..PLAYERS).for_each(|player| self.join(player, addr));
            return self.until("all are there", |world| world.newest[PLAYERS - 1] > 0);
        };
        self.model.check_picture(end, &picture);
        for player in STEADY..PLAYERS {
            if self.players[player].is_away() {
                self.players[player].connect(addr).unwrap();
            }
            self.report(player);
        }
        self.until("all are back", |world| world.newest[STEADY..].iter().all(|&n| n > 0));
        let fence = self.fence();
        self.until("what waited", |world| {
            world.fence.iter().enumerate().all(|(player, &n)| player == STEADY || n >= fence)
        });
        self.model.check_chats(end);
    }

    /// Connects a player that says who it is.
    fn join(&mut self, player: usize, addr: SocketAddr) {
        if self.players[player].is_away() {
            self.players[player].connect(addr).unwrap();
        }
        self.report(player);
    }

    /// A player says where it is. The watcher is not shown its own.
    fn report(&mut self, player: usize) {
        let uid = name(player);
        let effect = Effect::Shows(Shown::Event(0));
        let stamp = match player {
            WATCHER => self.model.begin(player, Effect::Other, None),
            _ => self.model.begin(player, effect, Some(&uid)),
        };
        self.players[player].say(&event::position(stamp));
    }

    /// Has something sent that everyone but its sender gets behind all that was sent before.
    fn fence(&mut self) -> u32 {
        let stamp = self.model.begin(STEADY, Effect::Other, None);
        self.players[STEADY].say(&event::marker(stamp, FENCE));
        stamp.n
    }

    fn make_crowd(&mut self) {
        for at in 0..self.plan.crowd {
            self.put(STEADY, &format!("{}.c{at}", name(STEADY)));
            if at % 50 == 0 {
                self.look(None);
            }
        }
    }

    fn work(&mut self, time: Duration) {
        if let Some(http) = self.server.as_ref().and_then(|server| server.http) {
            self.packages.work(http);
        }
        let until = now() + time;
        while now() < until {
            for _ in 0..self.rng.below(4) {
                let players = (PLAYERS - STEADY) as u64;
                let player = STEADY + usize::try_from(self.rng.below(players)).unwrap();
                self.act(player);
            }
            self.look(None);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// A player does something.
    fn act(&mut self, player: usize) {
        if !self.players[player].is_here() {
            let is_told = self.model.unseen_leave(player).is_none();
            if self.players[player].is_away() && is_told && self.rng.below(100) < 20 {
                let Some(server) = &self.server else { return };
                self.join(player, server.cot);
            }
            return;
        }
        let own = name(player);
        match self.rng.below(100) {
            0..25 => self.report(player),
            25..58 if player == STEADY && self.plan.crowd > 0 => {
                let at = self.rng.below(self.plan.crowd);
                self.put(player, &format!("{own}.c{at}"));
            }
            25..58 => {
                let at = self.rng.below(self.plan.markers);
                self.put(player, &format!("{own}.m{at}"));
            }
            58..67 => {
                let uid = format!("{own}.m{}", self.rng.below(self.plan.markers));
                if matches!(self.model.now_shown(&uid), Shown::Event(_)) {
                    let effect = Effect::Shows(Shown::Deletion);
                    let stamp = self.model.begin(player, effect, Some(&uid));
                    self.players[player].say(&event::deletion(stamp, &uid));
                }
            }
            67..73 => {
                let uid = format!("{own}.a{}", self.rng.below(2));
                self.alert(player, &uid);
            }
            73..90 => {
                for _ in 0..*self.rng.one(&[1, 1, 1, 4]) {
                    self.chat(player);
                }
            }
            90..93 => {
                let stamp = self.model.begin(player, Effect::Other, None);
                let text = event::brief(stamp, &format!("{own}.{BRIEF}"), BRIEF_MS);
                self.players[player].say(&text);
            }
            _ if player == STEADY => {}
            _ => {
                self.model.begin(player, Effect::Leave, Some(&own));
                self.players[player].leave();
            }
        }
    }

    fn put(&mut self, player: usize, uid: &str) {
        let stamp = self.model.begin(player, Effect::Shows(Shown::Event(0)), Some(uid));
        self.players[player].say(&event::marker(stamp, uid));
    }

    /// Raises an alert, or cancels it.
    fn alert(&mut self, player: usize, uid: &str) {
        let is_on = matches!(self.model.now_shown(uid), Shown::Event(_));
        let shown = if is_on { Shown::Nothing } else { Shown::Event(0) };
        let stamp = self.model.begin(player, Effect::Shows(shown), Some(uid));
        let text = if is_on { event::cancel(stamp, uid) } else { event::alert(stamp, uid) };
        self.players[player].say(&text);
    }

    fn chat(&mut self, player: usize) {
        let others = (PLAYERS - STEADY - 1) as u64;
        let to = STEADY + 1 + usize::try_from(self.rng.below(others)).unwrap();
        if to != player {
            let stamp = self.model.begin(player, Effect::Chat { to }, None);
            let text = event::chat(stamp, self.rng.next(), to);
            self.players[player].say(&text);
        }
    }

    /// Ends the server without warning.
    fn end(&mut self, end: Ender<'_>) {
        let Some(mut server) = self.server.take() else { return };
        let waited = self.waited_lately(server.waited());
        let at = end(&mut server);
        drop(server);
        self.packages.stop();
        let slack = MARGIN + WRITES * self.slowest(at) + waited;
        self.tally.slack.push(slack);
        let before = |time: Duration| at.checked_sub(time + slack).unwrap_or(at);
        self.is_over(End {
            at,
            durable: before(self.plan.sync),
            delivered: before(self.plan.sync + TICK),
            dumped: before(DUMP_INTERVAL),
        });
    }

    /// Has the server stop, which loses nothing.
    fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        self.packages.stop();
        self.look(None);
        let at = now();
        server.signal(Signal::TERM);
        // What the players got meanwhile is read afterwards.
        if !server.ended() {
            self.model.fault(Fault::Wrong, "the server did not stop well".to_owned());
        }
        self.is_over(End { at, durable: at, delivered: at, dumped: at });
    }

    /// Takes in what the players still got.
    fn is_over(&mut self, end: End) {
        let begin = now();
        self.looked = begin;
        while self.players.iter().any(|player| !player.is_away()) {
            self.look(Some(end.at));
            assert!(now().duration_since(begin) < PATIENCE, "connections outlive the server");
        }
        self.model.ended(end);
        self.end = Some(end);
    }

    /// For how long the server waited for a processor within the last second or so, by what it has
    /// waited in all. Only a thread that works for long finds out how busy a machine is.
    fn waited_lately(&self, in_all: Duration) -> Duration {
        let now = now();
        let is_past = |(at, _): &&(Instant, Duration)| now.duration_since(*at) > 2 * TICK;
        let past = self.waits.iter().rev().find(is_past).map(|&(_, waited)| waited);
        in_all.saturating_sub(past.unwrap_or_default())
    }

    /// The longest that the machine took for anything lately.
    fn slowest(&self, at: Instant) -> Duration {
        let since = at.checked_sub(Duration::from_secs(3)).unwrap_or(at);
        let hiccups = self.hiccups.iter().filter(|(ended, _)| *ended >= since);
        let hiccup = hiccups.map(|&(_, took)| took).max().unwrap_or_default();
        hiccup.max(self.probe.slowest(since))
    }

    /// Looks at the players until something is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begin = now();
        while !is_so(self) {
            if now().duration_since(begin) > PATIENCE {
                return self.model.fault(Fault::Lost, format!("not in time: {what}"));
            }
            self.look(None);
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Takes what the players got, as if at `at`.
    fn look(&mut self, at: Option<Instant>) {
        let now = now();
        let since = now.duration_since(std::mem::replace(&mut self.looked, now));
        if since > Duration::from_millis(20) {
            self.hiccups.push((now, since));
        }
        let is_due = |(at, _): &(Instant, Duration)| now.duration_since(*at) > TICK / 5;
        if let Some(server) = self.server.as_ref().filter(|_| self.waits.last().is_none_or(is_due))
        {
            self.waits.push((now, server.waited()));
        }
        for player in 0..PLAYERS {
            for got in self.players[player].read() {
                self.got(player, &got, at.unwrap_or(now));
            }
        }
    }

    fn got(&mut self, player: usize, got: &Got, at: Instant) {
        let Some(stamp) = got.stamp else {
            // A notice that somebody has gone. Pongs are not looked at.
            if player == WATCHER
                && let Some(gone) = got.link.as_deref().and_then(number)
                && let Some(leave) = self.model.unseen_leave(gone)
            {
                self.model.seen(leave, at);
            }
            return;
        };
        if stamp.by >= PLAYERS || self.model.op(stamp).is_none() {
            return self.model.fault(Fault::Wrong, format!("{stamp:?} was never sent"));
        }
        if got.uid == FENCE {
            self.fence[player] = self.fence[player].max(stamp.n);
        }
        match got.kind.as_str() {
            "b-t-f-s" => {
                if let Some(op) = self.model.op(stamp) {
                    op.is_returned = true;
                }
            }
            "b-t-f" => self.model.chat_received(stamp, player, at, self.end),
            _ if player == WATCHER => self.watched(got, stamp, at),
            _ => {}
        }
    }

    /// The watcher got something that is for all.
    fn watched(&mut self, got: &Got, stamp: Stamp, at: Instant) {
        let is_alert = got.kind.starts_with("b-a-");
        let newest = &mut self.newest[stamp.by];
        if stamp.n > *newest {
            *newest = stamp.n;
        } else if !is_alert {
            // The server repeats alerts, and nothing else.
            let what = format!("{stamp:?} ({}) came behind {newest}", got.uid);
            self.model.fault(Fault::Wrong, what);
        }
        if self.picture.is_some() {
            self.pictured(got, stamp, is_alert);
        }
        // What was sent before the last end does not tell what was got since.
        if self.model.op(stamp).is_some_and(|op| op.end.is_none()) {
            self.model.seen(stamp, at);
        }
    }

    /// The watcher is shown something that it had not seen happen.
    fn pictured(&mut self, got: &Got, stamp: Stamp, is_alert: bool) {
        if got.uid == FENCE {
            return;
        }
        if got.uid.ends_with(BRIEF) {
            let seen = self.model.op(stamp).and_then(|op| op.seen);
            let valid = Duration::from_millis(u64::from(BRIEF_MS) + 1);
            if seen.is_some_and(|seen| self.picture_since > seen + valid) {
                let what = format!("{} is shown although its time is over", got.uid);
                self.model.fault(Fault::Revived, what);
            }
            return;
        }
        let (uid, shown) = match (got.kind.as_str(), &got.link) {
            ("t-x-d-d", Some(link)) => (link, Shown::Deletion),
            _ => (&got.uid, Shown::Event(stamp.n)),
        };
        let picture = self.picture.get_or_insert_default();
        let former = picture.insert(uid.clone(), shown);
        if former.is_some_and(|former| !is_alert || former != shown) {
            self.model.fault(Fault::Repeated, format!("{uid} is shown twice"));
        }
    }
}

/// The uid of what is sent to know that all before it has come.
const FENCE: &str = "fence";

/// How the uids of brief markers end.
const BRIEF: &str = "brief";

/// The player of this name.
fn number(name: &str) -> Option<usize> {
    name.strip_prefix('P')?.parse().ok().filter(|&player| player < PLAYERS)
}
