//! Calls that are repeated without a pause although they are refused (S30).

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::time::Instant;

use crate::simulation::api_server::RequestInfo;

/// A conflict is tried three times in a pass, and two passes may meet in one moment.
pub(super) const MOST_AT_ONCE: u32 = 6;

/// How often each call was refused in the present moment.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    moment: Option<Instant>,
    calls: BTreeMap<Asked, u32>,
}

/// Who asked for what: client, verb, resource and name; a creation has no name, and is told by its body.
type Asked = (String, String, String, Option<String>, Option<Bytes>);

impl Repeated {
    /// Counts one more that is refused at this moment.
    pub(super) fn refused(&mut self, request: &RequestInfo, now: Instant) -> u32 {
        if self.moment.replace(now) != Some(now) {
            self.calls.clear();
        }
        let body = request.name.is_none().then(|| request.body.clone());
        let asked = (
            request.user_agent.clone(),
            request.verb.clone(),
            request.resource.clone(),
            request.name.clone(),
            body,
        );
        let times = self.calls.entry(asked).or_default();
        *times += 1;
        *times
    }
}
