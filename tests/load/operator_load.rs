//! The real operator under load, with simulated child controllers that answer at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, PostParams};
use kube::runtime::watcher::{self, Event};
use remediation_adapters::kubernetes::api::request_resource;
use remediation_adapters::simulation::api_server::SystemClock;
use remediation_adapters::simulation::children::{Children, Options, Script, Scripts, Stage, Step};
use serde_json::{Value, json};

use crate::figures::{Usage, memory_kb, percentile, processor_time};
use crate::harness::{AuditEvent, ControlPlane, Failure, Operator, Result, User};

/// Everything answers at once; the workflow has one step, which the orchestrator runs.
pub(crate) fn instant_script() -> Script {
    Script {
        processing: Stage::lasting(Duration::ZERO),
        analysis: Stage::lasting(Duration::ZERO),
        planning: Stage::lasting(Duration::ZERO),
        workflow: Stage::lasting(Duration::ZERO),
        steps: vec![Step {
            name: "scale".to_owned(),
            action: "ScaleDeployment".to_owned(),
            depends_on: Vec::new(),
            stage: Stage::lasting(Duration::ZERO),
        }],
        executed_by_orchestrator: true,
        ..Script::default()
    }
}

/// The request of this number.
pub(crate) fn manifest(number: usize, timeouts: &Value) -> DynamicObject {
    let name = format!("load-{number:05}");
    let spec = json!({
        "targetingData": { "signalFingerprint": name, "alertName": "HighMemoryUsage", "environment": "production" },
        "timeouts": timeouts,
    });
    DynamicObject::new(&name, &request_resource()).data(json!({ "spec": spec }))
}

struct Load {
    namespace: String,
    requests: Api<DynamicObject>,
    operator: Operator,
    children: Children,
}

impl Load {
    async fn start(plane: &ControlPlane, name: &str, scripts: Scripts) -> Result<Self> {
        let namespace = plane.namespace(name).await?;
        let client = plane.client_named(User::Admin, "gateway").await?;
        let children = Children::spawn(Options {
            client: plane
                .client_named(User::ChildControllers, "children")
                .await?,
            namespace: Some(namespace.clone()),
            clock: Arc::new(SystemClock),
            scripts,
        });
        let kubeconfig = plane.kubeconfig(User::Admin);
        Ok(Self {
            requests: Api::namespaced_with(client, &namespace, &request_resource()),
            operator: Operator::start(&kubeconfig, &["--namespace", &namespace]).await?,
            namespace,
            children,
        })
    }

    async fn request(&self, number: usize, timeouts: Value) -> Result<Instant> {
        self.requests
            .create(&PostParams::default(), &manifest(number, &timeouts))
            .await?;
        Ok(Instant::now())
    }

    /// Waits until this many requests have ended, and returns their last statuses and when each ended, by name.
    async fn ended(&self, count: usize) -> Result<BTreeMap<String, (Value, Instant)>> {
        let mut ended = BTreeMap::new();
        let mut events = std::pin::pin!(watcher(self.requests.clone()));
        let wait = async {
            while ended.len() < count {
                if let Some(Ok(Event::Apply(object) | Event::InitApply(object))) =
                    events.next().await
                    && object.data["status"]["completionTime"].is_string()
                {
                    let status = object.data["status"].clone();
                    ended
                        .entry(object.name_any())
                        .or_insert((status, Instant::now()));
                }
            }
        };
        let most = Duration::from_secs(600);
        let timely = tokio::time::timeout(most, wait).await;
        timely.map_err(|_| Failure::new(format!("not all ended within {most:?}")))?;
        Ok(ended)
    }
}

fn watcher(
    api: Api<DynamicObject>,
) -> impl futures::Stream<Item = watcher::Result<Event<DynamicObject>>> {
    watcher::watcher(api, watcher::Config::default())
}

