//! The configuration: one YAML file, flags, and environment variables, read and validated as a whole.
//!
//! [`fields::FIELDS`] is the one table that says which fields there are; the file's reader, the flags, the
//! environment variables, the reference page and the JSON schema all follow from it. A flag wins over the
//! environment, the environment over the file, the file over the default.

#[cfg(test)]
mod docs;
pub(crate) mod fields;
pub(crate) mod file;
pub(crate) mod flags;
mod tree;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use remediation_core::policy::Settings;
use remediation_core::time::GoDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::failure::Failure;
use fields::{FIELDS, Field};
use values::Raw;

/// Everything that is configured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Configuration {
    /// How the process runs.
    pub(crate) operator: Operator,
    /// What it decides by.
    pub(crate) settings: Settings,
}

/// How the operator's process runs: nothing here changes a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Operator {
    pub(crate) namespace: String,
    pub(crate) http_address: SocketAddr,
    pub(crate) leader_elect: bool,
    pub(crate) lease_name: String,
    pub(crate) lease_namespace: String,
    pub(crate) lease_duration: GoDuration,
    pub(crate) lease_retry: GoDuration,
    pub(crate) concurrency: u16,
    pub(crate) call_timeout: GoDuration,
    pub(crate) log_format: String,
    pub(crate) log_level: String,
}

impl Default for Operator {
    fn default() -> Self {
        Self {
            namespace: String::new(),
            http_address: SocketAddr::from(([0, 0, 0, 0], 9090)),
            leader_elect: false,
            lease_name: "remediation-orchestrator".to_owned(),
            lease_namespace: String::new(),
            lease_duration: GoDuration::from_secs(10),
            lease_retry: GoDuration::from_secs(2),
            concurrency: 16,
            call_timeout: GoDuration::from_secs(10),
            log_format: "auto".to_owned(),
            log_level: "info".to_owned(),
        }
    }
}

impl Configuration {
    /// All fields as one tree, as the file would hold them.
    pub(crate) fn tree(&self) -> Value {
        // Plain structs with string keys: serialising them cannot fail.
        let object = |value: Result<Value, serde_json::Error>| match value {
            Ok(Value::Object(fields)) => fields,
            Ok(_) | Err(_) => Map::new(),
        };
        let mut tree = object(serde_json::to_value(&self.operator));
        tree.extend(object(serde_json::to_value(&self.settings)));
        Value::Object(tree)
    }

    fn from_tree(tree: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let ours = Configuration::default().operator;
        let ours = serde_json::to_value(ours)?;
        let (operator, settings) = tree
            .into_iter()
            .partition::<Map<_, _>, _>(|(key, _)| ours.get(key).is_some());
        Ok(Self {
            operator: serde_json::from_value(Value::Object(operator))?,
            settings: serde_json::from_value(Value::Object(settings))?,
        })
    }
}

/// A value that somebody gave, and where.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) field: &'static Field,
    /// `config.yaml:4:15`, `--http-address` or `REMEDIATION_HTTP_ADDRESS`.
    pub(crate) place: String,
    pub(crate) raw: Raw,
}

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where it was given.
    pub(crate) place: String,
    /// The field's path, empty where the file as a whole cannot be read.
    pub(crate) path: String,
    /// What is wrong and what would be right.
    pub(crate) what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "{}: {}", self.place, self.what),
            path => write!(f, "{}: {path}: {}", self.place, self.what),
        }
    }
}

/// The configuration from a file and from what flags and the environment gave, or everything that is wrong
/// with them. `given` is in the order of precedence, the last one wins.
pub(crate) fn load(file: Option<&Path>, given: &[Given]) -> Result<Configuration, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut all = match file {
        Some(path) => file::read(path, &mut problems),
        None => Vec::new(),
    };
    all.extend(given.iter().cloned());
    assemble(&all, problems)
}

/// The configuration from all that was given, the last one of a field wins; or everything that is wrong with it.
pub(crate) fn assemble(
    given: &[Given],
    mut problems: Vec<Problem>,
) -> Result<Configuration, Vec<Problem>> {
    let mut chosen: BTreeMap<&str, (&Given, Value)> = BTreeMap::new();
    for given in given {
        match given.field.kind.check(&given.raw) {
            Ok(value) => {
                chosen.insert(given.field.path, (given, value));
            }
            Err(what) => problems.push(Problem {
                place: given.place.clone(),
                path: given.field.path.to_owned(),
                what,
            }),
        }
    }
    let Value::Object(mut tree) = Configuration::default().tree() else {
        return Err(problems);
    };
    for (path, (_, value)) in &chosen {
        tree::set(&mut tree, path, value.clone());
    }
    // The table checked each value already, so that reading the tree can only fail on a mistake in the table.
    let configuration = match Configuration::from_tree(tree) {
        Ok(configuration) => configuration,
        Err(error) => {
            problems.push(Problem {
                place: "configuration".to_owned(),
                path: String::new(),
                what: error.to_string(),
            });
            return Err(problems);
        }
    };
    let place = |path: &str| {
        chosen
            .get(path)
            .map_or_else(|| "default".to_owned(), |(given, _)| given.place.clone())
    };
    problems.extend(contradictions(&configuration.operator, place));
    if problems.is_empty() {
        Ok(configuration)
    } else {
        Err(problems)
    }
}

