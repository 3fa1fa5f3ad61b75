//! The program `nishad`: `nishad --help` tells how to use it.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

use cli::Exit;
use cli::args::Command;
use cli::progress::say;
use cli::signals::Signals;

fn main() -> ExitCode {
    let args = match cli::args::parse() {
        Ok(args) => args,
        Err(exit) => return exit.into(),
    };
    let signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return fail(Exit::Failed, &format!("cannot handle signals: {error}")),
    };
    if let Some(Command::Report(args)) = &args.command {
        return match cli::report::run(args) {
            Ok(exit) => exit.into(),
            Err(error) => fail(Exit::Failed, &format!("{error:#}")),
        };
    }
    let dry = args.dry_run || args.list;
    let planned = cli::saving::read(&args).and_then(|(wanted, saved)| {
        if dry && wanted.len() > 1 {
            anyhow::bail!("--dry-run and --list print to one place; give -o once");
        }
        let plan = cli::plan::plan(&args, saved.as_ref())?;
        if let Some(saved) = &saved {
            cli::saving::check(&args, saved, &plan)?;
        }
        Ok((plan, wanted, saved))
    });
    let (plan, wanted, saved) = match planned {
        Ok(planned) => planned,
        Err(error) => return fail(Exit::Usage, &format!("{error:#}")),
    };
    let ended = match &wanted[..] {
        [one] if dry => cli::dry::run(&args, plan, one),
        all => cli::run::run(&args, plan, all, saved, &signals),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => fail(Exit::Failed, &format!("{error:#}")),
    }
}

fn fail(exit: Exit, message: &str) -> ExitCode {
    say(format_args!("error: {message}"));
    exit.into()
}