/// Many remediations at once: all end right, the oldest first. Returns remediations a second.
pub(crate) async fn burst(plane: &ControlPlane, count: usize, concurrency: usize) -> Result<f64> {
    let load = Load::start(plane, "burst", Scripts::all(instant_script())).await?;
    let pid = load.operator.pid();
    let everybody = [
        ("operator", pid),
        ("gateway and children", std::process::id()),
    ];
    let usage = Usage::begin(everybody.into_iter().chain(plane.processes()));
    let mark = plane.audit_mark();
    let begin = Instant::now();
    let gateway = async {
        let created = futures::stream::iter(0..count)
            .map(|number| load.request(number, json!({})))
            .buffered(concurrency)
            .collect::<Vec<Result<Instant>>>()
            .await;
        created.into_iter().collect::<Result<Vec<Instant>>>()
    };
    let (created, ended) = futures::join!(gateway, load.ended(count));
    let (created, ended) = (created?, ended?);
    let seconds = begin.elapsed().as_secs_f64();
    println!("CPU for one: {}", usage.each(count));
    let mut lives = Vec::with_capacity(count);
    for ((name, (status, end)), created) in ended.iter().zip(&created) {
        if status["phase"] != "Completed" {
            return Err(Failure::new(format!("{name} ended as {}", status["phase"])));
        }
        lives.push(end.saturating_duration_since(*created));
    }
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let rate = count as f64 / seconds;
    println!(
        "burst: {count} remediations in {seconds:.1} s: {rate:.1}/s; created → Completed p50 {:.1?}, p99 {:.1?}, most {:.1?}",
        percentile(&mut lives, 0.5),
        percentile(&mut lives, 0.99),
        percentile(&mut lives, 1.0),
    );
    println!(
        "operator: {} kB resident at most; executions started: {}",
        memory_kb(pid, "VmHWM").unwrap_or_default(),
        load.children.started().len()
    );
    tell_requests(plane.audit_since(mark)?, &load.namespace, count);
    at_rest(plane, &load).await?;
    Ok(rate)
}

fn is_operators(event: &AuditEvent, namespace: &str) -> bool {
    event.user_agent.starts_with("remediation-orchestrator") && event.is_in(namespace)
}

/// Every request but watches that was made in the namespace, by whom, and how often for one remediation.
fn tell_requests(events: Vec<AuditEvent>, namespace: &str, count: usize) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for event in events
        .into_iter()
        .filter(|event| event.is_in(namespace) && event.verb != "watch")
    {
        let object = event.object_ref.unwrap_or_default();
        let subresource = if object.subresource.is_empty() {
            ""
        } else {
            "/status"
        };
        let code = event.response_status.map_or(0, |status| status.code);
        *counts
            .entry(format!(
                "{}: {} {}{subresource} {code}",
                event
                    .user_agent
                    .split(['/', ' '])
                    .next()
                    .unwrap_or_default(),
                event.verb,
                object.resource
            ))
            .or_default() += 1;
    }
    for (what, number) in counts {
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let each = number as f64 / count as f64;
        println!("  {each:6.2} a remediation: {what}");
    }
}

/// Ten seconds in which nothing happens: how often does the operator write or read?
async fn at_rest(plane: &ControlPlane, load: &Load) -> Result {
    let pid = load.operator.pid();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (mark, before) = (plane.audit_mark(), processor_time(pid).unwrap_or_default());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let used = processor_time(pid)
        .unwrap_or_default()
        .saturating_sub(before);
    let all = plane.audit_since(mark)?;
    let ours = all
        .iter()
        .filter(|event| is_operators(event, &load.namespace) && event.verb != "watch");
    println!(
        "at rest for 10 s: {} requests, {used:.0?} of CPU",
        ours.count()
    );
    Ok(())
}

