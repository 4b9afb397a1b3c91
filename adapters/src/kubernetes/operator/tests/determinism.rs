//! The same run twice.

use super::*;

/// All that the server was asked, in order, while ten remediations ran and some calls failed.
async fn trace() -> String {
    let world = World::new().await;
    let calls = std::sync::atomic::AtomicU64::new(0);
    world.faults(move |request| {
        let n = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let ours = request.verb == "create" && request.resource != "remediationrequests"
            || request.resource == "remediationrequests" && request.subresource.is_some();
        match n % 7 {
            0 if ours => Intercept::ApplyThenLose,
            3 if ours => refusal(500, "InternalError"),
            5 if ours => Intercept::Delay(Duration::from_millis(700)),
            _ => Intercept::Pass,
        }
    });
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    for n in 0..10 {
        world.ask(&format!("r{n}"), alert()).await;
    }
    for n in 0..10 {
        world.go_through(&format!("r{n}")).await;
    }
    operator.stop().await;
    format!("{:#?}", world.server.requests())
}

#[test]
fn the_same_run_twice_is_the_same_to_the_byte() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(trace())
    };
    let (first, second) = (run(), run());
    assert!(first.len() > 10_000, "something happened");
    assert!(first == second, "two runs differ");
}
