//! Every expression changed by rule: cargo-mutants names the changes, and all of them are built into one copy of the
//! package at once, each behind a number that the environment gives. A change costs a run of the tests that way, and not a
//! build: the core's eight hundred take minutes where building each took hours.
//!
//! A function with changes becomes a `match` over that number, whose last arm is the function as it was. What does not
//! compile behind such a `match` (an `impl Trait` with another type, a constant) is built alone.

pub mod body;
pub mod build;
pub mod hang;
pub mod list;
pub mod part;
pub mod record;
pub mod report;
pub mod switch;
pub mod trial;

/// The environment variable that says which change is in force; none is where it is not set.
pub const NUMBER: &str = "PLANTED_MUTANT";
