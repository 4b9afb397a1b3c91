//! Calls that are repeated without a pause although they fail (S30).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::simulation::api_server::RequestInfo;

/// A conflict is tried three times in a pass, and two passes may meet in one moment although nothing happens in it.
const MOST_AT_ONCE: usize = 6;
/// A backoff of 5, 10 and 30 s lets four passes try in a minute, three times each where they meet conflicts; as many again for
/// what ends a backoff.
const MOST_IN_A_MINUTE: usize = 24;
const MINUTE: Duration = Duration::from_secs(60);

/// When each call failed in the last minute, since the last news.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    calls: BTreeMap<Asked, VecDeque<Instant>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    client: String,
    /// The name of the remediation request that the call is about.
    about: Option<String>,
    verb: String,
    resource: String,
    name: Option<String>,
}

impl Repeated {
    /// Counts one more that fails at this moment; says how often it did, where that is too often.
    pub(super) fn failed(
        &mut self,
        request: &RequestInfo,
        about: Option<String>,
        now: Instant,
    ) -> Option<String> {
        let asked = Asked {
            client: request.user_agent.clone(),
            about,
            verb: request.verb.clone(),
            resource: request.resource.clone(),
            name: request.name.clone().or_else(|| created_name(request)),
        };
        let times = self.calls.entry(asked).or_default();
        times.push_back(now);
        while times.front().is_some_and(|first| now - *first >= MINUTE) {
            times.pop_front();
        }
        let at_once = times.iter().rev().take_while(|time| **time == now).count();
        if at_once > MOST_AT_ONCE {
            Some(format!("{at_once} times at once"))
        } else if times.len() > MOST_IN_A_MINUTE {
            Some(format!("{} times within a minute", times.len()))
        } else {
            None
        }
    }

    /// Something of this remediation request changed: whoever learns of it may ask again.
    pub(super) fn news_of(&mut self, request: &str) {
        self.calls
            .retain(|asked, _| asked.about.as_deref() != Some(request));
    }

    /// This client learns how everything is, as it does when it starts.
    pub(super) fn lists(&mut self, client: &str) {
        self.calls.retain(|asked, _| asked.client != client);
    }
}

/// A creation has its name in its body.
fn created_name(request: &RequestInfo) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
    Some(body["metadata"]["name"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn call(verb: &str, name: &str) -> RequestInfo {
        RequestInfo {
            received: jiff::Timestamp::UNIX_EPOCH,
            verb: verb.to_owned(),
            group: String::new(),
            resource: "remediationrequests".to_owned(),
            subresource: None,
            namespace: None,
            name: Some(name.to_owned()),
            user_agent: "one".to_owned(),
            query: String::new(),
            body: Bytes::new(),
        }
    }

    /// How often a call may fail in this rhythm.
    fn borne(repeated: &mut Repeated, began: Instant, pause: Duration) -> usize {
        let fails = |nth: &u32| {
            let (call, about) = (call("patch", "r0"), Some("r0".to_owned()));
            repeated
                .failed(&call, about, began + pause * *nth)
                .is_none()
        };
        (0_u32..1_000).take_while(fails).count()
    }

    #[test]
    fn a_call_that_fails_is_not_repeated_without_a_pause_that_grows() {
        for (pause, most) in [(0, 6), (1, 24), (2_000, 24), (3_000, 1_000)] {
            let pause = Duration::from_millis(pause);
            let borne = borne(&mut Repeated::default(), Instant::now(), pause);
            assert_eq!(borne, most, "each {pause:?}");
        }
    }

    #[test]
    fn only_the_same_call_without_news_counts_as_repeated() {
        let now = Instant::now();
        let mut repeated = Repeated::default();
        assert_eq!(borne(&mut repeated, now, Duration::ZERO), 6);
        let fails = |repeated: &mut Repeated, verb: &str| {
            let about = Some("r0".to_owned());
            repeated.failed(&call(verb, "r0"), about, now).is_some()
        };
        assert!(!fails(&mut repeated, "get"));
        repeated.news_of("r1");
        repeated.lists("another");
        assert!(fails(&mut repeated, "patch"));
        repeated.news_of("r0");
        assert!(!fails(&mut repeated, "patch"));
        repeated.lists("one");
        assert_eq!(borne(&mut repeated, now, Duration::ZERO), 6);
    }
}
