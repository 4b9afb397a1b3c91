//! Watches that stay open and bring nothing any more, for ever: the operator finds out by itself (category D), and
//! deadlines pass on time meanwhile.

use std::time::{Duration, Instant};

use remediation_core::kind::REQUEST_KIND;
use serde_json::json;

use crate::cluster::Cluster;
use crate::harness::{DEADLINE, Failure, Result, until};
use crate::proxy::{Fault, Rates};
use crate::random::Random;
use crate::story::Tale;

/// The operator takes a watch for dead after 150 s without a sign, and reconnects within 10 s; the rest is for a busy
/// machine.
const FOUND_OUT: Duration = Duration::from_secs(150 + 10 + 60);
/// Each watch: the requests, and four kinds of children.
const WATCHES: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn watches_that_fall_silent_for_ever_are_found_dead() -> Result {
    let cluster = Cluster::start("silence").await?;
    let mut random = Random::new(1);
    let mut replica = cluster.replica(&[], random.fork("faults")).await?;
    let proxy = replica.proxy.clone();
    replica.start()?;
    replica.ready(DEADLINE).await?;
    let slow = Tale::SlowProcessing.tell(0, &mut random);
    let mut deaf = Tale::NeverPickedUp.tell(1, &mut random);
    // Long enough for the silence to begin before it passes.
    deaf.spec["timeouts"] = json!({ "processing": "12s" });
    let stories = [slow, deaf];
    let mut user = cluster.user.clone();
    user.patience = FOUND_OUT;
    let began = Instant::now();
    let silence = async {
        for story in &stories {
            let what = "both are being processed";
            user.recorder
                .until(what, DEADLINE, |history| {
                    let request = history.latest(REQUEST_KIND, &story.name)?;
                    (request.data["status"]["phase"] == "Processing").then_some(())
                })
                .await?;
        }
        proxy.set_silence(FOUND_OUT * 2);
        proxy.set_rates(Rates::always(Fault::WatchSilent));
        let all = || {
            proxy
                .counts()
                .get(&Fault::WatchSilent)
                .copied()
                .unwrap_or(0)
                >= WATCHES
        };
        let silent = until(DEADLINE, async || all().then_some(())).await;
        assert!(
            silent.is_some(),
            "not all watches fell silent: {:?}",
            proxy.counts()
        );
        proxy.set_rates(Rates::none());
        Ok::<(), Failure>(())
    };
    let on_time = async {
        user.play_all(&stories[1..]).await?;
        Ok::<Duration, Failure>(began.elapsed())
    };
    let (silent, slow, on_time) = tokio::join!(silence, user.play_all(&stories[..1]), on_time);
    silent?;
    slow?;
    let on_time = on_time?;
    println!(
        "the deadline was kept after {on_time:?}, the silence found out after {:?}",
        began.elapsed()
    );
    assert!(
        on_time < Duration::from_secs(60),
        "a deadline waited for a watch: {on_time:?}"
    );
    assert!(
        began.elapsed() > Duration::from_secs(100),
        "the watches were not silent"
    );
    cluster.close(&[&proxy], &stories)
}
