//! A connection as answers have it: written once, when it changes, and shared by all who ask.

use std::sync::Arc;

use bytes::Bytes;

use super::model::Connection;
use super::registry::Row;
use super::vcm;
use crate::Body;

/// The forms of a list of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    /// XML with addresses in parts.
    Atak,
    /// XML with whole URLs for addresses.
    Itak,
}

/// One connection in all forms.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Forms {
    json: Bytes,
    atak: Bytes,
    itak: Bytes,
}

impl Forms {
    pub(super) fn of(connection: &Connection) -> Self {
        let json = serde_json::to_vec(connection).expect("connections are texts and numbers");
        Self {
            json: json.into(),
            atak: vcm::feeds(connection, false).into(),
            itak: vcm::feeds(connection, true).into(),
        }
    }

    pub(super) fn get(&self, form: Form) -> &Bytes {
        match form {
            Form::Json => &self.json,
            Form::Atak => &self.atak,
            Form::Itak => &self.itak,
        }
    }

    /// Bytes of the largest form, in which a letter may be five.
    pub(super) fn largest(&self) -> usize {
        self.json.len().max(self.atak.len()).max(self.itak.len())
    }

    /// Bytes of all of them.
    pub(super) fn total(&self) -> usize {
        self.json.len() + self.atak.len() + self.itak.len()
    }
}

/// The list of these connections. `held` is dropped once it was taken, or nobody wants it any more.
pub(super) fn list(rows: Vec<Arc<Row>>, form: Form, held: impl Send + 'static) -> Body {
    let is_empty = rows.iter().all(|row| row.forms().get(form).is_empty());
    let (head, between, tail) = match form {
        Form::Json => (r#"{"videoConnections":["#, ",", "]}"),
        _ if is_empty => ("<videoConnections/>", "", ""),
        _ => ("<videoConnections>", "", "</videoConnections>"),
    };
    let commas = between.len() * rows.len().saturating_sub(1);
    let rows_len: usize = rows.iter().map(|row| row.forms().get(form).len()).sum();
    let len = head.len() + rows_len + commas + tail.len();
    let parts = rows.into_iter().enumerate().flat_map(move |(at, row)| {
        let _ = &held;
        let before = if at == 0 { "" } else { between };
        [Bytes::from_static(before.as_bytes()), row.forms().get(form).clone()]
    });
    let whole = |text: &'static str| std::iter::once(Bytes::from_static(text.as_bytes()));
    let parts = whole(head).chain(parts).chain(whole(tail));
    Body::parts(len as u64, parts.filter(|part| !part.is_empty()))
}
