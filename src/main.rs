//! The program `nishad`: `nishad --help` tells how to use it.
#![deny(unsafe_code)]

mod cli;

use std::process::ExitCode;

use anyhow::Result;

use cli::Exit;
use cli::args::{Args, Command};
use cli::progress::say;
use cli::signals::Signals;

fn main() -> ExitCode {
    let exit = run();
    cli::keys::end();
    cli::events::end(exit);
    exit.into()
}

fn run() -> Exit {
    let args = match cli::command::parse() {
        Ok(args) => args,
        Err(exit) => return exit,
    };
    let signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return fail(Exit::Failed, &format!("cannot handle signals: {error}")),
    };
    let ended = match &args.command {
        Some(command) if cfg!(not(feature = "full")) => {
            return fail(Exit::Usage, &cli::left_out(command.name()));
        }
        Some(Command::Report(args)) => cli::report::run(args),
        Some(Command::Completions(args)) => Ok(cli::docs::completions(args)),
        Some(Command::Man) => Ok(cli::docs::man()),
        None => scan(&args, &signals),
    };
    ended.unwrap_or_else(|error| fail(Exit::Failed, &format!("{error:#}")))
}

fn scan(args: &Args, signals: &Signals) -> Result<Exit> {
    let dry = args.dry_run || args.list;
    let planned = cli::saving::read(args).and_then(|(wanted, saved)| {
        if dry && args.audit.is_wanted() {
            anyhow::bail!("--dry-run and --list scan nothing that could be audited");
        }
        let printed = dry.then(|| cli::dry::place(&wanted)).transpose()?;
        let against = args.audit.read()?;
        let plan = cli::plan::plan(args, saved.as_ref())?;
        if let Some(saved) = &saved {
            cli::saving::check(args, saved, &plan)?;
        }
        Ok((plan, wanted, against, saved, printed))
    });
    let (plan, wanted, against, saved, printed) = match planned {
        Ok(planned) => planned,
        Err(error) => return Ok(fail(Exit::Usage, &format!("{error:#}"))),
    };
    match printed {
        Some(to) => cli::dry::run(args, plan, &to),
        None => cli::run::run(args, plan, (&wanted, against), saved, signals),
    }
}

fn fail(exit: Exit, message: &str) -> Exit {
    say(format_args!("error: {message}"));
    exit
}
