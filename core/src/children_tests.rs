//! Whom a child belongs to, what is live of what is seen, and how leniently a status is read.

use super::*;
use serde_json::json;

fn child(owner: Option<(&str, &str, &str)>) -> Child {
    Child {
        key: ChildKey::new(ChildKind::AIAnalysis, "web-aianalysis"),
        uid: "c-1".into(),
        resource_version: "7".into(),
        deleting: false,
        owner: owner.map(|(kind, name, uid)| Owner {
            kind: kind.into(),
            name: name.into(),
            uid: uid.into(),
        }),
        request_label: None,
        request_uid_label: None,
        status: ChildStatus::read(ChildKind::AIAnalysis, Value::Null),
    }
}

#[test]
fn to_whom_a_child_belongs_is_told_by_kind_name_and_uid_of_its_controller() {
    let request = Identity {
        namespace: "shop".into(),
        name: "web".into(),
        uid: "u-2".into(),
    };
    let kind = crate::kind::REQUEST_KIND;
    for (owner, belongs) in [
        (Some((kind, "web", "u-2")), Belongs::Ours),
        (Some((kind, "web", "u-1")), Belongs::EarlierIncarnation),
        (Some((kind, "shop", "u-1")), Belongs::Foreign),
        (Some(("Deployment", "web", "u-1")), Belongs::Foreign),
        (None, Belongs::Foreign),
    ] {
        assert_eq!(child(owner).belongs(&request), belongs, "{owner:?}");
    }
}

#[test]
fn what_a_cache_holds_is_seen_but_is_not_live() {
    let (mut children, child) = (Children::default(), child(None));
    children.cached(child.clone());
    assert_eq!(children.at(&child.key), Some(&child));
    assert!(!children.is_live(&child.key));
    children.learn(child.clone());
    assert!(children.is_live(&child.key));
    children.learn_absent(&child.key);
    assert_eq!(children.at(&child.key), None);
    assert!(children.is_live(&child.key));
}

#[test]
fn missing_empty_and_hostile_fields_count_as_empty() {
    for status in [
        json!(null),
        json!("text"),
        json!([]),
        json!({ "phase": null }),
        json!({ "phase": 7, "message": { "a": 1 }, "enrichedData": ["x"] }),
    ] {
        let read = ChildStatus::read(ChildKind::RemediationProcessing, status);
        assert_eq!(read, ChildStatus::Processing(ProcessingStatus::default()));
    }
}

#[test]
fn one_bad_field_does_not_hide_the_others() {
    let read = ChildStatus::read(
        ChildKind::AIAnalysis,
        json!({ "phase": "Ready", "confidence": "high", "approval": 3,
                "investigationResult": { "recommendations": [{ "action": "Scale" }], "summary": 1 } }),
    );
    let ChildStatus::Analysis(status) = read else {
        panic!("read as another kind")
    };
    assert_eq!(status.phase, "Ready");
    assert_eq!(
        status.investigation_result.recommendations[0].action,
        "Scale"
    );
    assert!(!status.approval.required);
}

#[test]
fn a_plan_that_cannot_be_read_is_still_a_plan() {
    let ChildStatus::Workflow(status) = ChildStatus::read(
        ChildKind::WorkflowExecution,
        json!({ "plan": { "executedBy": "Orchestrator", "steps": "none" } }),
    ) else {
        panic!("read as another kind")
    };
    let plan = status.plan.expect("not mistaken for no plan");
    assert_eq!(plan.executed_by, "Orchestrator");
    assert!(plan.steps.is_empty());
}

#[test]
fn an_empty_plan_is_no_plan() {
    for empty in [json!({}), json!({ "plan": {} }), json!({ "plan": null })] {
        let status = ChildStatus::read(ChildKind::WorkflowExecution, empty);
        assert_eq!(status.workflow().plan, None);
    }
}
