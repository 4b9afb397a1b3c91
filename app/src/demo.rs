//! `demo`: the real operator on a simulated cluster, with a dozen remediations that go well and badly.

mod cluster;
mod follow;
mod live;
mod operator;
mod scenario;
mod serve;
mod show;
mod summary;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::api::{DynamicObject, ListParams};
use kube::runtime::watcher;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cli::DemoArgs;
use crate::failure::Failure;
use crate::interrupt::interrupted;
use cluster::Cluster;
use follow::Board;
use scenario::Remediation;
use serve::Serving;
use show::Show;

/// How far apart the alerts fire.
const APART: Duration = Duration::from_millis(180);
/// When the demo gives up waiting for the remediations to end.
const PATIENCE: Duration = Duration::from_secs(13);
/// How often what is not watched is looked at: the live view, the delivery of notifications.
const TICK: Duration = Duration::from_millis(100);

pub(crate) fn main(args: &DemoArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| broken("the demo cannot start", &error))?;
    let outcome = runtime.block_on(run(args));
    runtime.shutdown_background();
    outcome
}

async fn run(args: &DemoArgs) -> Result<(), Failure> {
    let remediations = scenario::remediations();
    let mut show = Show::new(args, remediations.len());
    let outcome = tokio::select! {
        biased;
        () = interrupted() => if args.serve {
            Ok(())
        } else {
            Err(Failure::Check("interrupted before the end".to_owned()))
        },
        outcome = play(args, &remediations, &mut show) => outcome,
    };
    show.close();
    outcome
}

/// The cluster and the operator on it, for as long as the scenario lasts.
async fn play(
    args: &DemoArgs,
    remediations: &[Remediation],
    show: &mut Show,
) -> Result<(), Failure> {
    let mut cluster = Cluster::start(remediations)
        .await
        .map_err(|error| broken("the simulated cluster does not start", &error))?;
    let (stop, mut stopped) = watch::channel(false);
    let operator = operator::new(&cluster.server).run(async move {
        // An error means that the scenario is over in another way.
        let _ = stopped.wait_for(|stop| *stop).await;
    });
    let scenario = async {
        let outcome = act(args, remediations, &mut cluster, show).await;
        stop.send_replace(true);
        outcome
    };
    let (outcome, ()) = tokio::join!(scenario, operator);
    outcome
}

async fn act(
    args: &DemoArgs,
    remediations: &[Remediation],
    cluster: &mut Cluster,
    show: &mut Show,
) -> Result<(), Failure> {
    let began = Instant::now();
    let serving = if args.serve {
        Some(Serving::start(&cluster.server, args.port).await?)
    } else {
        None
    };
    if let Some(serving) = &serving {
        show.say(&serving.instructions());
    }
    cluster.fire(remediations, APART);
    let mut watch = Watch {
        board: Board::default(),
        uids: BTreeMap::new(),
    };
    let all_ended = |watch: &Watch| {
        remediations.iter().all(|remediation| {
            let row = watch.board.row(remediation.name);
            row.is_some_and(follow::Row::has_ended)
        })
    };
    watch
        .follow(cluster, show, all_ended, Some(began + PATIENCE))
        .await?;
    let notifications = delivered(cluster, remediations.len(), began + PATIENCE).await?;
    let verdicts = summary::verdicts(remediations, &watch.board, &watch.uids, &notifications);
    let calls = operator::calls(&cluster.server);
    show.summary(&watch.board, &verdicts, &calls, began.elapsed())?;
    if let Some(serving) = &serving {
        show.say(&serving.reminder());
        watch.follow(cluster, show, |_| false, None).await?;
    }
    let astray = verdicts
        .iter()
        .filter(|verdict| !verdict.is_as_scripted())
        .count();
    if astray > 0 {
        return Err(Failure::Check(format!(
            "{astray} of {} remediations did not end as scripted; the table above says which",
            verdicts.len()
        )));
    }
    Ok(())
}

/// What is seen of the requests.
struct Watch {
    board: Board,
    /// The UID of each request, by name.
    uids: BTreeMap<String, String>,
}

impl Watch {
    /// Follows the requests and shows them, until `enough` holds or the time is over.
    async fn follow(
        &mut self,
        cluster: &Cluster,
        show: &mut Show,
        enough: impl Fn(&Watch) -> bool,
        until: Option<Instant>,
    ) -> Result<(), Failure> {
        let stream = watcher::watcher(cluster.requests(), watcher::Config::default());
        let mut events = std::pin::pin!(stream);
        let mut ticks = tokio::time::interval(TICK);
        while !enough(self) && until.is_none_or(|until| Instant::now() < until) {
            tokio::select! {
                biased;
                event = events.next() => match event {
                    Some(Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object))) => {
                        let name = object.metadata.name.clone().unwrap_or_default();
                        self.uids.insert(name, object.metadata.uid.clone().unwrap_or_default());
                        show.transitions(&self.board.learn(&object))?;
                    }
                    Some(Ok(watcher::Event::Delete(object))) => {
                        self.board.forget(object.metadata.name.as_deref().unwrap_or_default());
                    }
                    Some(Ok(watcher::Event::Init | watcher::Event::InitDone)) => {}
                    Some(Err(error)) => tracing::warn!(%error, "the demo's watch broke off"),
                    None => return Ok(()),
                },
                _ = ticks.tick() => show.refresh(&self.board, Timestamp::now())?,
            }
        }
        show.refresh(&self.board, Timestamp::now())
    }
}

/// The notifications, once each request has one and all are delivered, or the time is over.
async fn delivered(
    cluster: &Cluster,
    requests: usize,
    until: Instant,
) -> Result<Vec<DynamicObject>, Failure> {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let list = cluster
            .notifications()
            .list(&ListParams::default())
            .await
            .map_err(|error| broken("the notifications cannot be listed", &error))?;
        let sent = list
            .items
            .iter()
            .all(|note| note.data["status"]["phase"] == "Sent");
        if (sent && list.items.len() >= requests) || Instant::now() >= until {
            return Ok(list.items);
        }
    }
}

fn broken(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Check(format!(
        "{what}: {error}; this is a mistake in this program, please report it"
    ))
}
