#![doc = include_str!("../README.md")]

mod answer;
mod ask;
mod body;
mod budget;
mod caller;
mod config;
mod crowd;
mod envelope;
mod error;
mod history;
mod markup;
mod origin;
mod pace;
mod pipe;
mod query;
mod recall;
mod rest;
mod router;
mod routes;
mod serve;
mod service;
mod sight;
mod stats;
mod time;

pub use body::Body;
pub use caller::{Caller, Role};
pub use config::MartiConfig;
#[cfg(feature = "dump")]
pub use history::DumpHistory;
pub use history::{History, HistoryError, Past};
pub use routes::{Access, Route, routes};
pub use serve::serve;
pub use service::Marti;
pub use stats::MartiStats;