/// What is wrong between fields that are right by themselves.
fn contradictions(operator: &Operator, place: impl Fn(&str) -> String) -> Vec<Problem> {
    let renew_deadline = GoDuration::from_millis(operator.lease_duration.as_millis() * 2 / 3);
    let mut problems = Vec::new();
    if operator.lease_retry >= renew_deadline {
        problems.push(Problem {
            place: place("leaseRetry"),
            path: "leaseRetry".to_owned(),
            what: format!(
                "{} leaves no time to renew a lease of {}; it must be less than two thirds of leaseDuration ({renew_deadline})",
                operator.lease_retry, operator.lease_duration
            ),
        });
    }
    problems
}

/// All problems as one failure.
pub(crate) fn refuse(problems: &[Problem]) -> Failure {
    let mut text = match problems.len() {
        1 => "the configuration has a mistake".to_owned(),
        many => format!("the configuration has {many} mistakes"),
    };
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(&problem.to_string());
    }
    text.push_str(
        "\nnext: correct them and start again; docs/reference/configuration.md describes each field",
    );
    Failure::Input(text)
}

/// The field of this path.
pub(crate) fn field(path: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.path == path)
}

#[cfg(test)]
#[path = "../../fuzz/bodies"]
#[allow(unreachable_pub, reason = "shared with the fuzz target")]
mod fuzz {
    pub(crate) mod configuration;
    pub(crate) mod corpus;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(path: &str, text: &str) -> Given {
        Given {
            field: field(path).unwrap(),
            place: "test".into(),
            raw: Raw::Text(text.into()),
        }
    }

    #[test]
    fn the_table_names_every_field_and_no_other() {
        let tree = Configuration::default().tree();
        let mut leaves = tree::leaves(&tree);
        // Absent from the default tree: its default is the sum of the others.
        leaves.insert("timeouts.overall".into());
        let table: std::collections::BTreeSet<String> =
            FIELDS.iter().map(|field| field.path.to_owned()).collect();
        assert_eq!(leaves, table);
    }

    #[test]
    fn nothing_given_is_the_default() {
        assert_eq!(load(None, &[]).unwrap(), Configuration::default());
    }

    #[test]
    fn the_last_one_given_wins() {
        let configuration = load(
            None,
            &[given("concurrency", "3"), given("concurrency", "5")],
        )
        .unwrap();
        assert_eq!(configuration.operator.concurrency, 5);
    }

    #[test]
    fn every_kind_of_field_is_taken() {
        let configuration = load(
            None,
            &[
                given("httpAddress", "127.0.0.1:0"),
                given("leaderElect", "true"),
                given("timeouts.analyzing", "2s"),
                given("timeouts.overall", "1h"),
                given("retention.ttlSecondsAfterFinished", "0"),
                given("notifications.escalation.channels", "pager, slack"),
                given("notifications.success.priority", "high"),
                given("events.transitions", "true"),
                given("namespace", "shop"),
            ],
        )
        .unwrap();
        let Configuration { operator, settings } = configuration;
        assert_eq!(operator.http_address, SocketAddr::from(([127, 0, 0, 1], 0)));
        assert!(operator.leader_elect && settings.events.transitions);
        assert_eq!(operator.namespace, "shop");
        assert_eq!(settings.timeouts.analyzing, GoDuration::from_secs(2));
        assert_eq!(settings.timeouts.overall, Some(GoDuration::from_mins(60)));
        assert_eq!(settings.retention.ttl_seconds_after_finished, 0);
        assert_eq!(
            settings.notifications.escalation.channels,
            ["pager", "slack"]
        );
        assert_eq!(settings.notifications.success.priority, "high");
    }

    #[test]
    fn every_problem_is_listed_with_its_path() {
        let problems = load(
            None,
            &[
                given("timeouts.analyzing", "soon"),
                given("timeouts.executing", "0s"),
                given("timeouts.processing", "-5m"),
                given("timeouts.approval", "5 minutes"),
                given("concurrency", "many"),
                given("concurrency", "0"),
                given("httpAddress", "here"),
                given("leaderElect", "maybe"),
                given("logLevel", "loud"),
                given("namespace", "Not A Name"),
                given("notifications.approval.channels", "a,,b"),
                given("retention.ttlSecondsAfterFinished", "-1"),
                given("leaseRetry", "9s"),
            ],
        )
        .unwrap_err();
        let text: Vec<String> = problems.iter().map(Problem::to_string).collect();
        for expected in [
            "test: timeouts.analyzing: `soon` is no duration",
            "timeouts.executing: 0s is too short",
            "timeouts.processing: `-5m` is no duration: it is negative",
            "timeouts.approval: `5 minutes` is no duration: a unit is unknown",
            "concurrency: `many` is no whole number; write a number from 1 to 1024",
            "concurrency: 0 is out of range; write a number from 1 to 1024",
            "httpAddress: `here` is no address; write IP:PORT",
            "leaderElect: `maybe` is neither true nor false",
            "logLevel: `loud` is none of error, warn, info, debug, trace",
            "namespace: `Not A Name` is no name of a namespace",
            "notifications.approval.channels: an entry is empty",
            "retention.ttlSecondsAfterFinished: -1 is out of range",
            "leaseRetry: 9s leaves no time to renew",
        ] {
            assert!(
                text.iter().any(|line| line.contains(expected)),
                "{expected} not in {text:#?}"
            );
        }
        assert_eq!(text.len(), 13, "{text:#?}");
    }

    #[test]
    fn the_corpus_of_the_fuzzer_is_read_or_refused_with_a_reason() {
        fuzz::corpus::replay("configuration", fuzz::configuration::run);
    }
}
