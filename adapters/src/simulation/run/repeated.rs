//! Calls that are repeated without a pause although they are refused (S30).

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::time::Instant;

use crate::simulation::api_server::RequestInfo;

/// A conflict is tried three times in a pass, and two passes may meet in one moment although nothing happens in it.
pub(super) const MOST_AT_ONCE: u32 = 6;

/// How often each call was refused in the present moment, since the last news.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    moment: Option<Instant>,
    calls: BTreeMap<Asked, u32>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    client: String,
    /// The name of the remediation request that the call is about.
    about: Option<String>,
    verb: String,
    resource: String,
    name: Option<String>,
    /// A creation has no name, and is told by its body.
    body: Option<Bytes>,
}

impl Repeated {
    /// Counts one more that is refused at this moment.
    pub(super) fn refused(
        &mut self,
        request: &RequestInfo,
        about: Option<String>,
        now: Instant,
    ) -> u32 {
        if self.moment.replace(now) != Some(now) {
            self.calls.clear();
        }
        let asked = Asked {
            client: request.user_agent.clone(),
            about,
            verb: request.verb.clone(),
            resource: request.resource.clone(),
            name: request.name.clone(),
            body: request.name.is_none().then(|| request.body.clone()),
        };
        let times = self.calls.entry(asked).or_default();
        *times += 1;
        *times
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn call(verb: &str, name: &str) -> RequestInfo {
        RequestInfo {
            received: jiff::Timestamp::UNIX_EPOCH,
            verb: verb.to_owned(),
            group: String::new(),
            resource: "things".to_owned(),
            subresource: None,
            namespace: None,
            name: Some(name.to_owned()),
            user_agent: "one".to_owned(),
            query: String::new(),
            body: Bytes::new(),
        }
    }

    #[test]
    fn only_the_same_call_in_one_moment_without_news_counts_as_repeated() {
        let now = Instant::now();
        let mut repeated = Repeated::default();
        let patch = |repeated: &mut Repeated, now| {
            repeated.refused(&call("patch", "r0"), Some("r0".to_owned()), now)
        };
        assert_eq!(patch(&mut repeated, now), 1);
        assert_eq!(patch(&mut repeated, now), 2);
        assert_eq!(repeated.refused(&call("get", "r0"), None, now), 1);
        repeated.news_of("r1");
        repeated.lists("another");
        assert_eq!(patch(&mut repeated, now), 3);
        repeated.news_of("r0");
        assert_eq!(patch(&mut repeated, now), 1);
        repeated.lists("one");
        assert_eq!(patch(&mut repeated, now), 1);
        let later = now + Duration::from_millis(1);
        assert_eq!(patch(&mut repeated, later), 1);
    }
}
