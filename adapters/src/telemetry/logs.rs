//! Logs: JSON where a program reads them, plain where a person does.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Plain on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people, coloured on a terminal unless `NO_COLOR` is set.
    Plain,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error(
        "the log filter `{filter}` cannot be read: {problem}; write for example info or remediation_adapters=debug,info"
    )]
    Filter {
        /// What was asked.
        filter: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something else logs already.
    #[error("logging was set up before: {0}")]
    Again(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends the logs of this process to stderr, as this filter lets them through (`info` where it is empty).
///
/// # Errors
/// If the filter cannot be read, or logging was set up before.
pub fn init(format: Format, filter: &str) -> Result<(), LogError> {
    use std::io::IsTerminal as _;
    let filter = if filter.is_empty() { "info" } else { filter };
    let wanted = EnvFilter::try_new(filter).map_err(|error| LogError::Filter {
        filter: filter.to_owned(),
        problem: error.to_string(),
    })?;
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(wanted)
        .with_writer(std::io::stderr);
    let json = match format {
        Format::Json => true,
        Format::Plain => false,
        Format::Auto => !terminal,
    };
    if json {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .finish()
            .try_init()?;
    } else {
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        builder
            .with_ansi(colour)
            .with_target(false)
            .finish()
            .try_init()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = init(Format::Json, "info,remediation=loud")
            .unwrap_err()
            .to_string();
        assert!(error.contains("remediation=loud"), "{error}");
    }
}
