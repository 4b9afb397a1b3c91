//! Percentiles, and what a process used.

use std::time::Duration;

/// The value below which this share (0 to 1) of all values lies; zero if there are none.
pub(crate) fn percentile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a slice of thousands"
    )]
    let index = ((values.len() as f64 - 1.0) * share).round().max(0.0) as usize;
    values.get(index).copied().unwrap_or_default()
}

/// Processor time that a process has used so far (user and system), from its `/proc/<pid>/stat`.
pub(crate) fn processor_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // Linux reports these in hundredths of a second on every architecture that we run on.
    Some(Duration::from_millis(ticks * 10))
}

/// What each of some processes uses from here on.
pub(crate) struct Usage(Vec<(&'static str, u32, Duration)>);

impl Usage {
    /// Begins to count.
    pub(crate) fn begin(processes: impl IntoIterator<Item = (&'static str, u32)>) -> Self {
        let used = |pid| processor_time(pid).unwrap_or_default();
        let begun = processes
            .into_iter()
            .map(|(name, pid)| (name, pid, used(pid)));
        Self(begun.collect())
    }

    /// For each process, milliseconds of CPU since then for each of `count`.
    pub(crate) fn each(&self, count: usize) -> String {
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let each = 1000.0 / count as f64;
        let parts = self.0.iter().map(|(name, pid, before)| {
            let used = processor_time(*pid)
                .unwrap_or_default()
                .saturating_sub(*before);
            format!("{name} {:.1} ms", used.as_secs_f64() * each)
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// A line of `/proc/<pid>/status`, for example `VmHWM` (the most memory that was resident), in kB.
pub(crate) fn memory_kb(pid: u32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = status
        .lines()
        .find_map(|l| l.strip_prefix(line)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}
