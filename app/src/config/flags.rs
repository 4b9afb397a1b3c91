//! The flags and environment variables of all configuration fields, made from the table.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::fields::FIELDS;
use super::values::{Kind, Raw};
use super::{Configuration, Given, Problem};

/// Where configuration comes from, as the command line says.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigArgs {
    file: Option<PathBuf>,
    given: Vec<Given>,
}

impl ConfigArgs {
    /// Reads and validates everything.
    pub(crate) fn load(&self) -> Result<Configuration, Vec<Problem>> {
        super::load(self.file.as_deref(), &self.given)
    }
}

impl clap::Args for ConfigArgs {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .env("REMEDIATION_CONFIG")
            .hide_env_values(true)
            .value_parser(value_parser!(PathBuf))
            .help("YAML file with any of the fields below; flags and environment win over it");
        let everywhere = Arg::new("all-namespaces")
            .short('A')
            .long("all-namespaces")
            .action(ArgAction::SetTrue)
            .conflicts_with("namespace")
            .help("Look after all namespaces, whatever the file says [default]");
        FIELDS
            .iter()
            .fold(command.arg(file).arg(everywhere), |command, field| {
                command.arg(flag(field))
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(field: &'static super::Field) -> Arg {
    let value_name = match field.kind {
        Kind::Duration(..) => "DURATION",
        Kind::Whole(..) => "NUMBER",
        Kind::Switch => "BOOL",
        Kind::Word(_) => "WORD",
        Kind::List => "LIST",
        Kind::Address => "IP:PORT",
        Kind::Namespace | Kind::Name => "NAME",
    };
    let arg = Arg::new(field.path)
        .long(field.flag())
        .value_name(value_name)
        .env(field.variable())
        .hide_env_values(true)
        .allow_hyphen_values(true)
        .help(format!(
            "{} [default: {}]",
            field.about,
            field.default_text()
        ))
        .help_heading(heading(field.section()));
    let arg = match field.kind {
        Kind::Switch => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::Word(words) => arg.help(format!(
            "{} One of {} [default: {}]",
            field.about,
            words.join(", "),
            field.default_text()
        )),
        Kind::Duration(..)
        | Kind::Whole(..)
        | Kind::List
        | Kind::Address
        | Kind::Namespace
        | Kind::Name => arg,
    };
    if field.path == "namespace" {
        arg.short('n')
    } else {
        arg
    }
}

fn heading(section: &str) -> &'static str {
    match section {
        "timeouts" => "Timeouts",
        "retention" => "Retention",
        "notifications" => "Notifications",
        "events" => "Events",
        _ => "Operator",
    }
}

impl clap::FromArgMatches for ConfigArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one::<PathBuf>("config").cloned();
        self.given.clear();
        for field in FIELDS {
            let Some(text) = matches.get_one::<String>(field.path) else {
                continue;
            };
            let from_environment =
                matches.value_source(field.path) == Some(ValueSource::EnvVariable);
            // A variable that a manifest sets to nothing counts as not set.
            if from_environment && text.is_empty() {
                continue;
            }
            self.given.push(Given {
                field,
                place: if from_environment {
                    field.variable()
                } else {
                    format!("--{}", field.flag())
                },
                raw: Raw::Text(text.clone()),
            });
        }
        if matches.get_flag("all-namespaces")
            && let Some(field) = super::field("namespace")
        {
            self.given.push(Given {
                field,
                place: "--all-namespaces".to_owned(),
                raw: Raw::Text(String::new()),
            });
        }
        Ok(())
    }
}
