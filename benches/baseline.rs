//! The plainest possible broadcaster.
fn main() {}
