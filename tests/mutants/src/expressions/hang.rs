//! Whether a test binary that runs for long will ever end, on a machine that others use as well.

use std::fs;

/// After so many looks without anything to do it waits for what never comes.
const IDLE_LOOKS: u32 = 250;
/// A look that finds it at work is worth so many that do not.
const WORKING: u32 = 20;
/// The ticks of a second in which Linux counts processor time for programs.
const TICKS: u64 = 100;

/// Looks at one process again and again.
#[derive(Debug)]
pub struct Watcher {
    process: u32,
    seconds: u64,
    idle: u32,
}

impl Watcher {
    /// Watches this process, which may take so many seconds of processor time.
    #[must_use]
    pub fn new(process: u32, seconds: u64) -> Self {
        Self {
            process,
            seconds,
            idle: 0,
        }
    }

    /// One look: whether the process has had its processor time, or has had nothing to do in most of the last looks. One that
    /// is merely not let run does neither. True where the system does not tell.
    pub fn hangs(&mut self) -> bool {
        let tasks = format!("/proc/{}/task", self.process);
        let Some((_, ticks)) = state(&format!("/proc/{}/stat", self.process)) else {
            return true;
        };
        let working = fs::read_dir(tasks).is_ok_and(|tasks| {
            let stats = tasks.flatten().map(|task| task.path().join("stat"));
            let mut states = stats.filter_map(|stat| state(&stat.to_string_lossy()));
            states.any(|(state, _)| matches!(state, 'R' | 'D'))
        });
        self.idle = if working {
            self.idle.saturating_sub(WORKING)
        } else {
            self.idle + 1
        };
        ticks / TICKS >= self.seconds || self.idle >= IDLE_LOOKS
    }
}

/// The state and the processor time, in ticks, that a `stat` file tells.
fn state(path: &str) -> Option<(char, u64)> {
    let text = fs::read_to_string(path).ok()?;
    // The name before it is in brackets and may hold anything.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let mut times = fields.skip(10);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some((state, user + system))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn run(program: &str) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", program]).spawn().unwrap()
    }

    fn ended(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn one_that_waits_hangs_after_a_while() {
        let child = run("read line < /dev/null; exec sleep 1000");
        let mut watcher = Watcher::new(child.id(), 1000);
        let looks = (1..).find(|_| watcher.hangs()).unwrap();
        assert!(looks >= IDLE_LOOKS, "{looks}");
        ended(child);
    }

    #[test]
    fn one_that_works_hangs_when_it_has_had_its_time() {
        let child = run("while true; do true; done");
        let mut watcher = Watcher::new(child.id(), 1);
        while !watcher.hangs() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(watcher.idle < IDLE_LOOKS);
        ended(child);
    }
}