/// At half the rate that the API server can bear: from a child's result to the CREATE of the next child.
pub(crate) async fn half(plane: &ControlPlane, rate: f64) -> Result {
    let load = Load::start(plane, "half", Scripts::all(instant_script())).await?;
    let mark = plane.audit_mark();
    let count = 200;
    let gateway = async {
        let mut beat = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        for number in 0..count {
            beat.tick().await;
            load.request(number, json!({})).await?;
        }
        Ok::<(), Failure>(())
    };
    let (created, ended) = futures::join!(gateway, load.ended(count));
    created?;
    ended?;
    let mut gaps = gaps(&plane.audit_since(mark)?, &load.namespace)?;
    println!(
        "at {rate:.1} remediations/s: child's result answered → next child's CREATE received, {} times: p50 {:.1?}, p99 {:.1?}",
        gaps.len(),
        percentile(&mut gaps, 0.5),
        percentile(&mut gaps, 0.99),
    );
    Ok(())
}

/// From the audit log: for each remediation, the time between the end of a child's status write and the arrival of
/// the CREATE that follows from it.
fn gaps(events: &[AuditEvent], namespace: &str) -> Result<Vec<Duration>> {
    let time = |text: &str| -> Result<Timestamp> { Ok(text.parse()?) };
    let mut results = BTreeMap::new();
    let mut creates = BTreeMap::new();
    for event in events.iter().filter(|event| event.is_in(namespace)) {
        let Some(object) = event.object_ref.clone().filter(|_| event.code() < 300) else {
            continue;
        };
        if event.user_agent == "children" && object.subresource == "status" {
            results.insert(
                (object.resource, object.name),
                time(&event.stage_timestamp)?,
            );
        } else if event.verb == "create" && event.user_agent.starts_with("remediation-orchestrator")
        {
            let received = time(&event.request_received_timestamp)?;
            creates.insert((object.resource, object.name), received);
        }
    }
    let follows = [
        (
            "remediationprocessings",
            "processing",
            "aianalyses",
            "aianalysis",
        ),
        ("aianalyses", "aianalysis", "workflowexecutions", "workflow"),
    ];
    let mut gaps = Vec::new();
    for ((resource, name), received) in &creates {
        for (before, suffix, after, after_suffix) in follows {
            let Some(stem) = name.strip_suffix(&format!("-{after_suffix}")) else {
                continue;
            };
            let cause = results.get(&(before.to_owned(), format!("{stem}-{suffix}")));
            if let (true, Some(cause)) = (resource == after, cause) {
                // The watch may deliver the result before the writer has its answer: that is no time at all.
                gaps.push(
                    received
                        .duration_since(*cause)
                        .max(jiff::SignedDuration::ZERO)
                        .unsigned_abs(),
                );
            }
        }
    }
    Ok(gaps)
}

/// Children that never act: how late is the failure recorded?
pub(crate) async fn deadlines(plane: &ControlPlane, count: usize) -> Result {
    let idle = Script {
        processing: Stage::ignored(),
        ..Script::default()
    };
    let load = Load::start(plane, "late", Scripts::all(idle)).await?;
    for number in 0..count {
        load.request(number, json!({ "processing": "5s" })).await?;
    }
    let mut late = Vec::new();
    for (name, (status, _)) in load.ended(count).await? {
        let time = |field: &str| -> Result<Timestamp> {
            Ok(status[field].as_str().unwrap_or_default().parse()?)
        };
        let began = status["history"][0]["time"]
            .as_str()
            .unwrap_or_default()
            .parse::<Timestamp>()?;
        let deadline = began + jiff::SignedDuration::from_secs(5);
        let lateness = time("failureTime")?.duration_since(deadline);
        if lateness.is_negative() {
            return Err(Failure::new(format!("{name} timed out {lateness:?} early")));
        }
        late.push(lateness.unsigned_abs());
    }
    println!(
        "deadlines: {count} timeouts decided p50 {:.1?}, p99 {:.1?} after the deadline",
        percentile(&mut late, 0.5),
        percentile(&mut late, 0.99)
    );
    Ok(())
}
