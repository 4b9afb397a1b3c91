//! Two replicas, of which the leader is stopped beyond its lease again and again while a write of its own is on its
//! way, and now and then killed: no promise is broken, and it writes nothing once it knows that it does not lead.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::cluster::{Cluster, NAME};
use crate::crew::Replica;
use crate::harness::{DEADLINE, Failure, Result, Signal, until};
use crate::proxy::{Arrived, Call, Place, Rates};
use crate::random::Random;
use crate::story::{Story, Tale};

const LEASE: [&str; 6] = [
    "--leader-elect",
    "--lease-namespace",
    NAME,
    "--lease-duration=3s",
    "--lease-retry=500ms",
    "--log-level=info",
];
/// How often the leader is stopped, or killed.
const ROUNDS: usize = 6;
/// How many remediations live through each.
const AT_ONCE: usize = 12;
/// How long a takeover may take on a busy machine.
const TAKEOVER: Duration = Duration::from_secs(60);

/// What the rounds saw.
#[derive(Debug, Default)]
struct Seen {
    stopped: usize,
    killed: usize,
    /// Writes that a leader that was stopped sent after it woke, before it knew.
    before_it_knew: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_stopped_beyond_its_lease_breaks_no_promise() -> Result {
    let cluster = Cluster::start("leader-stopped").await?;
    let mut random = Random::new(1);
    let mut replicas = Vec::new();
    for part in ["one", "other"] {
        let mut replica = cluster.replica(&LEASE, random.fork(part)).await?;
        replica.start()?;
        replicas.push(replica);
    }
    let stories: Vec<Story> = (0..ROUNDS * AT_ONCE)
        .map(|number| Tale::ALL[number % Tale::ALL.len()].tell(number, &mut random))
        .collect();
    let mut chapters = stories.chunks(AT_ONCE);
    let mut seen = Seen::default();
    for round in 0..ROUNDS {
        for replica in &replicas {
            replica.proxy.set_rates(Rates::of(20, 20));
        }
        let chapter = chapters.next().unwrap_or_default();
        let kill = round % 3 == 2;
        let (lived, led) = tokio::join!(
            cluster.user.play_all(chapter),
            depose(&cluster, &mut replicas, &mut random, kill, &mut seen)
        );
        led?;
        lived?;
    }
    println!("{seen:?}, {} lifecycles", stories.len());
    for replica in &replicas {
        replica.proxy.set_rates(Rates::none());
        replica.proxy.settled(DEADLINE).await?;
    }
    cluster
        .user
        .recorder
        .until_quiet(Duration::from_secs(4), TAKEOVER)
        .await?;
    assert_eq!((seen.stopped, seen.killed), (4, 2));
    let proxies: Vec<_> = replicas.iter().map(|replica| &*replica.proxy).collect();
    cluster.close(&proxies, &stories)
}

/// Stops (or kills) the leader in the middle of a write, lets the other one take over, and lets it go on.
async fn depose(
    cluster: &Cluster,
    replicas: &mut [Replica],
    random: &mut Random,
    kill: bool,
    seen: &mut Seen,
) -> Result {
    let leader = until_leader(replicas, None).await?;
    let mut skip = random.below(30);
    let place = if kill { Place::Late } else { Place::Held };
    let catch = replicas[leader].proxy.trap(place, move |call| {
        let ours = call.is_work();
        let springs = ours && skip == 0;
        skip = skip.saturating_sub(u64::from(ours));
        springs
    });
    let caught = tokio::time::timeout(TAKEOVER, catch).await;
    let caught = caught.ok().and_then(std::result::Result::ok);
    let caught = caught.ok_or_else(|| Failure::new("the leader makes no writes"))?;
    let label = caught.call.label();
    if kill {
        replicas[leader].kill();
        cluster.disturb(&format!("the leader {leader} is killed in {label}"));
        until_leader(replicas, Some(leader)).await?;
        drop(caught);
        seen.killed += 1;
        return replicas[leader].start();
    }
    let stopped = Timestamp::now();
    replicas[leader].signal(Signal::Stop)?;
    cluster.disturb(&format!("the leader {leader} is stopped in {label}"));
    until_leader(replicas, Some(leader)).await?;
    // The new leader is at work when the old one's write lands.
    drop(caught);
    tokio::time::sleep(random.millis(0, 2_000)).await;
    let awake = Instant::now();
    replicas[leader].signal(Signal::Continue)?;
    cluster.disturb(&format!("the old leader {leader} goes on"));
    cluster.held_up_since(stopped);
    let old = &mut replicas[leader];
    let knows = until(TAKEOVER, async || (!old.leads().await).then_some(())).await;
    knows.ok_or_else(|| Failure::new("the old leader says that it leads still"))?;
    let knew = Instant::now();
    let wrote = |write: &&Arrived| write.at > awake && write.call.is_work();
    let writes = replicas[leader].proxy.writes();
    seen.before_it_knew += writes.iter().filter(wrote).count();
    // What it does after it knew, as long as it does not lead again.
    tokio::time::sleep(Duration::from_secs(1)).await;
    if !replicas[leader].leads().await {
        let writes = replicas[leader].proxy.writes();
        let later = after_it_knew(&writes, knew);
        if !later.is_empty() && !replicas[leader].leads().await {
            return Err(Failure::new(format!(
                "it knew that it does not lead, and wrote {later:?}"
            )));
        }
    }
    seen.stopped += 1;
    Ok(())
}

/// The work that a process did that knew that it does not lead, but for what was on its way.
fn after_it_knew(writes: &[Arrived], knew: Instant) -> Vec<&Arrived> {
    let later = |write: &&Arrived| write.at > knew + Duration::from_millis(100);
    let work = writes.iter().filter(|write| write.call.is_work());
    work.filter(later).collect()
}

#[test]
fn work_after_the_lead_is_known_to_be_lost_is_noticed() {
    let knew = Instant::now();
    let write = |resource: &str, after| Arrived {
        at: knew + Duration::from_millis(after),
        call: Call {
            verb: "patch",
            resource: resource.to_owned(),
            name: "web".to_owned(),
            says: String::new(),
        },
    };
    let fine = [
        write("remediationrequests/status", 50),
        write("leases", 500),
    ];
    assert!(after_it_knew(&fine, knew).is_empty());
    let work = [write("remediationrequests/status", 500)];
    assert_eq!(after_it_knew(&work, knew).len(), 1);
}

/// Waits until one leads that is not `but`, and returns which.
async fn until_leader(replicas: &mut [Replica], but: Option<usize>) -> Result<usize> {
    let leader = until(TAKEOVER, async || {
        for (index, replica) in replicas.iter_mut().enumerate() {
            if Some(index) != but && replica.leads().await {
                return Some(index);
            }
        }
        None
    });
    leader
        .await
        .ok_or_else(|| Failure::new(format!("nobody leads (apart from {but:?})")))
}
