//! What holds for every script of joins, leaves, team changes, stalls and traffic.
#![allow(
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed, and helpers are no test functions"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use relay::{ClientId, ExportCursor, HubConfig, Observe, Observed, Peer, TeamPolicy, Viewer};
use support::{Sim, attribute, dest, event, sa};

const TEAMS: [&str; 5] = ["", "Red", "Blue", "Cyan", "HQ"];

#[derive(Clone, Debug)]
enum Step {
    Connect,
    Identify { who: usize, team: usize },
    Marker { who: usize, uid: usize },
    Chat { who: usize },
    Directed { who: usize, to: usize },
    Alert { who: usize },
    Delete { who: usize, uid: usize },
    Submit { team: usize, uid: usize },
    Look { team: usize },
    Leave { who: usize },
    Stall { who: usize },
    Resume { who: usize },
    Wait { ms: u64 },
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Connect),
        3 => (0..9usize, 0..TEAMS.len()).prop_map(|(who, team)| Step::Identify { who, team }),
        8 => (0..9usize, 0..4usize).prop_map(|(who, uid)| Step::Marker { who, uid }),
        3 => (0..9usize).prop_map(|who| Step::Chat { who }),
        3 => (0..9usize, 0..9usize).prop_map(|(who, to)| Step::Directed { who, to }),
        1 => (0..9usize).prop_map(|who| Step::Alert { who }),
        1 => (0..9usize, 0..4usize).prop_map(|(who, uid)| Step::Delete { who, uid }),
        3 => (0..TEAMS.len(), 0..4usize).prop_map(|(team, uid)| Step::Submit { team, uid }),
        2 => (0..TEAMS.len()).prop_map(|team| Step::Look { team }),
        1 => (0..9usize).prop_map(|who| Step::Leave { who }),
        1 => (0..9usize).prop_map(|who| Step::Stall { who }),
        1 => (0..9usize).prop_map(|who| Step::Resume { who }),
        2 => (1..3_000u64).prop_map(|ms| Step::Wait { ms }),
    ];
    prop::collection::vec(step, 1..most)
}

fn policies() -> impl Strategy<Value = TeamPolicy> {
    let rules = ["Red -> Blue", "Blue <-> Cyan", "* -> HQ", "HQ -> *", " Red <-> HQ"];
    (any::<bool>(), prop::sample::subsequence(rules.to_vec(), 0..=rules.len())).prop_map(
        |(open, rules)| {
            let mut policy = if open { TeamPolicy::open() } else { TeamPolicy::isolated() };
            rules.iter().for_each(|rule| policy.allow(rule.parse().expect("a rule")));
            policy
        },
    )
}

/// The naive router: who is in which team, and which team each event came from.
struct Model {
    policy: TeamPolicy,
    clients: Vec<ClientId>,
    team: BTreeMap<ClientId, &'static str>,
    stalled: BTreeSet<ClientId>,
    in_replay: BTreeSet<ClientId>,
    origin: BTreeMap<String, &'static str>,
    /// Who has said who it is. Only those can be said to have gone.
    known: BTreeSet<ClientId>,
    next: usize,
}

impl Model {
    fn who(&self, who: usize) -> Option<ClientId> {
        (!self.clients.is_empty()).then(|| self.clients[who % self.clients.len()])
    }

    fn tag(&mut self, from: ClientId) -> String {
        self.tag_of_team(self.team[&from])
    }

    fn tag_of_team(&mut self, team: &'static str) -> String {
        self.next += 1;
        let tag = format!("tag-{}", self.next);
        self.origin.insert(tag.clone(), team);
        tag
    }

    fn permits(&self, tag: &str, to: ClientId) -> bool {
        self.policy.permits(self.origin[tag], self.team[&to])
    }
}

/// The tag of an event: what tells one from every other. Notices carry theirs in the uid.
fn tag_of(event: &str) -> String {
    if event.contains(" tag=\"") { attribute(event, "tag") } else { attribute(event, "uid") }
}

