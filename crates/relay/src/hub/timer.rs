//! What happens by itself: replays begin, alerts repeat, things run out, the dead are found.

use super::Hub;
use super::accept::alert_key;
use super::client::{Client, Flow, MAX_TEAM_CHANGES};
use super::keys::{KeyId, KeyKind};
use super::log::{Meta, Seq};
use crate::now::{Now, millis};
use crate::reason::{CloseReason, DropReason};

/// Time between two rounds of everything that need not be exact, in milliseconds.
const TICK_MS: u64 = 1_000;

/// Bytes within [`write_timeout`](crate::HubConfig::write_timeout) that show a stalled client to be
/// alive; a byte now and then does not.
const LEAST_PROGRESS: usize = 4 << 10;

impl Hub {
    /// When [`handle_timeout`](Self::handle_timeout) must be called next, on the monotonic clock in
    /// milliseconds. `None` when nothing will happen by itself.
    pub fn poll_timeout(&self) -> Option<u64> {
        let hold = self.holds.front().map(|&(until_ms, _)| until_ms);
        let is_quiet = self.clients.is_empty()
            && self.log.keys.len() == 0
            && self.alerts.len() == 0
            && self.roster.is_empty();
        let tick = (!is_quiet).then_some(self.next_tick_ms);
        hold.into_iter().chain(tick).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(&(until_ms, client)) = self.holds.front() {
            if until_ms > now.mono_ms {
                break;
            }
            self.holds.pop_front();
            self.release_hold(client);
        }
        if now.mono_ms < self.next_tick_ms {
            return;
        }
        self.next_tick_ms = now.mono_ms + TICK_MS;
        self.repeat_alerts(now);
        self.expire(now.mono_ms);
        self.settle_held(None);
        self.expire_held(now);
        self.check_clients(now.mono_ms);
        let unread = self.oldest_unread();
        self.prune(unread);
        self.prune_departed(unread);
        self.pending.touch();
        self.settle();
        // What nobody reads any more goes now, however little it is.
        self.trim(0);
    }

    /// Keeps the memory for newcomers within its bounds: the oldest goes first.
    pub(super) fn bound_state(&mut self) {
        while self.departed.len() > self.config.max_state_events {
            self.forget_departed(DropReason::StateFull);
        }
        while self.log.keys.len() > self.config.max_state_events {
            if self.forget_departed(DropReason::StateFull) {
                continue;
            }
            let Some(key) = self.oldest_kept().or_else(|| self.oldest_in_tail()) else { return };
            self.evict(key);
        }
        while self.log.state_bytes > self.config.max_state_bytes {
            let Some(key) = self.oldest_kept() else { return };
            self.evict(key);
        }
    }

    /// Forgets the uid that left first. Newcomers are not told of it anyway.
    fn forget_departed(&mut self, reason: DropReason) -> bool {
        let Some((key, seq)) = self.departed.pop_front() else { return false };
        if self.log.keys.newest(key) == seq {
            self.forget_key(key, Some(reason));
        }
        true
    }

    fn evict(&mut self, key: KeyId) {
        self.stats.state_evicted += 1;
        self.forget_key(key, Some(DropReason::StateFull));
    }

    fn oldest_kept(&self) -> Option<KeyId> {
        let log = &self.log;
        let may_go = |seq, meta: &Meta| log.is_newest(seq, meta) && !log.is_alert(meta);
        let mut kept = log.kept.iter().filter(|(seq, kept)| may_go(**seq, &kept.meta));
        kept.next().and_then(|(_, kept)| kept.meta.key)
    }

    fn oldest_in_tail(&self) -> Option<KeyId> {
        let log = &self.log;
        let may_go = |seq, meta: &Meta| log.is_newest(seq, meta) && !log.is_alert(meta);
        let mut entries = log.entries_from(0).filter(|(seq, entry)| may_go(*seq, &entry.meta));
        entries.next().and_then(|(_, entry)| entry.meta.key)
    }

    fn repeat_alerts(&mut self, now: Now) {
        let period_ms = millis(self.config.emergency_period);
        self.alerts.expire(now.mono_ms);
        let mut alerts = std::mem::take(&mut self.alerts);
        for alert in alerts.due(now.mono_ms, period_ms) {
            alert.refreshed(now, |event, edits| {
                let name = alert_key(&alert.uid);
                let key = self.log.keys.find(alert.scope, &name);
                let key = key.unwrap_or_else(|| {
                    self.log.keys.insert(alert.scope, &name, alert.origin.clone())
                });
                if let Some(slot) = self.log.keys.get_mut(key) {
                    (slot.kind, slot.until_ms) = (KeyKind::Emergency, alert.until_ms);
                }
                let meta = Meta { key: Some(key), ..alert.meta };
                let seq = self.append(event, edits, meta);
                self.supersede(key, seq);
            });
        }
        self.alerts = alerts;
    }

