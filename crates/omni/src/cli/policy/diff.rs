//! `omni policy diff CASES --against FILE`: what another configuration would decide otherwise, before it is in force; also of
//! calls that were recorded.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use omni_auth::Policy;

use crate::cli::context::Context;
use crate::cli::policy::cases::Cases;
use crate::cli::policy::load::{built, policy_of};
use crate::cli::policy::recorded::compare;
use crate::cli::say::{say, say_err};
use crate::config;

/// Show what another configuration would decide otherwise.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The cases, as `omni policy test` reads them.
    #[arg(required_unless_present = "calls")]
    cases: Option<PathBuf>,
    /// Calls that were recorded, instead of cases: what `omni audit export --format jsonl` writes, or a JSON object a line with
    /// `principal`, `action`, `resource`, and where they were recorded `arguments` and `context`.
    #[arg(long, value_name = "FILE", conflicts_with = "cases")]
    calls: Option<PathBuf>,
    /// A file of cases whose principals say which roles and groups the callers have: the audit log says only who they are.
    #[arg(long, value_name = "FILE", requires = "calls")]
    principals: Option<PathBuf>,
    /// The configuration that is not in force yet.
    #[arg(long, value_name = "FILE")]
    against: PathBuf,
}

impl DiffArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let (now, then) = (policy_of(context)?, built(&config::load(&self.against, &context.around)?.settings)?);
        let (changed, all) = match (&self.calls, &self.cases) {
            (Some(calls), _) => {
                let known = self.principals.as_deref().map(Cases::read).transpose()?;
                let known = known.map(Cases::into_principals).unwrap_or_default();
                let changes = compare(calls, &known, (&now, &then))?;
                for (line, times) in &changes.lines {
                    say!("{line} ({times} of them)");
                }
                if changes.passed_over > 0 {
                    say!("{} events passed over: policy does not decide on them", changes.passed_over);
                }
                for who in &changes.without_roles {
                    say_err!("{who}: the audit log says no roles and groups; name them in a file for --principals");
                }
                (changes.changed, changes.calls)
            }
            (None, Some(cases)) => of_cases(cases, &now, &then)?,
            (None, None) => bail!("name the cases, or calls with --calls"),
        };
        say!("{changed} of {all} decisions change");
        Ok(if changed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// How many of the cases change, and how many there are.
fn of_cases(cases: &Path, now: &Policy, then: &Policy) -> Result<(usize, usize)> {
    let cases = Cases::read(cases)?;
    let (now, then) = (cases.table(now)?, cases.table(then)?);
    let mut changed = 0;
    for (now, then) in now.lines().zip(then.lines()).filter(|(now, then)| now != then) {
        changed += 1;
        say!("{now} -> {}", then.split_whitespace().next().unwrap_or_default());
    }
    Ok((changed, now.lines().count()))
}
