#![no_main]

#[path = "../bodies/child_status.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
