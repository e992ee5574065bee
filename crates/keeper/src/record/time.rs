//! Milliseconds since 1970 as RFC 3339 text. Times outside of the years 0000 to 9999 become the
//! nearest end.

use std::borrow::Cow;

use cot_core::CotTime;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serializer};

pub(super) fn serialize<S: Serializer>(millis: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let mut buf = [0; CotTime::TEXT_LEN];
    serializer.serialize_str(CotTime::from_unix_millis(*millis).write_to(&mut buf))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    CotTime::parse(&text).map(CotTime::as_unix_millis).map_err(Error::custom)
}

/// The same for a time that may be missing.
pub(super) mod optional {
    use serde::Serializer;
    use serde::de::Deserializer;

    pub(in crate::record) fn serialize<S: Serializer>(
        millis: &Option<i64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match millis {
            Some(millis) => super::serialize(millis, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<i64>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}
