//! Each fault does what its name says: tried on a simulated API server.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Client, Config};
use remediation_adapters::simulation::api_server::{ApiServer, Options, SystemClock};
use tokio::time::timeout;

use super::{Fault, Place, Proxy, Rates};
use crate::harness::{DEADLINE, Failure, Result, until};
use crate::random::Random;

/// A simulated API server with a proxy before it.
struct Stage {
    proxy: Proxy,
    /// Past the proxy.
    direct: Api<Namespace>,
    /// Through it.
    through: Api<Namespace>,
}

impl Stage {
    async fn start() -> Result<Self> {
        let server = ApiServer::new(Options::new(Arc::new(SystemClock), 1));
        let proxy = Proxy::before(server.client(), Random::new(1)).await?;
        let mut config = Config::new(format!("http://{}", proxy.address).parse()?);
        config.default_retry = false;
        let through = Api::all(Client::try_from(config)?);
        let direct = Api::all(server.client());
        Ok(Self {
            proxy,
            direct,
            through,
        })
    }

    async fn create(&self, name: &str) -> kube::Result<Namespace> {
        let mut object = Namespace::default();
        object.metadata.name = Some(name.to_owned());
        self.through.create(&PostParams::default(), &object).await
    }

    async fn is_there(&self, name: &str) -> Result<bool> {
        Ok(self.direct.get_opt(name).await?.is_some())
    }
}

/// What a caller sees of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Success,
    Refused(u16),
    Broken,
    Silence,
}

async fn seen<T>(answer: impl Future<Output = kube::Result<T>>) -> Seen {
    match timeout(Duration::from_secs(5), answer).await {
        Err(_) => Seen::Silence,
        Ok(Ok(_)) => Seen::Success,
        Ok(Err(kube::Error::Api(status))) => Seen::Refused(status.code),
        Ok(Err(_)) => Seen::Broken,
    }
}

#[tokio::test]
async fn each_fault_of_a_call_is_what_it_says() -> Result {
    let stage = Stage::start().await?;
    for fault in Fault::OF_CALLS {
        let name = format!("{fault:?}").to_lowercase();
        stage.proxy.set_rates(Rates::always(fault));
        let began = Instant::now();
        let answer = seen(stage.create(&name)).await;
        let took = began.elapsed();
        let there = stage.is_there(&name).await?;
        let expected = match fault {
            Fault::Reset | Fault::Swallowed | Fault::AppliedLate => (Seen::Broken, false),
            Fault::Delayed | Fault::AnsweredLate => (Seen::Success, true),
            Fault::TooManyRequests | Fault::TooManyRequestsRetryAfter => {
                (Seen::Refused(429), false)
            }
            Fault::InternalError => (Seen::Refused(500), false),
            Fault::Unavailable => (Seen::Refused(503), false),
            Fault::ResponseLost | Fault::AnswerTruncated => (Seen::Broken, true),
            Fault::Duplicated => (Seen::Refused(409), true),
            Fault::WatchRefusedGone
            | Fault::WatchGone
            | Fault::WatchEnded
            | Fault::WatchReset
            | Fault::WatchTruncated
            | Fault::WatchSilent
            | Fault::WatchLagging => unreachable!("not of calls"),
        };
        assert_eq!((answer, there), expected, "{fault:?}");
        assert_eq!(
            stage.proxy.counts().get(&fault),
            Some(&1),
            "{fault:?} is counted"
        );
        // Longer than the operator waits in these tests.
        let slow = matches!(fault, Fault::Swallowed | Fault::AnsweredLate);
        assert_eq!(
            took > Duration::from_secs(1),
            slow,
            "{fault:?} took {took:?}"
        );
    }
    let applied = Fault::AppliedLate;
    let name = format!("{applied:?}").to_lowercase();
    let landed = until(DEADLINE, async || {
        stage.is_there(&name).await.ok()?.then_some(())
    })
    .await;
    assert!(landed.is_some(), "what is applied late lands");
    stage.proxy.settled(DEADLINE).await
}

#[tokio::test]
async fn each_fault_of_a_watch_is_what_it_says() -> Result {
    let stage = Stage::start().await?;
    stage.proxy.set_silence(Duration::from_secs(1));
    let from = stage.direct.list(&ListParams::default()).await?;
    let from = from.metadata.resource_version.unwrap_or_default();
    stage.create("event").await?;
    for fault in Fault::OF_WATCHES {
        stage.proxy.set_rates(Rates::always(fault));
        let opened = stage.through.watch(&WatchParams::default(), &from).await;
        let mut events = match opened {
            Err(kube::Error::Api(status)) if fault == Fault::WatchRefusedGone => {
                assert_eq!(status.code, 410);
                continue;
            }
            opened => pin!(opened?.map(show)),
        };
        let began = Instant::now();
        let first = timeout(DEADLINE, events.next()).await;
        let first = first.map_err(|_| Failure::new(format!("{fault:?}: nothing ever comes")))?;
        let expected = match fault {
            Fault::WatchGone => Some("410"),
            // kube's client takes an end within an event for an end.
            Fault::WatchEnded | Fault::WatchTruncated => None,
            Fault::WatchReset | Fault::WatchSilent => Some("broken"),
            _ => Some("event"),
        };
        assert_eq!(first, expected, "{fault:?}");
        assert!(
            stage.proxy.counts().contains_key(&fault),
            "{fault:?} is counted"
        );
        if fault == Fault::WatchSilent {
            assert!(
                began.elapsed() >= Duration::from_millis(900),
                "it was not silent"
            );
        }
    }
    Ok(())
}

fn show(event: kube::Result<WatchEvent<Namespace>>) -> &'static str {
    match event {
        Ok(WatchEvent::Error(status)) if status.code == 410 => "410",
        Ok(_) => "event",
        Err(_) => "broken",
    }
}

#[tokio::test]
async fn the_world_stops_on_each_side_of_a_call() -> Result {
    let stage = Stage::start().await?;
    for (place, stopped, later) in [
        (Place::Before, false, false),
        (Place::After, true, true),
        (Place::Late, false, true),
        (Place::Held, false, true),
    ] {
        let name = format!("{place:?}").to_lowercase();
        let catch = stage
            .proxy
            .trap(place, |call| call.label() == "create namespaces");
        let creating = seen(stage.create(&name));
        let watching = async {
            let caught = catch
                .await
                .map_err(|_| Failure::new("nothing was caught"))?;
            assert_eq!(caught.call.name, name);
            assert_eq!(stage.is_there(&name).await?, stopped, "{place:?}");
            drop(caught);
            Ok::<(), Failure>(())
        };
        let (answer, watched) = tokio::join!(creating, watching);
        watched?;
        let answered = if place == Place::Held {
            Seen::Success
        } else {
            Seen::Broken
        };
        assert_eq!(answer, answered, "{place:?}");
        stage.proxy.settled(DEADLINE).await?;
        assert_eq!(stage.is_there(&name).await?, later, "{place:?}, later");
    }
    Ok(())
}
