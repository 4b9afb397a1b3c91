//! What is written from the code: the docs pages are committed as they are, and schemas are called as their types.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use remediation_core::page;
use remediation_core::phase::Phase;
use remediation_core::rule::Rule;

#[test]
fn the_page_of_phases_is_the_codes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/phases.md");
    let page = page::phases();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/reference/phases.md is not current; run `UPDATE=1 cargo test -p remediation-core --test pages`"
    );
}

#[test]
fn each_file_that_the_page_sends_a_reader_to_exists() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
    let page = page::phases();
    let links: Vec<&str> = page
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link)
        .collect();
    assert_eq!(links.len(), Phase::ALL.len(), "{links:?}");
    for link in links {
        assert!(reference.join(link).is_file(), "{link}");
    }
}

#[test]
fn every_rule_is_listed_once_and_in_order() {
    assert!(Rule::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(Rule::ALL.len(), Rule::Waiting as usize + 1);
}

#[cfg(feature = "schema")]
#[test]
fn the_schema_of_a_time_or_a_duration_is_called_as_its_type() {
    use remediation_core::time::{GoDuration, Time};
    for (schema, title) in [
        (schemars::schema_for!(Time), "Time"),
        (schemars::schema_for!(GoDuration), "GoDuration"),
    ] {
        assert_eq!(schema.get("title").unwrap(), title);
    }
}
