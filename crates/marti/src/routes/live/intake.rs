//! Events that web tools send.

use cot_core::{Deframer, Event, FrameError, Item, Limits, Scanner};
use relay::server::Relay;
use relay::{DropReason, PublishError};
use serde::Serialize;
use serde_json::value::RawValue;

/// Refused events that the answer tells of one by one.
const MAX_ERRORS: usize = 100;

/// Events that are taken before others have a turn.
const TURN: usize = 64;

/// In whose name events go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// An operator's: every team receives them.
    Operator,
    /// A team's; the empty name stands for those who named none.
    Team(String),
}

/// What came of events.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Done {
    /// How many there were.
    pub(super) events: u64,
    /// Deliveries to connections, of all events together.
    reached: usize,
    /// Deliveries to those who are away, for whom they are held.
    held: usize,
    /// How many of the events went nowhere because something was wrong.
    pub(super) refused: u64,
    /// Which, and why.
    errors: Vec<Refused>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Refused {
    /// Which event, from 0.
    index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    /// A word for programs.
    reason: &'static str,
    message: String,
}

/// Gives events to the relay, and remembers what came of them.
#[derive(Debug)]
pub(super) struct Intake<'a> {
    relay: &'a Relay,
    sender: &'a Sender,
    done: Done,
}

impl<'a> Intake<'a> {
    pub(super) fn new(relay: &'a Relay, sender: &'a Sender) -> Self {
        Self { relay, sender, done: Done::default() }
    }

    /// Takes all events of a text: XML, one or several behind each other; or JSON, objects or lists
    /// of them.
    pub(super) async fn take(&mut self, text: &[u8]) {
        match text.trim_ascii_start().first() {
            None => {}
            Some(b'[' | b'{') => self.take_json(text).await,
            Some(_) => self.take_xml(text).await,
        }
    }

    pub(super) fn finish(self) -> Done {
        self.done
    }

    async fn take_xml(&mut self, text: &[u8]) {
        let limits = Limits::default();
        let mut deframer = Deframer::new();
        let mut scanner = Scanner::new(limits);
        // In parts, so that others have a turn in between.
        for part in text.chunks(16 << 10) {
            let fed = deframer.feed(&mut scanner, part, &mut |item: Item<'_>| match item {
                Item::Event(header) => self.submit(header.bytes()),
                Item::Rejected(reject) => self.refuse(None, reject.code.as_str(), &reject),
                _ => {}
            });
            if let Err(error) = fed {
                // The event that ends the stream was told of already.
                if error != FrameError::Doctype {
                    self.refuse(None, "not_events", &error);
                }
                return;
            }
            tokio::task::yield_now().await;
        }
        if deframer.pending() > 0 {
            self.refuse(None, "truncated", &"the last event has no end");
        }
    }

    async fn take_json(&mut self, text: &[u8]) {
        let mut count = 0;
        for value in serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>() {
            let value = match value {
                Ok(value) => value.get(),
                Err(error) => return self.refuse(None, "not_json", &error),
            };
            let events: Vec<&RawValue> = if value.starts_with('[') {
                match serde_json::from_str(value) {
                    Ok(events) => events,
                    Err(error) => return self.refuse(None, "not_json", &error),
                }
            } else {
                // This cannot fail: it is a value already.
                serde_json::from_str(value).into_iter().collect()
            };
            for event in events {
                match serde_json::from_str::<Event>(event.get()) {
                    Ok(event) => self.submit(event.to_xml().as_bytes()),
                    Err(error) => self.refuse(None, "invalid", &error),
                }
                count += 1;
                if count % TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn submit(&mut self, event: &[u8]) {
        let submitted = match self.sender {
            Sender::Operator => self.relay.submit_as_operator(event, ""),
            Sender::Team(team) => self.relay.submit(event, team),
        };
        // Only what was refused is named.
        let uid = || Event::from_xml(event).ok().map(|event| event.uid().to_owned());
        match submitted {
            Ok(submitted) => {
                self.done.reached += submitted.reached;
                self.done.held += submitted.held;
                match submitted.refused {
                    Some(reason) => {
                        self.refuse(uid(), relay::Reason::as_str(reason), &text_of(reason));
                    }
                    None => self.done.events += 1,
                }
            }
            Err(PublishError::Invalid(reject)) => {
                self.refuse(uid(), reject.code.as_str(), &reject);
            }
            Err(error) => self.refuse(uid(), "oversize", &error),
        }
    }

    fn refuse(
        &mut self,
        uid: Option<String>,
        reason: &'static str,
        message: &dyn std::fmt::Display,
    ) {
        let index = self.done.events;
        self.done.events += 1;
        self.done.refused += 1;
        if self.done.errors.len() < MAX_ERRORS {
            self.done.errors.push(Refused { index, uid, reason, message: message.to_string() });
        }
    }
}

/// What became of an event that was valid, for who sent it.
fn text_of(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Deleted => "it is an old copy of something that has been deleted",
        DropReason::Forbidden => "it is for people whom your team does not reach",
        DropReason::HoldFull => "who it is for is away, and there is no room to hold it",
        DropReason::Loop => "it has been here before",
        DropReason::NoSuchService => "this server has no missions, groups or feeds to send to",
        DropReason::Oversize => "it is larger than clients can take",
        DropReason::StateFull => "there is no room to keep it",
        DropReason::TeamsFull => "the team has no place: name a colour, or one that clients are in",
        DropReason::UnknownAddressee => "nobody it is for has been here",
        _ => "the relay has not taken it",
    }
}
