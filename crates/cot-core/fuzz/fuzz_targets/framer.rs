//! Any bytes, cut anywhere, give the same items, all of them fit to be relayed.

#![no_main]

#[path = "../../tests/wire/bodies.rs"]
#[expect(dead_code, reason = "each target runs one of the properties")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::framer(data));
