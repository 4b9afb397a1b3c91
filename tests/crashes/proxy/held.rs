//! What was held up: watches that brought nothing, and calls that were applied long after they had been made. The checker does
//! not count that time.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Call, Shared};

/// From when to when.
pub(crate) type Period = (Timestamp, Timestamp);

/// A call that was applied long after it was made.
#[derive(Clone, Debug)]
pub(crate) struct Late {
    pub(crate) call: Call,
    /// From its arrival until it was applied.
    pub(crate) period: Period,
}

/// What was held up by the proxy.
#[derive(Debug, Default)]
pub(super) struct Periods {
    over: Vec<Period>,
    pub(super) late: Vec<Late>,
    /// How many watches on each resource bring what there is.
    open: BTreeMap<String, usize>,
    /// The resources of which no watch does, and since when.
    blind: BTreeMap<String, Timestamp>,
}

impl Periods {
    pub(super) fn add(&mut self, since: Timestamp) {
        self.over.push((since, Timestamp::now()));
    }

    fn opened(&mut self, resource: &str) {
        *self.open.entry(resource.to_owned()).or_default() += 1;
        if let Some(since) = self.blind.remove(resource) {
            self.over.push((since, Timestamp::now()));
        }
    }

    fn lost(&mut self, resource: &str) {
        self.closed(resource);
        if self.open.get(resource) == Some(&0) {
            self.blind.insert(resource.to_owned(), Timestamp::now());
        }
    }

    /// Whoever watched is gone, and does not act on what it does not see.
    fn closed(&mut self, resource: &str) {
        let open = self.open.entry(resource.to_owned()).or_default();
        *open = open.saturating_sub(1);
    }

    /// In which watches brought nothing, until now.
    pub(super) fn until_now(&self) -> Vec<Period> {
        let now = Timestamp::now();
        let lasting = self.blind.values().map(|since| (*since, now));
        self.over.iter().copied().chain(lasting).collect()
    }
}

/// An open watch that brings what there is, until it is lost.
pub(super) struct Sight {
    shared: Arc<Shared>,
    resource: String,
    lost: bool,
}

impl Sight {
    pub(super) fn of(shared: &Arc<Shared>, resource: &str) -> Self {
        shared.state().held.opened(resource);
        Self {
            shared: shared.clone(),
            resource: resource.to_owned(),
            lost: false,
        }
    }

    /// Nothing comes any more.
    pub(super) fn lose(&mut self) {
        if !self.lost {
            self.lost = true;
            self.shared.state().held.lost(&self.resource);
        }
    }
}

impl Drop for Sight {
    fn drop(&mut self) {
        if !self.lost {
            self.shared.state().held.closed(&self.resource);
        }
    }
}

#[test]
fn a_resource_is_out_of_sight_while_no_watch_on_it_brings_anything() {
    let mut periods = Periods::default();
    periods.opened("leases");
    periods.opened("leases");
    periods.lost("leases");
    assert_eq!(
        periods.until_now(),
        [],
        "the other one brings what there is"
    );
    periods.lost("leases");
    let since = periods.until_now()[0].0;
    periods.opened("events");
    periods.opened("leases");
    assert_eq!((periods.over[0].0, periods.until_now().len()), (since, 1));
    periods.closed("leases");
    assert_eq!(periods.until_now().len(), 1, "nobody looks");
}
