//! The order in which requests are handed out, and when.

use futures::FutureExt;
use jiff::SignedDuration;

use super::*;
use crate::clock::SteadyClock;

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn queue() -> Queue {
    Queue::new(Arc::new(SteadyClock::starting_at(start())))
}

fn name(name: &str) -> ObjectName {
    ObjectName::new("shop", name)
}

/// The next one that is ready now, if any.
fn ready(queue: &Queue) -> Option<String> {
    queue.next().now_or_never().map(|name| name.name)
}

#[tokio::test(start_paused = true)]
async fn a_request_is_never_handed_out_twice_at_once() {
    let queue = queue();
    queue.add(name("a"), None);
    queue.add(name("a"), None);
    assert_eq!(ready(&queue).as_deref(), Some("a"));
    queue.add(name("a"), None);
    assert_eq!(ready(&queue), None, "it is being looked at");
    queue.done(&name("a"), None);
    assert_eq!(
        ready(&queue).as_deref(),
        Some("a"),
        "the event in between is not lost"
    );
    queue.done(&name("a"), None);
    assert_eq!(ready(&queue), None);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_comes_first_and_every_fourth_time_the_one_that_waits_longest() {
    let queue = queue();
    for n in 0..6 {
        queue.add(name(&format!("r{n}")), None);
    }
    for _ in 0..6 {
        let taken = ready(&queue).unwrap();
        queue.done(&name(&taken), None);
    }
    // Now r5 waits longest, and is the youngest.
    for n in (0..6).rev() {
        queue.add(name(&format!("r{n}")), None);
    }
    let order: Vec<String> = std::iter::from_fn(|| ready(&queue)).collect();
    assert_eq!(order, ["r0", "r5", "r1", "r2", "r3", "r4"]);
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_comes_exactly_at_its_moment_and_before_all_else() {
    let queue = queue();
    queue.add(name("a"), None);
    queue.add(name("b"), None);
    for _ in 0..2 {
        ready(&queue).unwrap();
    }
    let moment = start() + SignedDuration::from_millis(1_500);
    queue.done(&name("b"), Some(moment));
    queue.done(&name("a"), None);
    assert_eq!(ready(&queue), None);
    assert_eq!(queue.next().await, name("b"));
    assert_eq!(queue.clock.now(), moment);
    queue.done(&name("b"), Some(moment + SignedDuration::from_secs(1)));
    queue
        .clock
        .sleep_until(moment + SignedDuration::from_secs(1))
        .await;
    queue.add(name("a"), None);
    queue.turns_to_age();
    assert_eq!(
        ready(&queue).as_deref(),
        Some("b"),
        "a deadline comes before an older request"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_does_not_lose_an_earlier_wake_up() {
    let queue = queue();
    queue.add(name("a"), None);
    ready(&queue).unwrap();
    let moment = start() + SignedDuration::from_secs(5);
    queue.done(&name("a"), Some(moment));
    queue.add(name("a"), None);
    // The pass over the event is handed out but never ends well: its wake-up stands.
    ready(&queue).unwrap();
    queue.clock.sleep_until(moment).await;
    assert_eq!(ready(&queue), None, "still being looked at");
    queue.done(&name("a"), None);
    assert_eq!(ready(&queue).as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_gone_is_not_woken() {
    let queue = queue();
    queue.add(name("a"), None);
    ready(&queue).unwrap();
    queue.done(&name("a"), Some(start() + SignedDuration::from_secs(5)));
    queue.forget(&name("a"));
    queue
        .clock
        .sleep_until(start() + SignedDuration::from_secs(9))
        .await;
    assert_eq!(ready(&queue), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_woken_by_an_event() {
    let queue = Arc::new(queue());
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.next().await }
    });
    tokio::task::yield_now().await;
    queue.add(name("a"), None);
    assert_eq!(waiting.await.unwrap(), name("a"));
    assert_eq!(ready(&queue), None);
}

impl Queue {
    /// Makes the next turn one of age.
    fn turns_to_age(&self) {
        self.locked().turns = 0;
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_one_that_was_created_first_comes_first_whatever_it_is_called() {
    let queue = queue();
    let ago = |seconds| Some(start() - SignedDuration::from_secs(seconds));
    // The order in which a list shows them: by name.
    queue.add(name("a"), ago(1));
    queue.add(name("b"), ago(60));
    queue.add(name("c"), ago(3600));
    let order: Vec<String> = std::iter::from_fn(|| ready(&queue)).collect();
    assert_eq!(order, ["c", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_due_comes_before_the_oldest_request() {
    let queue = queue();
    queue.add(name("young"), Some(start()));
    assert_eq!(ready(&queue).as_deref(), Some("young"));
    queue.done(&name("young"), Some(start()));
    let old = start() - SignedDuration::from_hours(24);
    queue.add(name("old"), Some(old));
    assert_eq!(ready(&queue).as_deref(), Some("young"));
    assert_eq!(ready(&queue).as_deref(), Some("old"));
}

/// A clock that is set by hand.
#[derive(Clone)]
struct Set(Arc<Mutex<Timestamp>>);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, _: Timestamp) -> futures::future::BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }
}

/// L2: the wake-up of a retry would be an hour late.
#[tokio::test]
async fn a_clock_that_is_set_back_makes_every_wake_up_due() {
    let clock = Set(Arc::new(Mutex::new(
        start() + SignedDuration::from_hours(1),
    )));
    let queue = Queue::new(Arc::new(clock.clone()));
    queue.add(name("a"), None);
    assert_eq!(ready(&queue).as_deref(), Some("a"));
    queue.done(&name("a"), Some(clock.now() + SignedDuration::from_secs(5)));
    assert_eq!(ready(&queue), None);
    *clock.0.lock().unwrap() = start();
    assert_eq!(ready(&queue).as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_comes_due_while_its_request_waits_brings_it_to_the_front_for_good() {
    let queue = queue();
    queue.add(name("young"), Some(start()));
    assert_eq!(ready(&queue).as_deref(), Some("young"));
    let due = start() + SignedDuration::from_secs(1);
    queue.done(&name("young"), Some(due));
    let ago = |hours| Some(start() - SignedDuration::from_hours(hours));
    queue.add(name("old"), ago(24));
    queue.add(name("older"), ago(48));
    queue.add(name("young"), None);
    queue.clock.sleep_until(due).await;
    queue.turns_to_age();
    assert_eq!(ready(&queue).as_deref(), Some("young"));
    // An event takes nothing of it back.
    queue.done(&name("young"), Some(due));
    assert_eq!(ready(&queue).as_deref(), Some("young"));
    queue.done(&name("young"), Some(due));
    queue.locked().fire_timers(due);
    queue.add(name("young"), None);
    queue.turns_to_age();
    let order: Vec<String> = std::iter::from_fn(|| ready(&queue)).collect();
    assert_eq!(order, ["young", "older", "old"], "each once");
}
