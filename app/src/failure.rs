//! How a command ends: 0 fine, 1 a divergence, a violation or a failed check, 2 bad input or usage.

use std::io;
use std::process::ExitCode;

/// Why a command did not end well. The text says what, where, and what to do next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something did not come out as it should: exit code 1.
    #[error("{0}")]
    Check(String),
    /// The input or the usage is wrong: exit code 2.
    #[error("{0}")]
    Input(String),
    /// Nobody reads the output any more, as with `| head`: exit code 0, silently.
    #[error("the output was closed")]
    Closed,
}

impl Failure {
    /// The failure to write to standard output.
    pub(crate) fn writing(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::Check(format!("standard output cannot be written: {error}"))
        }
    }
}

/// Tells the failure on standard error and gives the exit code.
pub(crate) fn exit_code(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(failure @ Failure::Check(_)) => {
            tell(&failure);
            ExitCode::from(1)
        }
        Err(failure @ Failure::Input(_)) => {
            tell(&failure);
            ExitCode::from(2)
        }
    }
}

fn tell(failure: &Failure) {
    use std::io::Write as _;
    let style = crate::style::Style::stderr();
    // Where standard error is closed there is nobody to tell; the exit code remains.
    let _ = writeln!(io::stderr(), "{} {failure}", style.red("error:"));
}
