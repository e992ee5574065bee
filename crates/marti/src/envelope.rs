//! The JSON object that most answers are wrapped in.

use serde::Serialize;

/// `{"version":"3","type":"…","data":…,"nodeId":"…"}`.
#[derive(Debug, Serialize)]
pub(crate) struct Envelope<'a, T> {
    version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    data: T,
    #[serde(rename = "nodeId")]
    node_id: &'a str,
}

impl<'a, T: Serialize> Envelope<'a, T> {
    /// Wraps data; clients compare the type for some.
    pub(crate) fn new(kind: &'static str, data: T, node_id: &'a str) -> Self {
        Self { version: "3", kind, data, node_id }
    }
}
