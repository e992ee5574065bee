//! The wire layer: framing, validation, the routing header.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bodies;
mod budget;

mod corpus;
mod forged;
mod header;
mod mutate;
mod oracle;
mod split;
