//! From a plan that breaks a promise to a smaller one that still does.

use super::plan::Plan;
use super::swarm::alert;
use super::{Options, Report, run};
use crate::simulation::children::{Script, Stage};
use crate::simulation::promises::Promise;

/// Leaves out what is not needed to break the promise: troubles, requests, what is special about the others. Ends
/// after `budget` runs at the latest. Returns the smallest plan found, and its report.
#[must_use]
pub fn shrink(plan: &Plan, promise: Promise, options: &Options, budget: u32) -> (Plan, Report) {
    let mut shrinking = Shrinking {
        promise,
        options,
        left: budget,
        report: run(plan, options),
        plan: plan.clone(),
    };
    while shrinking.left > 0 && shrinking.round() {}
    (shrinking.plan, shrinking.report)
}

struct Shrinking<'a> {
    promise: Promise,
    options: &'a Options,
    left: u32,
    plan: Plan,
    report: Report,
}

impl Shrinking<'_> {
    /// Tries everything once; whether the plan became smaller.
    fn round(&mut self) -> bool {
        let mut smaller = self.drop_troubles();
        for index in (0..self.plan.requests.len()).rev() {
            if self.plan.requests.len() > 1 {
                let mut plan = self.plan.clone();
                plan.requests.remove(index);
                smaller |= self.accept(plan);
            }
        }
        for index in 0..self.plan.requests.len() {
            for simplify in SIMPLER {
                let mut plan = self.plan.clone();
                let asked = &mut plan.requests[index];
                simplify(&mut asked.script);
                smaller |= self.accept(plan);
            }
            let mut plan = self.plan.clone();
            plan.requests[index].spec.timeouts = None;
            plan.requests[index].spec.ttl_seconds_after_finished = None;
            plan.requests[index].at_ms = 0;
            smaller |= self.accept(plan);
            let mut plan = self.plan.clone();
            plan.requests[index].spec.targeting_data = Some(alert(index as u64));
            smaller |= self.accept(plan);
        }
        for simplify in [
            (|plan: &mut Plan| plan.replicas = 1) as fn(&mut Plan),
            |plan| plan.concurrency = 16,
            |plan| plan.page_size = 500,
        ] {
            let mut plan = self.plan.clone();
            simplify(&mut plan);
            smaller |= self.accept(plan);
        }
        smaller
    }

    /// Leaves troubles out, many at once first.
    fn drop_troubles(&mut self) -> bool {
        let mut smaller = false;
        let mut chunk = self.plan.troubles.len();
        while chunk > 0 {
            let mut start = 0;
            while start < self.plan.troubles.len() {
                let mut plan = self.plan.clone();
                let end = (start + chunk).min(plan.troubles.len());
                plan.troubles.drain(start..end);
                if self.accept(plan) {
                    smaller = true;
                } else {
                    start += chunk;
                }
            }
            chunk /= 2;
        }
        smaller
    }

    /// Takes this plan if it is another one and still breaks the promise.
    fn accept(&mut self, plan: Plan) -> bool {
        if plan == self.plan || self.left == 0 {
            return false;
        }
        self.left -= 1;
        let report = run(&plan, self.options);
        let breaks = report
            .broken
            .iter()
            .any(|violation| violation.promise == self.promise);
        if breaks {
            self.plan = plan;
            self.report = report;
        }
        breaks
    }
}

const SIMPLER: [fn(&mut Script); 7] = [
    |script| *script = Script::default(),
    |script| script.approval = None,
    |script| script.processing = Stage::lasting(std::time::Duration::from_millis(500)),
    |script| script.analysis = Stage::lasting(std::time::Duration::from_millis(500)),
    |script| script.planning = Stage::lasting(std::time::Duration::from_millis(500)),
    |script| script.workflow = Stage::lasting(std::time::Duration::from_millis(500)),
    |script| {
        for step in &mut script.steps {
            step.stage = Stage::lasting(std::time::Duration::from_millis(500));
        }
    },
];
