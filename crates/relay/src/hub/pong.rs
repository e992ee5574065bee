//! The answer to a ping, made at most once per second.

use bytes::Bytes;
use cot_core::build;

#[derive(Default)]
pub(crate) struct Pong {
    second: i64,
    event: Bytes,
}

impl Pong {
    pub(crate) fn at(&mut self, unix_ms: i64) -> Bytes {
        let second = unix_ms.div_euclid(1000);
        if self.event.is_empty() || self.second != second {
            self.second = second;
            self.event = build::pong(unix_ms).to_xml().into();
        }
        self.event.clone()
    }
}
