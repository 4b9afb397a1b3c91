//! Audit logs of an API server, cut off, edited or of another server's making: read into committed writes, or refused with a
//! line that exists; whatever history comes out of one, the checker of the promises judges it to its end.

use jiff::{SignedDuration, Timestamp};
use remediation_adapters::simulation::promises::audit::{self, AuditError, Log};
use remediation_adapters::simulation::promises::{Ending, Expectations, Promises, Refused};

/// What [`audit::read`] is.
pub type Read<'a> = &'a dyn Fn(&str) -> Result<Log, AuditError>;

/// Reads the text as an audit log, and judges what it tells.
pub fn run(data: &[u8]) {
    run_with(data, &audit::read);
}

/// The same, of what this reads.
pub fn run_with(data: &[u8], read: Read<'_>) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let log = match read(text) {
        Ok(log) => log,
        Err(AuditError::Unreadable { line, .. } | AuditError::NoResponse { line, .. }) => {
            let lines = text.lines().count();
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
            return;
        }
    };
    assert!(log.commits.len() <= text.len(), "writes from nowhere");
    for commit in &log.commits {
        let shown = commit.before.is_some() || commit.after.is_some();
        assert!(shown, "a write of nothing: {commit:?}");
    }
    judge(&log);
}

fn judge(log: &Log) {
    let mut promises = Promises::new(Expectations {
        whole: !log.unsure,
        ..Expectations::default()
    });
    for refused in &log.refused {
        promises.fault(*refused, None);
    }
    for commit in &log.commits {
        promises.commit(commit);
    }
    let newest = log.commits.iter().map(|commit| commit.at).max();
    let _ = promises.end(&Ending {
        now: newest.unwrap_or(Timestamp::MAX),
        skew: SignedDuration::ZERO,
        settled: true,
        refused: Refused::default(),
        collected: true,
    });
}