    fn expire(&mut self, now_ms: u64) {
        let gone: Vec<_> = self
            .log
            .keys
            .iter()
            .filter(|(_, key)| key.until_ms <= now_ms)
            .map(|(id, _)| id)
            .collect();
        for key in gone {
            self.forget_key(key, Some(DropReason::Stale));
        }
    }

    fn check_clients(&mut self, now_ms: u64) {
        let mut quiet = Vec::new();
        let mut dead = Vec::new();
        let config = &self.config;
        for (_, client) in &mut self.clients {
            if let Some(reason) = reason_to_close(client, config, now_ms) {
                dead.push((client.id, reason));
                continue;
            }
            client.team_changes = (client.team_changes + 1).min(MAX_TEAM_CHANGES);
            let since = |at: Option<u64>| now_ms - at.unwrap_or(client.connected_ms).min(now_ms);
            let heartbeat = millis(config.heartbeat);
            if heartbeat > 0
                && client.flow == Flow::Idle
                && since(client.last_out_ms) >= heartbeat
                && client.peer.viewer.is_none()
            {
                client.owes_pong = true;
                quiet.push(client.id);
            }
            let has_stalled = client.blocked.is_some_and(|blocked| {
                now_ms.saturating_sub(blocked.since_ms) >= millis(config.stall_grace)
            });
            if has_stalled && !client.is_behind && client.in_flight.is_none() {
                client.is_behind = true;
                self.behind += 1;
            }
        }
        quiet.into_iter().for_each(|client| self.wake(client));
        dead.into_iter().for_each(|(client, reason)| self.close(client, reason));
    }

    /// The oldest event that somebody may still have to be sent live.
    fn oldest_unread(&self) -> Seq {
        let clients = self.clients.iter().map(|(_, client)| client);
        let busy = clients.filter(|client| client.flow != Flow::Idle);
        busy.map(|client| client.cursor.max(client.joined)).min().unwrap_or(Seq::MAX)
    }

    /// Forgets those who left, as soon as everyone has been told.
    fn prune_departed(&mut self, unread: Seq) {
        while let Some(&(key, seq)) = self.departed.front() {
            let is_told = seq < unread && seq < self.log.first();
            if self.log.keys.newest(key) == seq && !is_told {
                return;
            }
            self.forget_departed(DropReason::Stale);
        }
    }

    /// Lets go of critical events that everyone has read who had to.
    fn prune(&mut self, unread: Seq) {
        let log = &self.log;
        let read: Vec<_> = log
            .kept
            .range(..unread)
            .filter(|(seq, kept)| kept.meta.is_critical && !log.is_newest(**seq, &kept.meta))
            .map(|(&seq, _)| seq)
            .collect();
        for seq in read {
            self.log.drop_kept(seq);
        }
    }
}

fn reason_to_close(
    client: &mut Client,
    config: &crate::HubConfig,
    now_ms: u64,
) -> Option<CloseReason> {
    let is_over = |since: u64, limit: std::time::Duration| {
        let limit = millis(limit);
        limit > 0 && now_ms.saturating_sub(since) >= limit
    };
    if client.closing.is_some() {
        return None;
    }
    if client.partial_since_ms.is_some_and(|since| is_over(since, config.event_timeout)) {
        return Some(CloseReason::SlowEvent);
    }
    let last_in = client.last_in_ms.unwrap_or(client.connected_ms);
    if client.has_pinged && is_over(last_in, config.idle_timeout) {
        return Some(CloseReason::Idle);
    }
    if client.critical_lag > config.max_critical_lag {
        return Some(CloseReason::SlowConsumer);
    }
    let blocked = client.blocked.as_mut()?;
    if !is_over(blocked.counted_ms, config.write_timeout) {
        return None;
    }
    let is_stuck = blocked.bytes < LEAST_PROGRESS;
    (blocked.counted_ms, blocked.bytes) = (now_ms, 0);
    is_stuck.then_some(CloseReason::WriteTimeout)
}
