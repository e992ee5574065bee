//! The scanner says what other parsers say, and reads what they read.

#![no_main]

#[path = "../../tests/wire/bodies.rs"]
#[expect(dead_code, reason = "each target runs one of the properties")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::route_vs_oracle(data));
