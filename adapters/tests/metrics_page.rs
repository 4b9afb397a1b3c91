//! The page of metrics is written from the table in the code.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod committed;

use committed::assert_committed;
use remediation_adapters::telemetry::metrics::METRICS;

#[test]
fn the_committed_page_of_metrics_is_current() {
    let mut page = String::from(
        "# Metrics\n\nThis page is written from the code: `UPDATE=1 cargo test -p remediation-adapters --test metrics_page` \
         renews it.\nLabels are bounded: never a name, a fingerprint or a message.\n\n\
         | metric | type | labels | what it tells |\n|---|---|---|---|\n",
    );
    for metric in METRICS {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (name, kind, labels, help) = (metric.name, metric.kind, labels.join(", "), metric.help);
        page.push_str(&format!("| `{name}` | {kind} | {labels} | {help} |\n"));
    }
    let renews = "-p remediation-adapters --test metrics_page";
    assert_committed("docs/reference/metrics.md", &page, renews);
}
