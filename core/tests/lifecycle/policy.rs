//! Policy: the request's own limits before the configuration's, and what counted at the start counts to the end.

use std::sync::Arc;

use remediation_core::phase::Phase;
use remediation_core::policy::{DefaultTimeouts, Retention, Settings};
use remediation_core::time::GoDuration;
use serde_json::json;

use crate::world::World;
use crate::world::children::{AIA, WFE};

fn minutes(analyzing: i64) -> Arc<Settings> {
    Arc::new(Settings {
        timeouts: DefaultTimeouts {
            analyzing: GoDuration::from_mins(analyzing),
            ..DefaultTimeouts::default()
        },
        retention: Retention {
            ttl_seconds_after_finished: 60 * analyzing,
        },
        ..Settings::default()
    })
}

fn minutes_left(world: &World) -> i64 {
    let next = world.status().next_deadline.unwrap().moment();
    next.duration_since(world.now).as_secs() / 60
}

#[test]
fn configuration_overrides_the_default_and_the_request_overrides_both() {
    let mut world = World::new();
    world.settings = minutes(7);
    world.proceed_to(Phase::Analyzing);
    assert_eq!(minutes_left(&world), 7);
    let mut world = World::with(|request| {
        request.spec.timeouts = Some(serde_json::from_value(json!({ "analyzing": "3m" })).unwrap());
    });
    world.settings = minutes(7);
    world.proceed_to(Phase::Analyzing);
    assert_eq!(minutes_left(&world), 3);
    world.says(AIA, json!({ "phase": "Investigating" }));
    world.run_for_secs(180);
    let message = world.status().message.clone().unwrap();
    assert!(message.contains("did not end within 3m;"), "S13: {message}");
}

#[test]
fn a_change_of_configuration_changes_nothing_that_is_under_way() {
    let mut world = World::new();
    world.settings = minutes(7);
    world.reconcile();
    let pinned = world.status().effective_policy.clone();
    world.settings = minutes(99);
    world.proceed_to(Phase::Analyzing);
    assert_eq!(minutes_left(&world), 7, "S27");
    world.says(AIA, json!({ "phase": "Failed" }));
    assert_eq!(world.status().effective_policy, pinned);
    world.run_for_secs(7 * 60);
    assert!(world.request.is_none(), "the time to live too");
}

#[test]
fn the_channels_of_notifications_follow_the_configuration() {
    let mut settings = Settings::default();
    settings.notifications.success.channels = vec!["pager".into()];
    let mut world = World::new();
    world.settings = Arc::new(settings);
    world.proceed_to(Phase::Executing);
    world.says(WFE, json!({ "phase": "Completed" }));
    assert_eq!(
        world.notification("success").unwrap()["channels"],
        json!(["pager"])
    );
}

#[test]
fn events_for_each_transition_are_written_where_they_are_asked_for() {
    let mut settings = Settings::default();
    settings.events.transitions = true;
    let mut world = World::new();
    world.settings = Arc::new(settings);
    world.proceed_to(Phase::Completed);
    assert_eq!(
        (
            world.events("PhaseEntered"),
            world.events("RemediationCompleted")
        ),
        (4, 1)
    );
}

#[test]
fn ten_years_are_the_longest_timeout() {
    let read = |text: &str| text.parse::<remediation_core::time::GoDuration>();
    assert!(read("87600h").is_ok());
    assert!(read("87600h1ms").is_err());
}

#[test]
fn a_negative_duration_counts_as_none() {
    use remediation_core::time::GoDuration;
    for millis in [-1, i64::MIN] {
        assert_eq!(GoDuration::from_millis(millis), GoDuration::ZERO);
    }
    assert_eq!(GoDuration::from_secs(i64::MIN), GoDuration::ZERO);
}

#[test]
fn a_limit_of_ten_years_makes_a_whole_of_ten_years_that_can_be_read_again() {
    let mut world = World::with(|request| {
        let asked = json!({ "executing": "87600h", "approval": "87600h" });
        request.spec.timeouts = Some(serde_json::from_value(asked).unwrap());
    });
    world.reconcile();
    assert_eq!(world.phase(), Phase::Processing);
    let policy = world.status().effective_policy.clone().unwrap();
    assert_eq!(policy.timeouts.overall.to_string(), "87600h");
}
