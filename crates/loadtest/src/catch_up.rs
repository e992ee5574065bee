//! Clients that had stalled read again: how soon, and through how much, they are up to date.

use crate::clock::nanos;
use crate::fleet::Fleet;
use crate::marker::{HELLO, VISITOR};
use crate::progress::{Phase, Watch};
use crate::report::{CatchUp, micros};
use crate::steady::TURN_NS;
use crate::{LoadError, Plan, Progress};

/// What one resumed client lacks.
struct Resumed {
    link: usize,
    /// Per sender, whether it has the last event.
    has_last: Vec<bool>,
    missing: usize,
}

/// Lets the stalled clients read on, until each has the last event of every sender it hears.
///
/// Nothing is sent meanwhile, so the last events are those in `sent`. Clients that the server has
/// closed are left out; nothing if none is left.
pub(crate) fn run(
    plan: &Plan,
    fleet: &mut Fleet,
    sent: &[u32],
    watch: &mut Watch<'_>,
) -> Result<Option<CatchUp>, LoadError> {
    let mut resumed = resume(fleet, sent);
    if resumed.is_empty() {
        return Ok(None);
    }
    let clients = resumed.len();
    let patience = nanos(plan.patience);
    let begin = fleet.swarm.now();
    let mut latest = begin;
    let mut up_to_date = begin;
    let mut events = 0;
    let mut missing: usize = resumed.iter().map(|resumed| resumed.missing).sum();
    let total = missing as u64;
    while missing > 0 {
        let now = fleet.swarm.now();
        if now - latest > patience {
            break;
        }
        let run = fleet.run;
        fleet.swarm.turn(now + TURN_NS, |arrival| {
            let Some(marker) = arrival.marker.filter(|marker| marker.run == run) else { return };
            let resumed = resumed.iter_mut().find(|resumed| resumed.link == arrival.link);
            let (Some(resumed), true) = (resumed, is_counted(marker.sender, marker.seq)) else {
                return;
            };
            latest = arrival.now;
            events += 1;
            let sender = usize::from(marker.sender);
            let is_last = sent.get(sender) == Some(&(marker.seq + 1));
            if let Some(has) = resumed.has_last.get_mut(sender)
                && is_last
                && !std::mem::replace(has, true)
            {
                resumed.missing -= 1;
                missing -= 1;
                up_to_date = arrival.now;
            }
        })?;
        fleet.check_ended(plan)?;
        watch.tick(now, || Progress {
            phase: Phase::CatchingUp,
            done: total - missing as u64,
            total,
            deliveries: events,
        });
    }
    let complete = resumed.iter().filter(|resumed| resumed.missing == 0).count();
    Ok(Some(CatchUp {
        clients: clients as u64,
        complete: complete as u64,
        slowest_us: micros(up_to_date - begin),
        events,
    }))
}

fn is_counted(sender: u16, seq: u32) -> bool {
    sender != VISITOR && seq != HELLO
}

/// Makes the stalled clients read, and says what they have to get.
fn resume(fleet: &mut Fleet, sent: &[u32]) -> Vec<Resumed> {
    let mut resumed = Vec::new();
    for &link in &fleet.stalling {
        if !fleet.swarm.resume(link) {
            continue;
        }
        let team = fleet.teams.get(link);
        let hears = |(sender, (team_of_sender, sent)): (usize, (&u32, &u32))| {
            sender != link && Some(team_of_sender) == team && *sent > 0
        };
        let senders = fleet.teams.iter().zip(sent).enumerate();
        let has_last: Vec<bool> = senders.map(|sender| !hears(sender)).collect();
        let missing = has_last.iter().filter(|has| !**has).count();
        resumed.push(Resumed { link, has_last, missing });
    }
    resumed
}
