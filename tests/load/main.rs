//! What a remediation costs on a real API server: throughput beside a bare loop that makes the same writes, latency
//! from one child's result to the next child, lateness of deadlines, CPU and memory of the operator, writes at rest.
//!
//! `cargo bench -p remediation-orchestrator --bench load` prints the figures of docs/performance.md. It asserts that
//! all remediations end right, and nothing about time.

#[path = "../system/harness/mod.rs"]
mod harness;

mod bare_loop;
mod figures;
mod in_process;
mod operator_load;

use harness::{ControlPlane, Result};

/// Remediations in the burst.
const BURST: usize = 1000;
/// Remediations whose writes the bare loop makes.
const BARE: usize = 300;
/// Remediations in this process, and how many of them come in a second.
const IN_PROCESS: (usize, f64) = (1000, 50.0);
/// Writes under way at once, of the bare loop and of the gateway.
const CONCURRENCY: usize = 16;

fn main() -> Result {
    // `cargo test --benches` runs benches with this flag, to see that they build and start.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let writes = in_process::run(IN_PROCESS.0, IN_PROCESS.1).await?;
        let crds = remediation_adapters::kubernetes::crd::all();
        let plane = ControlPlane::start(&crds).await?;
        let bare = bare_loop::run(&plane, &writes, BARE, CONCURRENCY).await?;
        let burst = operator_load::burst(&plane, BURST, CONCURRENCY).await?;
        println!(
            "the operator reaches {:.0} % of the bare loop's rate",
            100.0 * burst / bare
        );
        operator_load::half(&plane, bare / 2.0).await?;
        operator_load::deadlines(&plane, 50).await
    })
}
