//! Every difference that random sequences have found and that was mended, as a small fixed sequence on both servers.
//! The number is the code of the last answer, so that a sequence cannot lose what it is about.

use serde_json::{Value, json};

use crate::{
    compare::compare,
    harness::{Failure, Result},
    kinds::{CONFIG_MAP, EVENT, GADGET, LEASE, NAMESPACE, REQUEST, WIDGET},
    request::{Request, Step},
    run::Outcome,
    stage::Pair,
    story,
};

/// Runs the requests on both servers.
async fn same(requests: Vec<Request>, code: u16) -> Result {
    let steps: Vec<Step> = requests.into_iter().map(Step::Send).collect();
    same_steps(&steps, code).await
}

/// Runs the steps on both servers: no difference may come, and the last answer must have this code.
pub(crate) async fn same_steps(steps: &[Step], code: u16) -> Result {
    let pair = Pair::start().await?;
    let (real, simulated) = pair.run(steps).await;
    if let Some(difference) = compare(steps, &real, &simulated).difference {
        return Err(Failure::new(story::tell(steps, &difference)));
    }
    match real.last() {
        Some(Outcome::Answered(answer)) if answer.code == code => Ok(()),
        other => Err(Failure::new(format!("not {code} but {other:?}"))),
    }
}

macro_rules! known {
    ($($name:ident: $code:literal, [$($request:expr),+ $(,)?];)+) => {
        $(
            #[tokio::test]
            async fn $name() -> Result {
                same(vec![$($request),+], $code).await
            }
        )+
    };
}

fn widget(spec: &Value) -> Request {
    Request::post(
        WIDGET.collection(),
        WIDGET.with("a", &json!({"spec": spec})),
    )
}

fn plain_widget() -> Request {
    widget(&json!({"colour": "red"}))
}