fn tagged(uid: &str, kind: &str, tag: &str, more: &str) -> String {
    event(uid, kind, &format!(r#"<t tag="{tag}"/>{more}"#))
}

fn run(policy: &TeamPolicy, steps: &[Step]) {
    let mut config = HubConfig::default();
    config.teams = policy.clone();
    config.stall_grace = std::time::Duration::from_millis(500);
    let mut sim = Sim::new(config);
    sim.hub.observe(Observe::new(true, false));
    let mut model = Model {
        policy: policy.clone(),
        clients: Vec::new(),
        team: BTreeMap::new(),
        stalled: BTreeSet::new(),
        in_replay: BTreeSet::new(),
        origin: BTreeMap::new(),
        known: BTreeSet::new(),
        next: 0,
    };
    for step in steps {
        sim.advance(1);
        let told = play(&mut sim, &mut model, step);
        for &client in &model.clients {
            let got: Vec<_> = sim.events(client).iter().map(|event| tag_of(event)).collect();
            let got: Vec<_> = got.into_iter().filter(|tag| tag != "takPong").collect();
            for tag in &got {
                assert!(
                    model.permits(tag, client),
                    "{tag} must not reach {client:?} after {step:?}"
                );
            }
            let Some((from, tag, to)) = &told else { continue };
            let listens = !model.stalled.contains(&client) && !model.in_replay.contains(&client);
            let addressed = to.is_none_or(|to| to == client) && *from != Some(client);
            if listens {
                let expected = addressed && model.permits(tag, client);
                assert_eq!(got.contains(tag), expected, "{tag} to {client:?} after {step:?}");
            }
        }
    }
    check_counts(&mut sim, &mut Observed::default());
}

/// What a viewer is told is what one who looks on is sent, and each uid's newest is of it.
fn look(sim: &mut Sim, team: &'static str) {
    let viewer = Viewer::team(team);
    let (mut cursor, mut picture) = (ExportCursor::default(), Vec::new());
    while let Some(items) = sim.hub.picture(sim.now, &mut cursor, 3, &viewer) {
        picture.extend(items);
    }
    let mut newest: BTreeMap<String, (u64, String)> = BTreeMap::new();
    let mut texts = Vec::new();
    for item in picture {
        let text = String::from_utf8(item.event.to_vec()).expect("UTF-8");
        let known = newest.entry(item.uid.to_string()).or_default();
        *known = std::cmp::max(known.clone(), (item.seq, text.clone()));
        texts.push(text);
    }
    for (uid, (_, text)) in newest {
        assert_eq!(sim.newest(&uid, &viewer), Some(text), "{uid} for {team}");
    }
    let looker = sim.connect_as(Peer::viewing("test", viewer));
    // Deletions are replayed too, and are no items.
    let mut replay = sim.events(looker);
    replay.retain(|event| !event.contains("t-x-d-d"));
    replay.sort();
    texts.sort();
    assert_eq!(replay, texts, "the picture of {team}");
    sim.leave(looker);
}

/// Every message that came in, from clients or callers, has been judged once.
fn check_counts(sim: &mut Sim, observed: &mut Observed) {
    sim.hub.take_observed(observed);
    let stats = sim.hub.stats();
    let judged =
        observed.events.len() as u64 + stats.events_control + stats.events_rejected.total();
    assert_eq!(stats.events_in + stats.events_submitted, judged, "{stats:?}");
}

/// Plays one step; returns the event it made: its sender if it was a client, its tag and its only addressee.
fn play(
    sim: &mut Sim,
    model: &mut Model,
    step: &Step,
) -> Option<(Option<ClientId>, String, Option<ClientId>)> {
    let now = sim.now.unix_ms;
    match *step {
        Step::Connect if model.clients.len() < 9 => {
            let client = sim.connect();
            model.clients.push(client);
            model.team.insert(client, model.policy.default_team().map_or("", |_| ""));
            model.in_replay.insert(client);
            None
        }
        Step::Identify { who, team } => {
            let client = model.who(who)?;
            let team = if TEAMS[team].is_empty() { model.team[&client] } else { TEAMS[team] };
            let old = model.team.insert(client, team).unwrap_or("");
            let uid = format!("uid-{}", client.as_u64());
            if !model.known.insert(client) {
                model.origin.insert(format!("{uid}-gone-{now}"), old);
            }
            let tag = model.tag(client);
            model.in_replay.remove(&client);
            let body = format!(r#"<t tag="{tag}"/></detail>"#);
            sim.say(client, sa(&uid, &uid, team).replace("</detail>", &body));
            Some((Some(client), tag, None))
        }
        Step::Marker { who, uid } => {
            let client = model.who(who)?;
            let tag = model.tag(client);
            // A minute more each time, so that it is never an old copy.
            let time = cot_core::CotTime::from_unix_millis(now).to_string();
            let text = tagged(&format!("M{uid}"), "a-u-G", &tag, "");
            sim.say(
                client,
                text.replace("2026-01-01T00:00:00.000Z", &time)
                    .replace("00:06:00.000Z", "23:06:00.000Z"),
            );
            Some((Some(client), tag, None))
        }
        Step::Chat { who } => {
            let client = model.who(who)?;
            let tag = model.tag(client);
            sim.say(client, tagged("chat", "b-t-f", &tag, ""));
            Some((Some(client), tag, None))
        }
        Step::Directed { who, to } => {
            let (client, to) = (model.who(who)?, model.who(to)?);
            let tag = model.tag(client);
            let dests = dest("uid", &format!("uid-{}", to.as_u64()));
            let known = sim.hub.contacts(sim.now).iter().any(|row| row.clients.contains(&to));
            sim.say(client, tagged("direct", "a-u-G", &tag, &format!("<marti>{dests}</marti>")));
            known.then_some((Some(client), tag, Some(to)))
        }
        Step::Alert { who } => {
            let client = model.who(who)?;
            let tag = model.tag(client);
            let uid = format!("E{}", client.as_u64());
            sim.say(client, tagged(&uid, "b-a-o-tbl", &tag, "<emergency/>"));
            Some((Some(client), tag, None))
        }
        Step::Delete { who, uid } => {
            let client = model.who(who)?;
            let tag = model.tag(client);
            let link = format!(r#"<link uid="M{uid}" type="a-u-G" relation="none"/>"#);
            sim.say(client, tagged("delete", "t-x-d-d", &tag, &link));
            Some((Some(client), tag, None))
        }
        Step::Submit { team, uid } => {
            let tag = model.tag_of_team(TEAMS[team]);
            let time = cot_core::CotTime::from_unix_millis(now).to_string();
            let text = tagged(&format!("M{uid}"), "a-u-G", &tag, "");
            let text = text.replace("2026-01-01T00:00:00.000Z", &time);
            let done =
                sim.submit(Some(TEAMS[team]), text.replace("00:06:00.000Z", "23:06:00.000Z"));
            let to = model.clients.iter().filter(|&&client| model.permits(&tag, client));
            assert_eq!(done.reached, to.count(), "{tag}");
            Some((None, tag, None))
        }
        Step::Look { team } => {
            look(sim, TEAMS[team]);
            None
        }
        Step::Leave { who } => {
            let client = model.who(who)?;
            model.clients.retain(|&other| other != client);
            model.origin.insert(format!("uid-{}-gone-{now}", client.as_u64()), model.team[&client]);
            sim.leave(client);
            None
        }
        Step::Stall { who } => {
            let client = model.who(who)?;
            model.stalled.insert(client);
            sim.stall(client, 0);
            None
        }
        Step::Resume { who } => {
            let client = model.who(who)?;
            model.stalled.remove(&client);
            sim.resume(client);
            None
        }
        Step::Wait { ms } => {
            sim.advance(ms);
            if ms >= 250 {
                model.in_replay.clear();
            }
            None
        }
        Step::Connect => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Isolation and completeness against the naive router.
    #[test]
    fn no_event_reaches_whom_the_policy_forbids_and_every_other_one_arrives(
        policy in policies(), steps in steps(120)
    ) {
        run(&policy, &steps);
    }

    /// accepted = delivered + conflated + dropped + pending, seen from outside.
    #[test]
    fn every_copy_is_delivered_conflated_or_dropped(
        windows in prop::collection::vec((0..5usize, 0..40_000usize), 0..30),
        rounds in 1..40usize,
        log_bytes in 20_000..200_000usize,
    ) {
        let mut config = HubConfig::default();
        config.log_bytes = log_bytes;
        config.stall_grace = std::time::Duration::from_millis(300);
        config.max_critical_lag = 1 << 30;
        let mut sim = Sim::new(config);
        let alpha = sim.listener();
        let readers: Vec<_> = (0..5).map(|_| sim.listener()).collect();
        let mut seen: BTreeMap<ClientId, usize> = BTreeMap::new();
        let mut sent = 0;
        for round in 0..rounds {
            if let Some(&(who, window)) = windows.get(round) {
                sim.stall(readers[who], window);
            }
            for i in 0..50 {
                let kind = if i % 10 == 0 { "b-t-f" } else { "a-u-G" };
                sim.say_unsettled(alpha, tagged(&format!("M{}", i % 7), kind, &format!("{round}-{i}"), ""));
                sent += 1;
            }
            sim.advance(100);
            if round % 4 == 3 {
                sim.resume(readers[round % 5]);
            }
        }
        readers.iter().for_each(|&id| sim.resume(id));
        sim.advance(2_000);
        for &id in &readers {
            let got = sim.events(id);
            let tags: BTreeSet<_> = got.iter().map(|event| tag_of(event)).collect();
            prop_assert_eq!(tags.len(), got.len(), "no duplicates");
            seen.insert(id, got.len());
            let row = sim.hub.clients(sim.now).into_iter().find(|row| row.id == id).expect("a row");
            prop_assert_eq!(row.delivered, got.len() as u64);
            prop_assert_eq!(row.delivered + row.conflated + row.dropped.total(), sent as u64);
            prop_assert_eq!(row.lag_events, 0);
            let chats = got.iter().filter(|event| event.contains("b-t-f")).count();
            prop_assert_eq!(chats, rounds * 5, "nothing critical is lost");
            for uid in 1..7 {
                let last = format!("tag=\"{}-{}\"", rounds - 1, 49 - (49 - uid) % 7);
                prop_assert!(got.iter().any(|event| event.contains(&last)), "the newest of M{} arrives", uid);
            }
        }
    }
}

#[test]
fn what_a_closing_client_has_not_read_is_counted() {
    let mut sim = Sim::open();
    let (alpha, slow) = (sim.listener(), sim.listener());
    sim.stall(slow, 0);
    (0..100).for_each(|i| sim.say(alpha, event(&format!("M{i}"), "a-u-G", "")));
    sim.leave(slow);
    let stats = sim.hub.stats();
    assert_eq!(stats.dropped.of(relay::DropReason::Closed), 100);
    assert_eq!(stats.delivered + stats.conflated + stats.dropped.total(), 100);
}
