//! Random sequences of requests. A seed gives the same sequence for ever, as long as this folder does not change.

mod collect;
mod metadata;
mod read;
mod watch;
mod write;

use crate::{
    kinds::{CONFIG_MAP, EVENT, GADGET, Kind, LEASE, NAMESPACE, REQUEST, WIDGET, WORKFLOW},
    random::Random,
    request::{Request, Step},
};

const KINDS: &[(usize, &Kind)] = &[
    (40, &WIDGET),
    (12, &GADGET),
    (12, &REQUEST),
    (6, &WORKFLOW),
    (10, &LEASE),
    (8, &EVENT),
    (8, &CONFIG_MAP),
    (8, &NAMESPACE),
];

/// The sequence of a seed.
pub(crate) fn sequence(seed: u64) -> Vec<Step> {
    let mut random = Random::new(seed);
    if random.percent(8) {
        return collect::sequence(random);
    }
    let kind = random.weighted(KINDS);
    let mut generator = Generator::new(kind, random);
    generator.begin();
    for _ in 0..4 + generator.random.below(10) {
        generator.step();
    }
    generator.steps
}

/// A sequence about one kind, while it is made.
struct Generator {
    kind: &'static Kind,
    random: Random,
    steps: Vec<Step>,
    watches: usize,
    /// The names under which it has tried to make objects.
    made: Vec<&'static str>,
    /// Only one name is generated in a sequence: the order of two would be chance.
    generated: bool,
}

#[derive(Clone, Copy)]
enum Operation {
    Create,
    Get,
    List,
    Replace,
    Patch,
    Status,
    Delete,
    DeleteCollection,
    Watch,
    Odd,
}

const OPERATIONS: &[(usize, Operation)] = &[
    (26, Operation::Create),
    (8, Operation::Get),
    (12, Operation::List),
    (14, Operation::Replace),
    (16, Operation::Patch),
    (8, Operation::Status),
    (12, Operation::Delete),
    (2, Operation::DeleteCollection),
    (7, Operation::Watch),
    (6, Operation::Odd),
];

impl Generator {
    fn new(kind: &'static Kind, random: Random) -> Self {
        Self {
            kind,
            random,
            steps: Vec::new(),
            watches: 0,
            made: Vec::new(),
            generated: false,
        }
    }

    /// A first list, a watch from there on, and an object to work with.
    fn begin(&mut self) {
        let list = self.selected(Request::get(self.kind.collection()));
        self.send(list);
        self.watch_from_list();
        if self.random.percent(70) {
            let name = self.name();
            let object = self.kind.plain(name);
            self.send(Request::post(self.kind.collection(), object));
            self.made.push(name);
        }
    }

    fn step(&mut self) {
        match self.random.weighted(OPERATIONS) {
            Operation::Create => self.create(),
            Operation::Get => self.get(),
            Operation::List => self.list(),
            Operation::Replace => self.replace(),
            Operation::Patch => self.patch(),
            Operation::Status => self.write_status(),
            Operation::Delete => self.delete(),
            Operation::DeleteCollection => self.delete_collection(),
            Operation::Watch => self.watch(),
            Operation::Odd => self.odd(),
        }
    }

    fn send(&mut self, request: Request) {
        self.steps.push(Step::Send(request));
    }

    fn name(&mut self) -> &'static str {
        self.random.pick(self.kind.names())
    }

    /// A name that most likely is one of an object.
    fn known_name(&mut self) -> &'static str {
        if self.made.is_empty() || self.random.percent(20) {
            self.name()
        } else {
            self.random.pick(&self.made)
        }
    }

    /// Lists of cluster-scoped objects are about the sequence's own.
    fn selected(&self, request: Request) -> Request {
        if self.kind.namespaced {
            request
        } else {
            request.query("labelSelector", "sequence={ns}")
        }
    }

    /// The collection, for a step that waits until controllers are done with it.
    fn settling(&self) -> Step {
        let selector = if self.kind.namespaced {
            ""
        } else {
            // The server keeps this label, whatever the sequence does to its own.
            "?kubernetes.io/metadata.name in ({ns}-a,{ns}-b)"
        };
        Step::Settle(vec![format!("{}{selector}", self.kind.collection())])
    }
}