fn replaced(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

known! {
    an_unknown_field_validation_is_refused_before_the_object_is_looked_for: 422, [
        Request::put(WIDGET.object("a"), WIDGET.plain("a")).query("fieldValidation", "Loud"),
    ];
    an_unknown_dry_run_is_refused_before_a_lost_update: 422, [
        plain_widget(),
        Request::merge(WIDGET.object("a"), json!({"metadata": {"resourceVersion": "1"}})).query("dryRun", "Some"),
    ];
    list_options_are_checked_before_the_fields_of_a_selector: 422, [
        Request::get(CONFIG_MAP.collection())
            .query("fieldSelector", "metadata.uid=1")
            .query("resourceVersionMatch", "Exact"),
    ];
    a_selector_is_read_before_list_options_are_checked: 400, [
        Request::get(EVENT.collection())
            .query("fieldSelector", "nonsense")
            .query("resourceVersionMatch", "Exact"),
    ];
    an_unknown_match_of_versions_is_refused: 422, [
        Request::get(WIDGET.collection()),
        Request::get(WIDGET.collection())
            .query("resourceVersion", "{listrv}")
            .query("resourceVersionMatch", "Vague"),
    ];
    a_watch_of_initial_events_names_both_mistakes: 422, [
        Request::get(WIDGET.collection())
            .query("watch", "1")
            .query("sendInitialEvents", "true")
            .query("resourceVersionMatch", "Exact"),
    ];
    a_limit_that_is_no_number_is_refused_first: 400, [
        Request::get(WIDGET.collection())
            .query("limit", "x")
            .query("resourceVersion", "0")
            .query("resourceVersionMatch", "Exact"),
    ];
    a_form_that_the_server_does_not_speak_is_refused: 406, [
        plain_widget(),
        Request::get(WIDGET.object("a")).accept("application/xml"),
    ];
    a_form_that_the_server_does_not_speak_is_refused_for_built_in_kinds: 406, [
        Request::get(LEASE.object("a")).accept("application/xml"),
    ];
    a_lease_without_a_spec_gets_an_empty_one: 201, [
        Request::post(LEASE.collection(), LEASE.plain("a")),
    ];
    a_lease_lasts_longer_than_nothing: 422, [
        Request::post(LEASE.collection(), LEASE.with("a", &json!({"spec": {"leaseDurationSeconds": 0}}))),
    ];
    a_lease_is_told_once_what_is_wrong_with_it: 422, [
        Request::post(LEASE.collection(), LEASE.plain("a")),
        Request::put(LEASE.object("a"), {
            let mut lease = LEASE.with("a", &json!({"spec": {"leaseTransitions": -1}}));
            lease["metadata"]["resourceVersion"] = LEASE.known("rv", "a", "").into();
            lease
        }),
    ];
    an_unknown_field_of_a_built_in_kind_goes: 201, [
        Request::post(LEASE.collection(), LEASE.with("a", &json!({"spec": {"unknown": 1}}))),
    ];
    a_wrong_type_in_a_built_in_kind_is_refused: 400, [
        Request::post(CONFIG_MAP.collection(), CONFIG_MAP.with("a", &json!({"data": {"k": 1}}))),
    ];
    empty_data_of_a_config_map_goes: 201, [
        Request::post(CONFIG_MAP.collection(), CONFIG_MAP.with("a", &json!({"data": {}}))),
    ];
    an_event_tells_who_reports_it: 201, [
        Request::post(EVENT.collection(), EVENT.plain("a")),
    ];
    an_event_is_about_its_own_namespace: 422, [
        Request::post(EVENT.collection(), EVENT.with("a", &json!({"involvedObject": {"namespace": "elsewhere"}}))),
    ];
    a_built_in_object_need_not_say_what_it_is: 201, [
        Request::post(CONFIG_MAP.collection(), json!({"metadata": {"name": "a"}})),
    ];
    a_custom_object_must_say_what_it_is: 400, [
        Request::post(WIDGET.collection(), json!({})).text("null"),
    ];
    a_namespace_keeps_its_name_as_a_label: 200, [
        Request::post(NAMESPACE.collection(), NAMESPACE.plain("{ns}-a")),
        Request::put(NAMESPACE.object("{ns}-a"), NAMESPACE.plain("{ns}-a")),
    ];
    a_precondition_of_a_namespace_names_the_resource: 409, [
        Request::post(NAMESPACE.collection(), NAMESPACE.plain("{ns}-a")),
        Request::delete(NAMESPACE.object("{ns}-a")).body(
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": "1"}}),
            "application/json",
        ),
    ];
    namespaces_are_not_deleted_together: 405, [
        Request::delete(NAMESPACE.collection()).query("labelSelector", "sequence={ns}"),
    ];
    a_built_in_object_is_not_created_under_its_own_path: 405, [
        Request::post(CONFIG_MAP.object("a"), CONFIG_MAP.plain("a")),
    ];
    a_built_in_object_without_a_status_has_no_such_path: 404, [
        Request::merge(format!("{}/status", CONFIG_MAP.object("a")), json!({})),
    ];
    a_refusal_comes_with_the_warnings: 422, [
        widget(&json!({"colour": "pink", "unknown": 1})),
    ];
    the_fields_of_an_object_in_the_place_of_a_list_are_unknown: 422, [
        widget(&json!({"colour": "red", "parts": {"name": "p"}})),
    ];
    a_rule_about_a_number_shows_the_number: 422, [
        widget(&json!({"colour": "red", "size": 5})),
        Request::merge(WIDGET.object("a"), json!({"spec": {"size": 4}})),
    ];
    a_rule_that_cannot_read_a_duration_says_so: 422, [
        Request::post(REQUEST.collection(), REQUEST.with("a", &json!({"spec": {"timeouts": {"analyzing": "soon"}}}))),
    ];
    only_the_first_fault_of_a_text_is_told: 422, [
        widget(&json!({"colour": "red", "label": "A"})),
    ];
    a_patch_of_nothing_is_not_read: 404, [
        Request::merge(WIDGET.object("a"), json!({})).text("{"),
    ];
    a_json_patch_may_replace_what_is_not_there: 200, [
        plain_widget(),
        Request::json_patch(WIDGET.object("a"), json!([{"op": "replace", "path": "/spec/port", "value": 80}])),
    ];
    a_merge_patch_leaves_the_nulls_of_new_objects_out: 200, [
        Request::post(GADGET.collection(), GADGET.plain("a")),
        Request::merge(GADGET.object("a"), json!({"spec": {"other": [1, {"deep": null}], "new": {"deep": null}}})),
    ];
    a_wrong_kind_is_found_after_a_missing_object: 404, [
        Request::put(WIDGET.object("a"), replaced(WIDGET.plain("a"), "kind", json!("Other"))),
    ];
    a_wrong_kind_is_named_by_the_refusal: 422, [
        Request::post(WIDGET.collection(), replaced(WIDGET.plain("a"), "kind", json!("Other"))),
    ];
    the_same_owner_twice_is_one_owner: 201, [
        Request::post(WIDGET.collection(), {
            let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u", "controller": true});
            let mut widget = WIDGET.plain("a");
            widget["metadata"]["ownerReferences"] = json!([owner, owner]);
            widget
        }).query("dryRun", "All"),
    ];
    labels_that_are_a_list_are_refused_before_a_taken_name: 400, [
        plain_widget(),
        Request::post(WIDGET.collection(), {
            let mut widget = WIDGET.plain("a");
            widget["metadata"]["labels"] = json!([]);
            widget
        }),
    ];
    a_page_of_an_older_list_shows_the_older_state: 200, [
        plain_widget(),
        Request::get(WIDGET.collection()),
        Request::delete(WIDGET.object("a")),
        Request::get(WIDGET.collection()).query("resourceVersion", "{rv:Widget/a}").query("limit", "2"),
    ];
    a_selector_may_compare_numbers: 200, [
        Request::get(CONFIG_MAP.collection()).query("labelSelector", "tier>1"),
    ];
    a_finalizer_of_a_built_in_kind_is_qualified: 422, [
        Request::post(CONFIG_MAP.collection(), {
            let mut map = CONFIG_MAP.plain("a");
            map["metadata"]["finalizers"] = json!(["plain"]);
            map
        }),
    ];
    the_status_of_a_namespace_takes_the_metadata_along: 200, [
        Request::post(NAMESPACE.collection(), NAMESPACE.plain("{ns}-a")),
        Request::put(format!("{}/status", NAMESPACE.object("{ns}-a")), {
            let mut namespace = NAMESPACE.plain("{ns}-a");
            namespace["metadata"]["labels"]["tier"] = json!("front");
            namespace["status"] = json!({"phase": "Active"});
            namespace
        }),
    ];
    a_selector_with_a_bad_key_is_refused: 400, [
        Request::get(WIDGET.collection()).query("labelSelector", "Bad_Prefix/x=y"),
    ];
    a_selector_with_a_bad_value_is_refused: 400, [
        Request::get(WIDGET.collection()).query("labelSelector", "tier=a b"),
    ];
    a_status_of_the_wrong_type_has_no_name: 422, [
        plain_widget(),
        Request::merge(format!("{}/status", WIDGET.object("a")), json!({"status": "text"})),
    ];
    a_status_is_not_deleted: 405, [
        plain_widget(),
        Request::delete(format!("{}/status", WIDGET.object("a"))),
    ];
    a_resource_version_that_is_none_does_not_keep_an_object_from_being_made: 201, [
        Request::post(GADGET.collection(), {
            let mut gadget = GADGET.plain("a");
            gadget["metadata"]["resourceVersion"] = json!("x");
            gadget
        }),
    ];
    a_replacement_that_creates_forgets_its_version: 201, [
        Request::put(LEASE.object("a"), {
            let mut lease = LEASE.plain("a");
            lease["metadata"]["resourceVersion"] = json!("7");
            lease
        }),
    ];
    an_empty_list_of_metadata_is_null: 200, [
        Request::get(WIDGET.collection())
            .accept("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"),
    ];
    a_table_has_no_empty_token_and_a_described_age: 200, [
        Request::get(GADGET.collection()).accept("application/json;as=Table;v=v1;g=meta.k8s.io"),
    ];
    a_review_has_metadata: 201, [
        Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
        })),
    ];
    a_list_that_may_be_old_is_whole_whatever_the_limit: 200, [
        plain_widget(),
        Request::post(WIDGET.collection(), WIDGET.plain("b")),
        Request::get(WIDGET.collection()),
        Request::get(WIDGET.collection()).query("resourceVersion", "0").query("limit", "1"),
    ];
    events_are_listed_in_pages_even_where_they_may_be_old: 200, [
        Request::post(EVENT.collection(), EVENT.plain("a")),
        Request::post(EVENT.collection(), EVENT.plain("b")),
        Request::get(EVENT.collection()).query("resourceVersion", "0").query("limit", "1"),
    ];
    the_phase_of_a_namespace_is_looked_at_in_its_status_alone: 422, [
        Request::post(NAMESPACE.collection(), NAMESPACE.plain("{ns}-a")),
        Request::put(NAMESPACE.object("{ns}-a"), {
            let mut namespace = NAMESPACE.plain("{ns}-a");
            namespace["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            namespace
        }),
    ];
    a_page_has_a_next_one_where_anything_is_left_that_matches_or_not: 200, [
        plain_widget(),
        Request::post(WIDGET.collection(), {
            let mut widget = WIDGET.plain("b");
            widget["metadata"]["labels"] = json!({"tier": "front"});
            widget
        }),
        Request::get(WIDGET.collection()).query("labelSelector", "tier!=front").query("limit", "1"),
    ];
    a_page_of_an_object_by_its_name_has_no_next_one: 200, [
        plain_widget(),
        Request::post(WIDGET.collection(), WIDGET.plain("b")),
        Request::get(WIDGET.collection()).query("fieldSelector", "metadata.name=a").query("limit", "1"),
    ];
    of_a_parameter_given_twice_the_first_counts: 200, [
        Request::get(WIDGET.collection())
            .query("labelSelector", "tier=front")
            .query("labelSelector", "tier in front"),
    ];
    a_number_that_is_not_whole_is_told_twice: 422, [
        widget(&json!({"colour": "red", "size": 2.5})),
    ];
    a_patch_of_an_unknown_form_is_refused_shortly_for_built_in_kinds: 415, [
        Request::merge(LEASE.object("a"), json!({})).content_type(Some("application/json")),
    ];
    the_refusal_of_another_name_comes_with_the_warnings: 400, [
        plain_widget(),
        Request::merge(WIDGET.object("a"), json!({"metadata": {"name": "b"}, "other": 1})),
    ];
    the_refusal_of_another_uid_comes_with_the_warnings: 409, [
        Request::put(LEASE.object("a"), {
            let mut lease = LEASE.with("a", &json!({"spec": {"unknown": 1}}));
            lease["metadata"]["uid"] = json!("u");
            lease
        }),
    ];
    a_finalizer_that_is_no_name_is_told_by_two_checks: 422, [
        Request::post(CONFIG_MAP.collection(), {
            let mut map = CONFIG_MAP.plain("a");
            map["metadata"]["finalizers"] = json!(["not one"]);
            map
        }),
    ];
    a_finalizer_of_an_event_need_not_be_qualified: 201, [
        Request::post(EVENT.collection(), {
            let mut event = EVENT.plain("a");
            event["metadata"]["finalizers"] = json!(["plain"]);
            event
        }),
    ];
    the_name_of_a_namespace_is_a_label: 422, [
        Request::post(NAMESPACE.collection(), NAMESPACE.plain(&"x".repeat(64))),
    ];
    the_namespace_of_a_namespace_is_forgotten: 201, [
        Request::post(NAMESPACE.collection(), {
            let mut namespace = NAMESPACE.plain("{ns}-a");
            namespace["metadata"]["namespace"] = json!("elsewhere");
            namespace
        }),
    ];
    of_an_object_of_another_kind_only_that_is_told: 422, [
        Request::post(WIDGET.collection(), {
            let mut widget = WIDGET.with("a", &json!({"kind": "Other", "spec": {"colour": "pink", "unknown": 1}}));
            widget["metadata"]["labels"] = json!({"tier": "a b"});
            widget
        }),
    ];
    a_missing_kind_is_told_in_other_words_where_fields_are_not_validated: 400, [
        Request::post(WIDGET.collection(), json!({"metadata": {"name": "a"}})).query("fieldValidation", "Ignore"),
    ];
    a_built_in_kind_keeps_the_generation_that_it_is_given: 201, [
        Request::post(LEASE.collection(), {
            let mut lease = LEASE.plain("a");
            lease["metadata"]["generation"] = json!(7);
            lease
        }),
    ];
    a_dry_run_does_not_look_at_the_version_of_what_it_makes: 201, [
        Request::post(WIDGET.collection(), {
            let mut widget = WIDGET.plain("a");
            widget["metadata"]["resourceVersion"] = json!("1");
            widget
        }).query("dryRun", "All"),
    ];
    the_version_of_what_is_made_is_looked_at_after_its_fields: 422, [
        Request::post(WIDGET.collection(), {
            let mut widget = WIDGET.with("a", &json!({"spec": {"colour": "pink"}}));
            widget["metadata"]["resourceVersion"] = json!("1");
            widget
        }),
    ];
    an_event_may_have_any_name_that_fits_into_a_path: 201, [
        Request::post(EVENT.collection(), EVENT.plain("Upper")),
    ];
    the_name_of_an_event_must_fit_into_a_path: 422, [
        Request::post(EVENT.collection(), EVENT.plain("a/b")),
    ];
    an_event_about_nothing_is_found_out_before_its_missing_name: 422, [
        Request::post(EVENT.collection(), json!({})).text("null"),
    ];
    a_replacement_that_creates_is_read_before_its_uid_is_looked_at: 400, [
        Request::put(EVENT.object("a"), {
            let mut event = replaced(EVENT.plain("a"), "kind", json!("Other"));
            event["metadata"]["uid"] = json!("u");
            event
        }),
    ];
    a_replacement_that_creates_is_refused_for_its_uid_before_its_version: 409, [
        Request::put(LEASE.object("a"), {
            let mut lease = LEASE.plain("a");
            lease["metadata"]["uid"] = json!("u");
            lease["metadata"]["resourceVersion"] = json!("x");
            lease
        }),
    ];
    a_json_patch_of_null_does_nothing: 200, [
        plain_widget(),
        Request::json_patch(WIDGET.object("a"), json!([])).text("null"),
    ];
    a_list_for_a_merge_patch_makes_no_object_where_fields_are_not_validated: 422, [
        plain_widget(),
        Request::merge(WIDGET.object("a"), json!({})).text("[]").query("fieldValidation", "Ignore"),
    ];
    the_form_of_a_new_object_is_looked_at_before_the_options: 415, [
        plain_widget().content_type(Some("text/plain")).query("fieldValidation", "Loud"),
    ];
    the_options_of_a_replacement_are_looked_at_before_its_form: 422, [
        Request::put(WIDGET.object("a"), WIDGET.plain("a"))
            .content_type(Some("text/plain"))
            .query("fieldValidation", "Loud"),
    ];
    a_value_of_the_wrong_type_is_none_of_the_allowed_ones_either: 422, [
        widget(&json!({"colour": 7})),
    ];
    a_number_of_a_status_that_is_not_whole_is_told_of_the_status: 422, [
        plain_widget(),
        Request::merge(format!("{}/status", WIDGET.object("a")), json!({"status": {"observed": 1.5}})),
    ];
    a_built_in_kind_without_fields_to_select_names_the_two_of_all_kinds: 400, [
        Request::get(CONFIG_MAP.collection()).query("fieldSelector", "spec.colour=green"),
    ];
    a_dry_run_of_a_replacement_that_creates_gives_the_version_back: 201, [
        Request::put(LEASE.object("a"), {
            let mut lease = LEASE.plain("a");
            lease["metadata"]["resourceVersion"] = json!("7");
            lease
        }).query("dryRun", "All"),
    ];
    a_lease_may_have_any_finalizer: 201, [
        Request::post(LEASE.collection(), {
            let mut lease = LEASE.plain("a");
            lease["metadata"]["finalizers"] = json!(["plain"]);
            lease
        }),
    ];
    a_bad_finalizer_is_told_once_and_a_bad_label_three_times: 422, [
        plain_widget(),
        Request::put(WIDGET.object("a"), {
            let mut widget = WIDGET.with("a", &json!({"spec": {"colour": "red"}}));
            widget["metadata"]["resourceVersion"] = WIDGET.known("rv", "a", "").into();
            widget["metadata"]["finalizers"] = json!(["not one"]);
            widget["metadata"]["labels"] = json!({"tier": "a b"});
            widget
        }),
    ];
    an_object_listed_by_its_name_is_the_newest_whatever_the_limit: 200, [
        Request::get(WIDGET.collection()),
        plain_widget(),
        Request::get(WIDGET.collection())
            .accept("application/json;as=Table;v=v1;g=meta.k8s.io"),
        Request::get(WIDGET.collection())
            .query("fieldSelector", "metadata.name=a")
            .query("resourceVersion", "{listrv}")
            .query("limit", "1"),
    ];
    a_json_patch_may_test_that_a_field_is_not_there: 200, [
        plain_widget(),
        Request::json_patch(WIDGET.object("a"), json!([
            {"op": "test", "path": "/spec/note", "value": null},
            {"op": "add", "path": "/spec/note", "value": "n"},
        ])),
    ];
}

/// What the random sequences do not ask for: the real server has no answer to it. It goes on all the same.
#[tokio::test]
async fn a_null_in_a_list_that_a_patch_tests_breaks_the_connection() -> Result {
    let list = json!({"any": [1, null]});
    let compare = json!([{"op": "test", "path": "/spec/free", "value": list}]);
    let steps = [
        widget(&json!({"colour": "red", "free": list})),
        Request::json_patch(WIDGET.object("a"), compare),
        Request::get(WIDGET.object("a")),
    ]
    .map(Step::Send);
    let (real, simulated) = Pair::start().await?.run(&steps).await;
    let codes = |answers: Vec<Outcome>| -> Vec<u16> {
        let code = |outcome| match outcome {
            Outcome::Answered(answer) => answer.code,
            Outcome::Watched(_) | Outcome::Settled(_) => 0,
        };
        answers.into_iter().map(code).collect()
    };
    assert_eq!(codes(simulated), [201, 200, 200]);
    assert_eq!(codes(real), [201, 0, 200], "mended: draw it again");
    Ok(())
}
