//! Payloads made to harm: whatever children and alerts say, status, notifications and Events stay small and clean.

use remediation_core::phase::Phase;
use serde_json::{Value, json};

use crate::world::World;
use crate::world::children::{AIA, KEXEC, NOTIF, RP, WFE, executing};

fn payloads() -> Vec<String> {
    vec![
        "x".repeat(1 << 20),
        "🔥".repeat(1 << 18),
        "\"\\".repeat(1 << 19),
        "\0\u{1b}[31m\r\n".repeat(1000),
        "\u{202E}\u{2066}\u{200B}".repeat(10_000),
        "<!channel> @here @everyone <@U1> ".repeat(1000),
        "{{ .Secret }} $(reboot) ; DROP TABLE".into(),
        "\u{2028}\u{2029}".repeat(100),
        String::new(),
    ]
}

fn is_clean(text: &str) {
    let bad = |c: char| {
        c.is_control()
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    assert!(!text.chars().any(|c| c != '\n' && bad(c)), "{text:?}");
    for mention in ["@channel", "@here", "@everyone", "<!", "<@"] {
        assert!(!text.contains(mention), "{mention} in {text:?}");
    }
}

fn check(world: &World) {
    let status = world.status();
    let size = serde_json::to_string(status).unwrap().len();
    assert!(size <= 32 * 1024, "S29: a status of {size} bytes");
    is_clean(status.message.as_deref().unwrap_or(""));
    for condition in &status.conditions {
        is_clean(&condition.message);
    }
    for (key, object) in &world.objects {
        if key.kind == NOTIF {
            let size = object.spec.to_string().len();
            assert!(size < 8 * 1024, "S29: a notification of {size} bytes");
            is_clean(object.spec["body"].as_str().unwrap());
            is_clean(object.spec["subject"].as_str().unwrap());
        }
    }
    for event in &world.events {
        assert!(
            event.note.len() <= 1024,
            "the API server refuses longer notes"
        );
        is_clean(&event.note);
    }
}

#[test]
fn a_child_that_fails_with_a_hostile_reason_and_message() {
    for payload in payloads() {
        for (phase, kind) in [
            (Phase::Processing, RP),
            (Phase::Analyzing, AIA),
            (Phase::Executing, WFE),
        ] {
            let mut world = World::until(phase);
            world.says(
                kind,
                json!({ "phase": "Failed", "reason": payload, "message": payload }),
            );
            assert_eq!(world.phase(), Phase::Failed);
            check(&world);
        }
    }
}

#[test]
fn a_child_with_a_hostile_phase_word() {
    for payload in payloads() {
        let mut world = World::until(Phase::Processing);
        world.after_secs(2);
        world.says(RP, json!({ "phase": payload }));
        assert_eq!(world.phase(), Phase::Processing);
        world.run_for_secs(1000);
        assert_eq!(world.phase(), Phase::Failed);
        check(&world);
    }
}

#[test]
fn an_analysis_that_asks_for_approval_with_hostile_words() {
    for payload in payloads() {
        let mut world = World::until(Phase::Analyzing);
        let recommended: Vec<Value> = (0..20)
            .map(|_| json!({ "action": payload, "description": payload }))
            .collect();
        let result =
            json!({ "rootCause": payload, "summary": payload, "recommendations": recommended });
        world.says(
            AIA,
            json!({ "phase": "Approving", "investigationResult": result }),
        );
        assert!(world.notification("approval").is_some());
        check(&world);
        let approval = json!({ "decision": "Rejected", "decidedBy": payload });
        world.says(
            AIA,
            json!({ "phase": "Approving", "approval": approval, "reason": payload }),
        );
        assert_eq!(world.outcome(), (Phase::Failed, "AnalysisRejected".into()));
        check(&world);
    }
}

#[test]
fn an_alert_with_hostile_words() {
    for payload in payloads() {
        let cut = |limit: usize| payload.chars().take(limit).collect::<String>();
        let mut world = World::with(|request| {
            let data = request.spec.targeting_data.as_mut().unwrap();
            data.alert_name = cut(253);
            data.environment = cut(63);
            data.cluster_name = Some(cut(253));
        });
        world.reconcile();
        if world.phase() == Phase::Processing {
            world.says(RP, json!({ "phase": "Failed", "message": payload }));
        }
        assert_eq!(world.phase(), Phase::Failed);
        check(&world);
    }
}

#[test]
fn answers_of_the_api_server_with_hostile_words() {
    for payload in payloads() {
        let mut world = World::new();
        let answer = crate::world::api::failure(503, "ServiceUnavailable", &payload);
        world.refuse_always(crate::world::api::creates, answer);
        world.reconcile();
        check(&world);
        world.run_for_secs(1000);
        assert_eq!(world.phase(), Phase::Failed);
        check(&world);
    }
}

#[test]
fn the_largest_plan_of_the_longest_names_fits() {
    let mut world = World::with(|request| request.identity.name = "n".repeat(253));
    world.proceed_to(Phase::WorkflowPlanning);
    let steps: Vec<Value> = (0..64)
        .map(|n| json!({ "name": format!("{n:0>63}") }))
        .collect();
    world.says(WFE, executing(&json!(steps)));
    assert_eq!(world.count(KEXEC), 64);
    check(&world);
    for key in world
        .objects
        .keys()
        .filter(|k| k.kind == KEXEC)
        .skip(1)
        .cloned()
        .collect::<Vec<_>>()
    {
        world.child_says(&key, json!({ "phase": "Completed" }));
    }
    let message = "🔥".repeat(1 << 18);
    let key = world.key_of(KEXEC);
    world.child_says(&key, json!({ "phase": "Failed", "message": message }));
    assert_eq!(world.phase(), Phase::Failed);
    check(&world);
}

#[test]
fn the_status_of_one_step_is_four_kilobytes_at_most() {
    let mut world = World::running(&json!([{ "name": "scale" }]));
    world.step_says("scale", json!({ "phase": "Completed" }));
    world.says(WFE, json!({ "phase": "Completed" }));
    let size = serde_json::to_string(world.status()).unwrap().len();
    assert!(size <= 4096, "S29: {size} bytes");
}

#[test]
fn a_status_of_the_wrong_types_counts_as_empty() {
    for status in [
        json!(null),
        json!(7),
        json!([1]),
        json!({ "phase": [] }),
        json!({ "phase": {}, "plan": 3 }),
    ] {
        for (phase, kind) in [
            (Phase::Processing, RP),
            (Phase::Analyzing, AIA),
            (Phase::Executing, WFE),
        ] {
            let mut world = World::until(phase);
            world.says(kind, status.clone());
            assert_eq!(world.phase(), phase);
        }
    }
}
