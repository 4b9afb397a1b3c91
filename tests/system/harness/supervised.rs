//! Processes that cannot outlive the tests.
//!
//! The test runner never drops statics, and after SIGKILL nothing of ours runs at all. So each
//! process is started by a small shell that holds a pipe from the test process as its standard
//! input: when the pipe closes, for whatever reason, the shell kills its child.

use super::{Context, Failure, Result, wait};
use std::{
    ffi::OsStr,
    fs::File,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::Duration,
};

/// Prints the child's process id, then waits for the child. `read` is a builtin, so that killing
/// the watching subshell leaves nothing behind.
const SUPERVISOR: &str = r#"
exec 3<&0
"$@" </dev/null >&2 3<&- &
child=$!
echo "$child"
( while read -r _; do :; done <&3; kill -9 "$child" ) >/dev/null 2>&1 &
watcher=$!
wait "$child"; status=$?
kill -9 "$watcher" 2>/dev/null
exit "$status"
"#;

/// How many of a log's last lines an error message quotes.
const QUOTED_LINES: usize = 15;

/// A running process with its log. Dropping it kills the process with SIGKILL and waits for its
/// end.
pub(super) struct Supervised {
    name: String,
    supervisor: Child,
    lifeline: Option<ChildStdin>,
    pid: u32,
    log: PathBuf,
}

/// A signal that a test may send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    /// Ends the process at once.
    Kill,
    /// Asks it to end.
    Terminate,
    /// Stops it where it is, as a paused virtual machine would be.
    Stop,
    /// Lets a stopped process go on.
    Continue,
}

impl Supervised {
    /// Starts `program`; its output is appended to `log`. `name` is for error messages.
    pub(super) fn start<A: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        args: impl IntoIterator<Item = A>,
        log: &Path,
    ) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .context(|| format!("opening {}", log.display()))?;
        let mut supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(program)
            .args(args)
            // What is configured comes from the arguments alone, not from the developer's own
            // cluster.
            .env_remove("KUBECONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            // Ctrl-C at the terminal goes to the test process alone; its end is what ends the
            // child.
            .process_group(0)
            .spawn()
            .context(|| format!("starting sh, which supervises {name}"))?;
        let lifeline = supervisor.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = supervisor.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .context(|| format!("reading the process id of {name}"))?;
        }
        let pid = line
            .trim()
            .parse()
            .context(|| format!("the process id of {name}: {line:?}"))?;
        Ok(Self {
            name: name.to_owned(),
            supervisor,
            lifeline,
            pid,
            log: log.to_owned(),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status, when the process has ended. Death by a signal shows as 128 + signal, as in
    /// a shell.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.supervisor
            .try_wait()
            .context(|| format!("asking whether {} has ended", self.name))
    }

    /// An error with the end of its log, when the process has ended.
    pub(super) fn check_running(&mut self) -> Result {
        match self.ended()? {
            None => Ok(()),
            Some(status) => Err(self.failure(&format!("ended ({status})"))),
        }
    }

    /// An error that quotes the end of the log.
    pub(super) fn failure(&self, what: &str) -> Failure {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n    ");
        Failure::new(format!(
            "{} {what}; its log {} ends with:\n    {tail}",
            self.name,
            self.log.display()
        ))
    }

    /// Sends a signal to the process itself. It is an error if the process is gone.
    pub(super) fn signal(&mut self, signal: Signal) -> Result {
        self.check_running()?;
        let signal_name = match signal {
            Signal::Kill => "KILL",
            Signal::Terminate => "TERM",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        };
        let sent = Command::new("sh")
            .args([
                "-c",
                "kill -s \"$1\" \"$2\"",
                "kill",
                signal_name,
                &self.pid.to_string(),
            ])
            .status()?;
        if sent.success() {
            Ok(())
        } else {
            Err(self.failure(&format!("could not be sent SIG{signal_name}")))
        }
    }

    /// Waits until the process has ended by itself.
    pub(super) async fn wait_for_end(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let ended = wait::until(deadline, async || self.ended().ok().flatten()).await;
        ended.ok_or_else(|| self.failure(&format!("is still running after {deadline:?}")))
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.lifeline = None;
        // Only an already reaped supervisor can make this fail, and then there is nothing left to
        // end.
        let _ = self.supervisor.wait();
    }
}

/// The end of the test process, however it comes, closes the pipe; so this stands for a panic,
/// Ctrl-C and SIGKILL.
#[tokio::test]
async fn a_process_ends_when_the_pipe_to_its_supervisor_closes() -> Result {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let log = folder.join(format!("sleeper-{}.log", std::process::id()));
    let mut sleeper = Supervised::start("a sleeper", Path::new("sleep"), ["600"], &log)?;
    sleeper.check_running()?;
    sleeper.lifeline = None;
    let status = sleeper.wait_for_end(super::DEADLINE).await?;
    std::fs::remove_file(&log)?;
    assert_eq!(status.code(), Some(128 + 9));
    Ok(())
}

#[tokio::test]
async fn a_process_that_ends_by_itself_is_reported_with_its_log() -> Result {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let log = folder.join(format!("failing-{}.log", std::process::id()));
    let mut failing = Supervised::start(
        "a failing program",
        Path::new("ls"),
        ["/does/not/exist"],
        &log,
    )?;
    failing.wait_for_end(super::DEADLINE).await?;
    let failure = failing
        .check_running()
        .expect_err("an ended process was said to run");
    std::fs::remove_file(&log)?;
    assert!(
        format!("{failure:?}").contains("/does/not/exist"),
        "{failure:?}"
    );
    Ok(())
}
