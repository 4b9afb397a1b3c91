#![no_main]

#[path = "../bodies/snapshots.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
