#![no_main]
#![allow(
    dead_code,
    reason = "the binary's own sources; only the parser is called"
)]

// The parser lives in the binary, which cannot be linked: its sources are compiled here as they are.
#[path = "../../app/src"]
mod app {
    pub(crate) mod config;
    pub(crate) mod failure;
    pub(crate) mod style;
}
#[path = "../bodies/configuration.rs"]
mod body;

use app::{config, failure, style};

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
